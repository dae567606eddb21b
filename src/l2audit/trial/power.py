"""Before a study: the smallest effect that each claim could show, from the plan alone.

The planned contrasts come from the very code that estimates effects, given no runs; so a dataset counts here exactly
where it would be planned there.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from l2audit.config.claims import MEASURED, Claim, Constants, Registration
from l2audit.effects.evidence import Evidence
from l2audit.effects.layout import claim_table
from l2audit.effects.table import estimate
from l2audit.judge.statistics import detectable_effect

ASSUMED = (1.0, 2.0)
"""Spreads between datasets (SD of scores, in units of delta) that are shown where no study tells a better one."""

Spreads = Mapping[tuple[str, str], float]
"""(claim, part) -> SD of scores over datasets, in units of delta."""


@dataclass(frozen=True)
class Outlook:
    """What a study could show of one claim.

    datasets   planned, the fewest of its parts
    rows       registered rows of its multiplicity family
    assumed    smallest average effect found with 90 % power, in units of delta, for each of ASSUMED; empty: not judged
    spread     the largest SD over parts that a stored study showed, None where it has none
    seen       as `assumed`, at the spreads of that study
    """

    claim: str
    datasets: int
    rows: int
    assumed: tuple[float, ...]
    spread: float | None
    seen: float | None


def planned_effects(
    plan: pd.DataFrame,
    columns: Sequence[str],
    registration: Registration,
    strata: Mapping[str, str],
    collinear: Mapping[str, bool],
) -> pd.DataFrame:
    """Every planned contrast of `plan` (see `effects.estimate`), none with a run; `columns`: of a table of runs.

    A dataset that is not in `collinear`, because it was never prepared, counts as not collinear: that matters only to a
    claim of one leverage stratum alone.
    """
    nothing = pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    flags = dict.fromkeys(plan["dataset"], False) | dict(collinear)
    return estimate(Evidence(plan, nothing, registration, strata, flags))


def outlooks(effects: pd.DataFrame, registration: Registration, spreads: Spreads) -> list[Outlook]:
    """One outlook a measured claim, in the order of registration."""
    members = rows_in_families(registration)
    return [
        _outlook(claim, effects, members[claim.family], registration, spreads)
        for claim in registration.family(*MEASURED)
    ]


def rows_in_families(registration: Registration) -> dict[str, int]:
    """Family -> number of rows that share its error rate; a control's row stands alone."""
    added = sum(1 + (len(claim.strata) if len(claim.strata) > 1 else 0) for claim in registration.family("added"))
    return {"claims": len(registration.family("claims")), "added": added, "control": 1}


def _outlook(claim: Claim, effects: pd.DataFrame, rows: int, registration: Registration, spreads: Spreads) -> Outlook:
    parts = claim_table(effects, claim).parts
    datasets = min(int(part.planned_datasets.any(axis=-1).sum()) for part in parts)
    if datasets < registration.constants.k_min:
        return Outlook(claim.id, datasets, rows, (), None, None)

    def found(sd: float) -> float:
        return detectable_effect(datasets, sd, rows, registration.constants.alpha)

    shown = [spreads.get((claim.id, part.id), math.nan) for part in claim.parts]
    spread = None if any(math.isnan(sd) for sd in shown) else max(shown)
    return Outlook(
        claim.id, datasets, rows, tuple(found(sd) for sd in ASSUMED), spread, None if spread is None else found(spread)
    )


def spreads_of(verdicts: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """The SD of scores of every part of a judged study (verdicts.json)."""
    entries = [*verdicts["claims"], *verdicts["added"], *verdicts["controls"]]
    return {
        (entry["id"], part["id"]): part["sd"]
        for entry in entries
        for part in entry["parts"]
        if part.get("sd") is not None
    }


EXPLANATION = (
    "The smallest average effect that each claim could show, in multiples of the smallest effect that counts (90 %"
    " power, corrected for all claims of its family), if the scores of datasets spread by SD = 1 or 2 of them"
)


def text(found: Sequence[Outlook], source: str | None, constants: Constants) -> str:
    """The outlooks as a table for the terminal; `source` names the study that the seen spreads are of."""
    head = ["claim", "datasets", *(f"SD = {sd:g}" for sd in ASSUMED), *(["as seen"] if source else [])]
    table = [head, *(_cells(one, constants.clip, seen=source is not None) for one in found)]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    told = f"{EXPLANATION}{f', and at the spread seen in {source}' if source else '; no stored study tells better'}:"
    few = [f"too few: a claim needs {constants.k_min} datasets"] if any(not one.assumed for one in found) else []
    return "\n".join([*textwrap.wrap(told, 100), "", *lines, *few])


def _cells(one: Outlook, clip: float, *, seen: bool) -> list[str]:
    if not one.assumed:
        return [one.claim, str(one.datasets), *["too few" for _ in ASSUMED], *(["too few"] if seen else [])]
    told = "-" if one.seen is None else f"{_size(one.seen, clip)} (SD {one.spread:.1f})"
    return [one.claim, str(one.datasets), *(_size(value, clip) for value in one.assumed), *([told] if seen else [])]


def _size(value: float, clip: float) -> str:
    """An effect beyond the clip cannot be seen as such: scores are cut there."""
    return f"{value:.1f}" if value <= clip else f"over {clip:g}"
