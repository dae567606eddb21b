"""Before a study: the smallest effect that each claim could show, from the plan alone.

The planned contrasts come from the code that estimates effects, given no runs. So a dataset counts here exactly where
that code would plan it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from l2audit.config.claims import MEASURED, Constants, Registration
from l2audit.effects.evidence import Evidence
from l2audit.effects.layout import claim_table
from l2audit.effects.table import estimate
from l2audit.judge.statistics import detectable_effect
from l2audit.runs.results import schema
from l2audit.wording.tables import text_table

ASSUMED = (1.0, 2.0)
"""SD of scores between datasets, in units of delta, that are shown where no study tells a better one."""

EXPLANATION = (
    "The smallest average effect that each claim could show, in multiples of the smallest effect that counts (90 %"
    " power, corrected for all claims of its family), if the scores of datasets spread by SD = 1 or 2 of them"
)


@dataclass(frozen=True)
class Outlook:
    """What a study could show of one claim.

    datasets   planned, the fewest of its parts
    rows       registered rows of its multiplicity family
    assumed    smallest average effect found with 90 % power, in units of delta, for each of ASSUMED; empty: not judged
    spread     the largest SD over parts that a stored study showed, None where it has none
    seen       as `assumed`, at the spread of that study
    """

    claim: str
    datasets: int
    rows: int
    assumed: tuple[float, ...] = ()
    spread: float | None = None
    seen: float | None = None


def planned_effects(
    plan: pd.DataFrame, registration: Registration, strata: Mapping[str, str], collinear: Mapping[str, bool]
) -> pd.DataFrame:
    """Every planned contrast of `plan` (see `effects.estimate`), none with a run.

    A dataset that is not in `collinear`, because it was never prepared, counts as not collinear: that matters only to a
    claim of one leverage stratum alone.
    """
    nothing = pd.DataFrame({name: pd.Series(dtype=object) for name in schema().names})
    flags = dict.fromkeys(plan["dataset"], False) | dict(collinear)
    return estimate(Evidence(plan, nothing, registration, strata, flags))


def outlooks(
    effects: pd.DataFrame, registration: Registration, spreads: Mapping[tuple[str, str], float]
) -> list[Outlook]:
    """One outlook per measured claim, in the order of registration; `spreads` as from `spreads_of`."""
    members, found = rows_in_families(registration), []
    for claim in registration.family(*MEASURED):
        parts, rows = claim_table(effects, claim).parts, members[claim.family]
        datasets = min(int(part.planned_datasets.any(axis=-1).sum()) for part in parts)
        if datasets < registration.constants.k_min:
            found.append(Outlook(claim.id, datasets, rows))
            continue
        shown = [spreads[claim.id, part.id] for part in claim.parts if (claim.id, part.id) in spreads]
        spread = max(shown) if len(shown) == len(claim.parts) else None
        *assumed, seen = (
            None if sd is None else detectable_effect(datasets, sd, rows, registration.constants.alpha)
            for sd in (*ASSUMED, spread)
        )
        found.append(Outlook(claim.id, datasets, rows, tuple(filter(None, assumed)), spread, seen))
    return found


def rows_in_families(registration: Registration) -> dict[str, int]:
    """Family -> number of rows that share its error rate; a control's row stands alone."""
    added = sum(1 + (len(claim.strata) if len(claim.strata) > 1 else 0) for claim in registration.family("added"))
    return {"claims": len(registration.family("claims")), "added": added, "control": 1}


def spreads_of(verdicts: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """(claim, part) -> SD of scores over datasets, in units of delta, in a judged study (verdicts.json)."""
    entries = [*verdicts["claims"], *verdicts["added"], *verdicts["controls"]]
    parts = {(entry["id"], part["id"]): part.get("sd") for entry in entries for part in entry["parts"]}
    return {key: sd for key, sd in parts.items() if sd is not None}


def text(found: Sequence[Outlook], source: str | None, constants: Constants) -> str:
    """The outlooks as a table for the terminal; `source` names the study that the seen spreads are of."""

    def size(value: float) -> str:
        return f"{value:.1f}" if value <= constants.clip else f"over {constants.clip:g}"  # scores are cut there

    rows = []
    for one in found:
        sizes = [size(value) for value in one.assumed] or ["too few" for _ in ASSUMED]
        seen = f"{size(one.seen)} (SD {one.spread:.1f})" if one.seen is not None else None
        rows.append([one.claim, one.datasets, *sizes, seen if one.assumed else "too few"])
    head = ["claim", "datasets", *(f"SD = {sd:g}" for sd in ASSUMED), "as seen"]
    if source is None:
        head, rows = head[:-1], [row[:-1] for row in rows]
    told = f"{EXPLANATION}{f', and at the spread seen in {source}' if source else '; no stored study tells better'}:"
    few = [f"too few: a claim needs {constants.k_min} datasets"] if any(not one.assumed for one in found) else []
    return "\n".join([*textwrap.wrap(told, 100), "", text_table(rows, head), *few])
