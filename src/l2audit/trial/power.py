"""Before a study: the smallest effect that each claim, or each of its situations, could show, from the plan alone.

The planned contrasts come from the code that estimates effects, given no runs. So a dataset counts here exactly where
that code would plan it.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from l2audit.config.claims import MEASURED, Constants, Registration
from l2audit.effects.evidence import Evidence
from l2audit.effects.layout import ALL, claim_table
from l2audit.effects.table import estimate
from l2audit.judge.rule import families_of
from l2audit.judge.statistics import detectable_effect
from l2audit.runs.results import schema
from l2audit.wording.tables import text_table

ASSUMED = (1.0, 2.0)
"""SD of scores between datasets, in units of delta, that are shown where no study tells a better one."""

EXPLANATION = (
    "The smallest average effect that each claim or situation could show, in multiples of the smallest effect that"
    " counts (90 % power, corrected for all rows of its family), if the scores of datasets spread by SD = 1 or 2 of"
    " them"
)


@dataclass(frozen=True)
class Outlook:
    """What a study could show of one claim, or of one of its situations.

    stratum    the situation; "all" for a claim that is not judged in situations
    datasets   planned, the fewest of its parts
    rows       registered rows of its multiplicity family
    assumed    smallest average effect found with 90 % power, in units of delta, for each of ASSUMED; empty: not judged
    spread     the largest SD over parts that a stored study showed, None where it has none
    seen       as `assumed`, at the spread of that study
    """

    claim: str
    stratum: str
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


Spreads = Mapping[tuple[str, str, str], float]
"""(claim, stratum, part) -> SD of scores over datasets as they are judged, in units of delta."""


def outlooks(effects: pd.DataFrame, registration: Registration, spreads: Spreads) -> list[Outlook]:
    """One outlook per measured claim, or per situation of it, in the order of registration."""
    constants, members, found = registration.constants, rows_in_families(registration), []
    for claim in registration.family(*MEASURED):
        parts, families = claim_table(effects, claim).parts, families_of(claim)
        rows = range(1, len(families)) if claim.situations and len(families) > 1 else (0,)
        for row in rows:
            stratum, strata = (claim.strata[row - 1], slice(row - 1, row)) if row else (ALL, slice(None))
            datasets = min(int(part.planned_datasets[:, strata].any(axis=-1).sum()) for part in parts)
            outlook = Outlook(claim.id, stratum, datasets, members[families[row]])
            if datasets >= constants.k_min:
                shown = [spreads.get((claim.id, stratum, part.id)) for part in claim.parts]
                spread = None if None in shown else max(filter(None, shown), default=0.0)
                *assumed, seen = (
                    None if sd is None else detectable_effect(datasets, sd, outlook.rows, constants.alpha)
                    for sd in (*ASSUMED, spread)
                )
                outlook = replace(outlook, assumed=tuple(filter(None, assumed)), spread=spread, seen=seen)
            found.append(outlook)
    return found


def rows_in_families(registration: Registration) -> dict[str, int]:
    """Family -> number of rows that share its error rate, as the judge counts them (`rule.families_of`)."""
    return Counter(family for claim in registration.family(*MEASURED) for family in families_of(claim))


def spreads_of(verdicts: Mapping[str, Any]) -> dict[tuple[str, str, str], float]:
    """The `Spreads` of a judged study (verdicts.json); study 1 called a judged SD just `sd`."""
    entries = [*verdicts["claims"], *verdicts["added"], *verdicts["controls"]]
    return {
        (entry["id"], row["stratum"], part["id"]): sd
        for entry in entries
        for row in (entry, *entry["strata"])
        for part in row["parts"]
        if (sd := part.get("judged_sd", part.get("sd"))) is not None
    }


def text(found: Sequence[Outlook], source: str | None, constants: Constants) -> str:
    """The outlooks as a table for the terminal; `source` names the study that the seen spreads are of.

    A situation that no dataset was planned for is counted, and has no line.
    """

    def size(value: float) -> str:
        return f"{value:.1f}" if value <= constants.clip else f"over {constants.clip:g}"  # scores are cut there

    rows = []
    shown = [one for one in found if one.datasets or one.stratum == ALL]
    for one in shown:
        sizes = [size(value) for value in one.assumed] or ["too few" for _ in ASSUMED]
        seen = f"{size(one.seen)} (SD {one.spread:.1f})" if one.seen is not None else None
        name = one.claim if one.stratum == ALL else f"{one.claim} {one.stratum}"
        rows.append([name, one.datasets, *sizes, seen if one.assumed else "too few"])
    head = ["claim", "datasets", *(f"SD = {sd:g}" for sd in ASSUMED), "as seen"]
    if source is None:
        head, rows = head[:-1], [row[:-1] for row in rows]
    told = f"{EXPLANATION}{f', and at the spread seen in {source}' if source else '; no stored study tells better'}:"
    few = [f"too few: a verdict needs {constants.k_min} datasets"] if any(not one.assumed for one in shown) else []
    if idle := len(found) - len(shown):
        few.append(f"not listed: {idle} situations that this study has no dataset for")
    return "\n".join([*textwrap.wrap(told, 100), "", text_table(rows, head), *few])
