"""Every specification judged: the registered claims under each combination of choices, by the rule that judges them.

A specification is judged with all other claims as they were registered: it asks what this claim's verdict would have
been, in its own multiplicity family, had this claim been analysed in another way.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from l2audit.config.claims import AGAINST, Claim, Constants, Registration
from l2audit.effects.layout import Layout, layout
from l2audit.errors import UserError
from l2audit.judge.rule import VERDICT_CODES, Decision, redecide, rows_of, weigh
from l2audit.judge.scores import scores
from l2audit.judge.statistics import summary, t_interval
from l2audit.judge.summary import Judged, deciding_part
from l2audit.judge.verdicts import decided
from l2audit.specifications.choices import AXES, Choices, Reading
from l2audit.specifications.readings import Effects, read_all

DIGITS = 6
"""Significant digits of the estimates of specifications, of which there are thousands."""


class Models(NamedTuple):
    """The models that a specification is about: names of the choices on two axes, and the arms that they mean."""

    scaling: str
    architectures: str
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Specification:
    """One choice on every axis, by name in the order of AXES, and what the judge says of each row, "all" first."""

    choices: tuple[str, ...]
    verdicts: tuple[str, ...]
    estimate: float
    ci_low: float
    ci_high: float

    def entry(self) -> dict[str, Any]:
        """As it is published: the row "all" alone; strata are counted."""
        return {
            "choices": list(self.choices),
            "verdict": self.verdicts[0],
            **{name: _figures(getattr(self, name)) for name in ("estimate", "ci_low", "ci_high")},
        }


def _figures(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def specify(
    plan: pd.DataFrame,
    runs: pd.DataFrame,
    effects: pd.DataFrame,
    registration: Registration,
    strata: Mapping[str, str],
    collinear: Mapping[str, bool],
    choices: Choices,
) -> dict[str, Any]:
    """Every measured claim of `registration` under every combination of `choices`.

    effects: the registered table of effects of these runs; the rest as for `effects.estimate`. Specifications that give
    a claim the very same effects and delta are one, named by the choices nearest the registered ones; one that leaves
    a claim without any number (no such arm, no such measure) is none. UserError: the effects are not those of `runs`.
    """
    arms = frozenset(plan["arm"])
    judged, decision = decided(effects, registration)
    judged = [one for one in judged if one.claim.family != "control" and one.table.datasets]
    readings = choices.readings()
    models = {one.claim.id: models_of(one.claim, choices, arms) for one in judged}
    wanted = [_over_all_arms(one.claim, models[one.claim.id]) for one in judged]
    found = read_all(plan, runs, registration, strata, collinear, readings, wanted)
    constants = registration.constants
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
        "claims": [
            _claim(
                one, list(_specifications(one, decision, found[one.claim.id], models[one.claim.id], choices, constants))
            )
            for one in judged
        ],
    }


def models_of(claim: Claim, choices: Choices, arms: Collection[str]) -> list[Models]:
    """The models that a claim can be about in a study with these `arms`, the registered ones first.

    A claim that compares two arms keeps their scaling: one side alone scaled in another way would be no comparison.
    """
    as_scaled, together = (choices[axis][0].name for axis in ("scaling", "architectures"))
    planned = [arm for arm in claim.architectures if arm in arms]
    several = len(planned) > 1
    alone = {arm: f"{arm} {one.name}" for one in choices["architectures"] if one.says["alone"] for arm in planned}
    names = alone if several else dict.fromkeys(planned, together)
    found = [Models(as_scaled, together, claim.architectures)]
    found += [Models(as_scaled, name, (arm,)) for arm, name in alone.items() if several]
    if not any(AGAINST in part.parameters for part in claim.parts):
        found += [
            Models(one.name, names[one.says["of"]], (one.says["arm"],))
            for one in choices["scaling"]
            if one.says and one.says["arm"] in arms and one.says["of"] in names
        ]
    return found


def _over_all_arms(claim: Claim, models: Sequence[Models]) -> Claim:
    return replace(claim, architectures=tuple(dict.fromkeys(arm for one in models for arm in one.arms)))


def _specifications(
    judged: Judged,
    decision: Decision,
    found: Effects,
    models: Sequence[Models],
    choices: Choices,
    constants: Constants,
) -> Iterator[Specification]:
    """Every specification of one claim, the registered one first. UserError: that one has another verdict."""
    readings = choices.readings()
    registered = tuple(VERDICT_CODES[int(code[0])] for code in decision.verdicts[judged.case])
    for number, one in enumerate(models):
        places = layout(found.keys, replace(judged.claim, architectures=one.arms))
        kept = [0] if number == 0 else []  # what is registered is a specification, whatever came of it
        kept += [reading for reading in _different(found, places) if reading not in kept]
        for delta in choices["delta"] if kept else ():
            rows = _judge(judged, decision, found, places, kept, delta.says["times"], constants)
            for reading, (verdicts, *numbers) in zip((readings[v] for v in kept), rows, strict=True):
                specification = Specification(_names(reading, delta.name, one), verdicts, *numbers)
                if (number, delta, reading) == (0, choices["delta"][0], readings[0]) and verdicts != registered:
                    problem = f"claim {judged.claim.id}: the effects are not those of these runs"
                    raise UserError(problem, fix="make both again: snakemake --cores all")
                yield specification


def _names(reading: Reading, delta: str, models: Models) -> tuple[str, ...]:
    named = {axis: choice.name for axis, choice in reading._asdict().items()}
    named |= {"delta": delta, "scaling": models.scaling, "architectures": models.architectures}
    return tuple(named[axis] for axis in AXES)


def _different(found: Effects, places: Layout) -> list[int]:
    """The readings that give these models effects which no reading before them gave, and some number in each part."""
    rows = np.concatenate([part.rows for part in places.parts])
    usable = found.usable[:, rows]
    told = np.where(usable, found.theta[:, rows], np.nan), usable & found.active[:, rows]
    finite = [np.isfinite(found.theta[:, part.rows]).any(axis=1) for part in places.parts]
    first: dict[bytes, int] = {}
    for reading in np.flatnonzero(np.all(finite, axis=0)):
        first.setdefault(b"".join(values[reading].tobytes() for values in told), int(reading))
    return list(first.values())


def _judge(
    judged: Judged,
    decision: Decision,
    found: Effects,
    places: Layout,
    readings: Sequence[int],
    times: float,
    constants: Constants,
) -> Iterator[tuple[tuple[str, ...], float, float, float]]:
    """Verdict of every row, estimate and 95 % interval of the row "all", for each reading; delta `times` as large."""
    parts = []
    for part in places.parts:
        where = np.ix_(np.asarray(readings), part.rows)
        usable = found.usable[where]
        u = part.arrange(np.where(usable, found.theta[where], np.nan) / (times * part.delta))
        active = part.arrange(np.where(usable, found.active[where], np.nan))
        parts.append(scores(u, active, part.planned, constants))
    rows = rows_of(parts, len(places.strata))
    verdicts = redecide(decision, judged.case, rows, np.zeros(len(readings), dtype=np.int64), constants)
    evidence = weigh(rows, constants)[0]
    for study in range(len(readings)):
        codes = [int(code[study]) for code in verdicts]
        k, mean, sd = summary(rows[0].x[study, deciding_part(codes[0], evidence, study)])
        yield tuple(VERDICT_CODES[code] for code in codes), mean, *t_interval(k, mean, sd)


def _claim(judged: Judged, found: Sequence[Specification]) -> dict[str, Any]:
    """How often each verdict came out, of the claim and of its strata, and every specification."""
    counted = [_counts([one.verdicts[row] for one in found]) for row in range(len(judged.row_names))]
    return {
        "id": judged.claim.id,
        **counted[0],
        "strata": [{"stratum": name, **counts} for name, counts in zip(judged.row_names[1:], counted[1:], strict=True)],
        "specifications": [one.entry() for one in found],
    }


def _counts(verdicts: Sequence[str]) -> dict[str, Any]:
    """The registered verdict, which is the first, and how many have the same."""
    agree = sum(verdict == verdicts[0] for verdict in verdicts)
    return {
        "verdict": verdicts[0],
        "same": agree,
        "of": len(verdicts),
        "share": agree / len(verdicts),
        "verdicts": dict(sorted(Counter(verdicts).items())),
    }
