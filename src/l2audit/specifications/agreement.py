"""Every specification judged: the registered claims under each combination of choices, by the rule that judges them.

A specification analyses one claim in another way, and all other claims as registered. It asks what the verdict of that
claim would have been in its own multiplicity family.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from l2audit.config.claims import AGAINST, Claim, Constants
from l2audit.effects.evidence import Evidence
from l2audit.effects.layout import ClaimTable, claim_table
from l2audit.errors import UserError
from l2audit.judge.rule import VERDICT_CODES, Decision, redecide, rows_of, weigh
from l2audit.judge.scores import scores
from l2audit.judge.statistics import average
from l2audit.judge.summary import Judged, deciding_part
from l2audit.judge.verdicts import decided
from l2audit.specifications.choices import AXES, Choices
from l2audit.specifications.readings import WideEffects, read_all

DIGITS = 6
"""Significant digits of the estimates of specifications, of which there are thousands."""


class Models(NamedTuple):
    """The models that a specification is about: names of the choices on two axes, and the arms that they mean."""

    scaling: str
    architectures: str
    arms: tuple[str, ...]


def specify(evidence: Evidence, effects: pd.DataFrame, choices: Choices) -> dict[str, Any]:
    """Every measured claim of the registration under every combination of `choices`.

    effects: the registered table of effects of this evidence. Specifications that give a claim the same effects and
    delta count once, under the choices nearest the registered ones. A specification without any number does not count.
    UserError: the effects are not those of the runs.
    """
    registration, arms = evidence.registration, frozenset(evidence.plan["arm"])
    judged, decision = decided(effects, registration)
    judged = [one for one in judged if one.claim.family != "control" and one.table.datasets]
    models = {one.claim.id: models_of(one.claim, choices, arms) for one in judged}
    every_arm = [
        replace(one.claim, arms=tuple(dict.fromkeys(arm for few in models[one.claim.id] for arm in few.arms)))
        for one in judged
    ]
    found = read_all(evidence, choices.readings(), every_arm)
    claims = []
    for one in judged:
        each = _specifications(
            one, decision, found[one.claim.id], models[one.claim.id], choices, registration.constants
        )
        verdicts, specifications = zip(*each, strict=True)
        overall, *strata = (_counts(of_row) for of_row in zip(*verdicts, strict=True))
        claims.append(
            {
                "id": one.claim.id,
                **overall,
                "strata": [{"stratum": name, **n} for name, n in zip(one.row_names[1:], strata, strict=True)],
                "specifications": list(specifications),
            }
        )
    return {
        "registration_sha256": registration.sha256,
        "specifications_sha256": choices.sha256,
        "note": choices.note,
        "axes": [
            {"axis": axis, "choices": [{"name": one.name, "reason": one.reason} for one in choices[axis]]}
            for axis in AXES
        ],
        "absent": [
            {"axis": "scaling", "choice": one.name, "reason": f"the study has no arm '{one.says['arm']}'"}
            for one in choices["scaling"]
            if one.says and one.says["arm"] not in arms
        ],
        "claims": claims,
    }


def _counts(verdicts: Sequence[str]) -> dict[str, Any]:
    """The registered verdict, which is the first, and how many have the same."""
    counts = Counter(verdicts)
    same, of, told = counts[verdicts[0]], len(verdicts), dict(sorted(counts.items()))
    return {"verdict": verdicts[0], "same": same, "of": of, "share": same / of, "verdicts": told}


def models_of(claim: Claim, choices: Choices, arms: Collection[str]) -> list[Models]:
    """The models that a claim can be about in a study with these `arms`, the registered ones first.

    A claim that compares two arms keeps their scaling: one side alone scaled in another way would be no comparison.
    """
    as_scaled, together = (choices[axis][0].name for axis in ("scaling", "architectures"))
    planned = [arm for arm in claim.arms if arm in arms]
    several = len(planned) > 1
    alone = {arm: f"{arm} {one.name}" for one in choices["architectures"] if one.says["alone"] for arm in planned}
    names = alone if several else dict.fromkeys(planned, together)
    found = [Models(as_scaled, together, claim.arms)]
    found += [Models(as_scaled, name, (arm,)) for arm, name in alone.items() if several]
    if not any(AGAINST in part.parameters for part in claim.parts):
        found += [
            Models(one.name, names[one.says["of"]], (one.says["arm"],))
            for one in choices["scaling"]
            if one.says and one.says["arm"] in arms and one.says["of"] in names
        ]
    return found


def _specifications(
    judged: Judged,
    decision: Decision,
    found: WideEffects,
    models: Sequence[Models],
    choices: Choices,
    constants: Constants,
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every specification of one claim, the registered one first: the verdict of each row, "all" first, and its entry.

    The entry is of the row "all" alone, as it is published. UserError: the registered one has another verdict.
    """
    readings = choices.readings()
    registered = tuple(VERDICT_CODES[int(code[0])] for code in decision.verdicts[judged.case])
    for number, one in enumerate(models):
        table = claim_table(found.keys, replace(judged.claim, arms=one.arms))
        kept = [0] if number == 0 else []  # what is registered is a specification, whatever came of it
        kept += [reading for reading in _different(found, table) if reading not in kept]
        for delta in choices["delta"] if kept else ():
            scored = []
            for part in table.parts:
                where = np.ix_(np.asarray(kept), part.position)
                usable = found.usable[where]
                u = part.arrange(np.where(usable, found.theta[where], np.nan) / (delta.says["times"] * part.delta))
                active = part.arrange(np.where(usable, found.active[where], np.nan))
                scored.append(scores(u, active, part.planned, constants))
            rows = rows_of(scored, len(table.strata))
            same = np.zeros(len(kept), dtype=np.int64)  # all are variants of the one study
            codes = np.array(redecide(decision, judged.case, rows, same, constants)).T
            tests, over = weigh(rows, constants)[0], average(rows[0].x)
            for study, reading in enumerate(readings[v] for v in kept):
                verdicts = tuple(VERDICT_CODES[code] for code in codes[study])
                if (number, delta, reading) == (0, choices["delta"][0], readings[0]) and verdicts != registered:
                    problem = f"claim {judged.claim.id}: the effects are not those of these runs"
                    raise UserError(problem, fix="make both again: snakemake --cores all")
                named = {axis: choice.name for axis, choice in reading._asdict().items()}
                named |= {"delta": delta.name, "scaling": one.scaling, "architectures": one.architectures}
                place = study, deciding_part(int(codes[study, 0]), tests, study)
                figures = {"estimate": over.mean[place], "ci_low": over.ci_low[place], "ci_high": over.ci_high[place]}
                short = {name: float(f"{x:.{DIGITS}g}") if math.isfinite(x) else None for name, x in figures.items()}
                yield verdicts, {"choices": [named[axis] for axis in AXES], "verdict": verdicts[0], **short}


def _different(found: WideEffects, table: ClaimTable) -> list[int]:
    """The readings that give these models effects which no reading before them gave, and some number in each part."""
    rows = np.concatenate([part.position for part in table.parts])
    usable = found.usable[:, rows]
    told = np.where(usable, found.theta[:, rows], np.nan), usable & found.active[:, rows]
    finite = [np.isfinite(found.theta[:, part.position]).any(axis=1) for part in table.parts]
    first: dict[bytes, int] = {}
    for reading in np.flatnonzero(np.all(finite, axis=0)):
        first.setdefault(b"".join(values[reading].tobytes() for values in told), int(reading))
    return list(first.values())
