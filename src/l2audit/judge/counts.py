"""How many trained models stand behind each claim: printed beside the verdict, never used by the rule."""

from __future__ import annotations

import pandas as pd

from l2audit.contamination import CLEAN
from l2audit.judge.claims import Claim, Registration
from l2audit.judge.contrast import AGAINST
from l2audit.judge.estimands import ESTIMANDS
from l2audit.judge.estimands.base import ACROSS


def runs_behind(effects: pd.DataFrame, runs: pd.DataFrame, registration: Registration) -> dict[str, int]:
    """Claim -> number of `runs` in the (dataset, arm) blocks, at the seeds and at the levels of its effects, and clean.

    The arms that a claim's own arms are compared with count too, and all levels where an estimand reads them.
    """
    found: dict[str, int] = {}
    owners = list(zip(runs["dataset"], runs["arm"], strict=True))
    for name, rows in effects.groupby("claim", sort=True):
        claim = registration[str(name)]
        blocks = set(zip(rows["dataset"], rows["architecture"], strict=True))
        blocks |= {(dataset, arm) for dataset in rows["dataset"].unique() for arm in _rivals(claim)}
        inside = pd.Series([owner in blocks for owner in owners], index=runs.index) & runs["seed"].isin(rows["seed"])
        if not any(ESTIMANDS[part.estimand].levels == ACROSS for part in claim.parts):
            inside &= runs["level"].isin({*rows["level"], CLEAN})
        found[claim.id] = int(inside.sum())
    return found


def _rivals(claim: Claim) -> set[str]:
    return {part.parameters[AGAINST] for part in claim.parts if AGAINST in part.parameters}
