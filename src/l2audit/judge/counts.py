"""How many trained models stand behind each claim: printed beside the verdict, never used by the rule."""

from __future__ import annotations

import pandas as pd

from l2audit.contamination import CLEAN


def runs_behind(effects: pd.DataFrame, runs: pd.DataFrame) -> dict[str, int]:
    """Claim -> number of `runs` in the (dataset, arm) blocks and at the levels of its effects, and clean."""
    found: dict[str, int] = {}
    owners = list(zip(runs["dataset"], runs["arm"], strict=True))
    for claim, rows in effects.groupby("claim", sort=True):
        blocks = set(zip(rows["dataset"], rows["architecture"], strict=True))
        inside = pd.Series([owner in blocks for owner in owners], index=runs.index)
        found[str(claim)] = int((inside & runs["level"].isin({*rows["level"], CLEAN})).sum())
    return found
