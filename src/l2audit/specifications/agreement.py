"""Every specification judged: the registered claims under each combination of choices, by the rule that judges them.

A specification analyses one row of one claim in another way, and all other rows as registered. It asks what the verdict
of that row would have been in its own multiplicity family.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from l2audit.config.claims import AGAINST, VERDICTS, Claim, Constants, Registration
from l2audit.effects.evidence import Evidence
from l2audit.effects.grid import Array, Mask, moments
from l2audit.effects.layout import PartTable, claim_table
from l2audit.errors import UserError
from l2audit.judge.rule import HEADLINES, VERDICT_CODES, Codes, Decision, ScoredRow, headline, redecide, rows_of
from l2audit.judge.scores import Scores, scores
from l2audit.judge.statistics import average
from l2audit.judge.summary import Judged, deciding_part
from l2audit.judge.verdicts import decided
from l2audit.specifications.choices import AXES, Choice, Choices
from l2audit.specifications.inference import FLIPS, joint_test, sign_flips, variance_shares
from l2audit.specifications.readings import WideEffects, read_all, readings_of

DIGITS = 4
"""Significant digits of the figures of specifications, of which there are thousands."""

WORDS = (*VERDICT_CODES, *(word for word in VERDICTS if word not in VERDICT_CODES))
"""Every verdict; its place is its code, one hexadecimal digit. Those of rows have the codes of the rule."""


NOTHING = b""
"""The digest of a row without scores."""


@dataclass(frozen=True)
class Tried:
    """Every combination of choices for one claim, the registered first: n of them, R rows ("all" first), K datasets.

    chosen: (n, axes), index of the choice on each axis. rows: (n, R), verdict of each row, a code of the rule.
    whole: (n,), verdict of the claim, a place in WORDS. counts: (n, R), whether it is a specification of the row: one
    that has scores, and not the very scores of another before it. listed: (n,), the same of all rows together.
    parts: (R,), index of the part that decides the registered verdict of the row. Its scores are in units of the
    registered delta: tested (n, R, K) as in the tests of the specification, raw (n, R, K) never cut.
    """

    chosen: NDArray[np.int64]
    rows: Codes
    whole: NDArray[np.int64]
    counts: Mask
    listed: Mask
    parts: Sequence[int]
    tested: Array
    raw: Array


def specify(evidence: Evidence, effects: pd.DataFrame, choices: Choices) -> dict[str, Any]:
    """Every measured claim of the registration under every combination of `choices`.

    effects: the registered table of effects of this evidence. Specifications that give a row the very same scores count
    once, under the choices nearest the registered ones. A specification without any number does not count.
    UserError: the effects are not those of the runs.
    """
    registration, arms = evidence.registration, frozenset(evidence.plan["arm"])
    judged, decision = decided(effects, registration)
    judged = [one for one in judged if one.claim.family != "control" and one.table.datasets]
    scalings = {one.claim.id: scalings_of(one.claim, choices, arms) for one in judged}
    every_arm = [
        replace(one.claim, arms=(*one.claim.arms, *(scaling.says["arm"] for scaling in scalings[one.claim.id][1:])))
        for one in judged
    ]
    found = read_all(evidence, choices, every_arm)
    claims = []
    for one in judged:
        name = one.claim.id
        tried = _tried(one, decision, found.pop(name), scalings[name], choices, registration)
        claims.append(_entry(one, tried, registration.constants))
    return {
        "registration_sha256": registration.sha256,
        "specifications_sha256": choices.sha256,
        "note": choices.note,
        "words": list(WORDS),
        "alpha": registration.constants.alpha,
        "flips": FLIPS,
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


def scalings_of(claim: Claim, choices: Choices, arms: Collection[str]) -> list[Choice]:
    """The ways of scaling that make a difference to a claim in a study with these `arms`, the registered one first.

    A claim that compares two arms keeps their scaling: one side alone scaled in another way would be no comparison.
    So does an average over several arms, of which only one was scaled in another way.
    """
    registered, *others = choices["scaling"]
    compares = any(AGAINST in part.parameters for part in claim.parts)
    if compares or not (claim.situations or len(claim.arms) == 1):
        return [registered]
    return [registered, *(one for one in others if one.says["arm"] in arms and one.says["of"] in claim.arms)]


def _tried(
    judged: Judged,
    decision: Decision,
    found: WideEffects,
    scalings: Sequence[Choice],
    choices: Choices,
    registration: Registration,
) -> Tried:
    """Every specification of one claim. UserError: the registered one has another verdict than in `decision`."""
    claim, constants, readings = judged.claim, registration.constants, readings_of(judged.claim, choices)
    datasets = sorted(found.keys["dataset"].unique())
    registered = [int(codes[0]) for codes in decision.verdicts[judged.case]]
    parts = [deciding_part(*each) for each in zip(registered, decision.tests[judged.case], strict=True)]
    same = np.zeros(len(readings), dtype=np.int64)  # all are variants of the one study
    pieces, digests = [], []
    for scaling in scalings:
        keys = found.keys
        if scaling.says:  # its arm under the name of the one whose place it takes
            names = {scaling.says["of"]: "", scaling.says["arm"]: scaling.says["of"]}
            keys = keys.assign(arm=[names.get(arm, arm) for arm in keys["arm"]])
        table = claim_table(keys, claim)
        place = np.searchsorted(datasets, table.datasets)
        uncut = [_scores(found, part, place, len(datasets), constants) for part in table.parts]
        raw = np.stack([uncut[part].row(number).raw for number, part in enumerate(parts)], axis=1)
        for delta, clip in itertools.product(choices["delta"], choices["clip"]):
            limit = constants.clip * clip.times
            scored = [
                replace(
                    one,
                    raw=one.raw / delta.times,
                    clipped=np.clip(one.raw / delta.times, -limit, limit),
                    series=one.series / delta.times,
                )
                for one in uncut
            ]
            rows = rows_of(scored, len(table.strata))
            here = {"delta": delta, "clip": clip, "scaling": scaling}
            named = [{**reading._asdict(), **here} for reading in readings]
            chosen = np.array([[choices[axis].index(one[axis]) for axis in AXES] for one in named])
            verdicts = np.stack(redecide(decision, judged.case, rows, same, constants), axis=1)
            tested = np.stack([row.x[:, part] for part, row in zip(parts, rows, strict=True)], axis=1) * delta.times
            pieces.append((chosen, verdicts, tested, raw))
            digests.append(pd.DataFrame({number: _digests(row, delta.name) for number, row in enumerate(rows)}))
    chosen, verdicts, tested, raw = (np.concatenate(each) for each in zip(*pieces, strict=True))
    if verdicts[0].tolist() != registered:
        problem = f"claim {claim.id}: the effects are not those of these runs"
        raise UserError(problem, fix="make both again: snakemake --cores all")
    whole = verdicts[:, 0].astype(np.int64)
    if claim.situations:
        situations = verdicts[:, 1:] if len(registered) > 1 else verdicts
        codes = headline(situations.T, registration.situations.share)
        whole = np.array([WORDS.index(HEADLINES[code]) for code in codes])
    told = pd.concat(digests, ignore_index=True)
    there = (told != NOTHING).to_numpy()
    counts = np.stack([~told[number].duplicated() for number in told], axis=1) & there
    listed = ~told.duplicated().to_numpy() & there.any(axis=1)
    counts[0] = listed[0] = True  # what is registered is a specification, whatever came of it
    return Tried(chosen, verdicts, whole, counts, listed, parts, tested, raw)


def _scores(
    found: WideEffects, part: PartTable, place: NDArray[np.intp], datasets: int, constants: Constants
) -> Scores:
    """Uncut scores of one part, (V, K, S), in units of the registered delta; place: of its datasets among all K.

    One stratum after another: an array over all strata, arms and levels at once would be nearly empty.
    """
    shape = (len(found.theta), datasets, part.shape[1])
    raw, active, series = np.full(shape, np.nan), np.full(shape, np.nan), np.full((*shape, part.shape[-1]), np.nan)
    for stratum in np.unique(part.index[1]):
        own = part.index[1] == stratum
        dataset, _, *axes, seed = (index[own] for index in part.index)
        (arms, arm), (levels, level) = (np.unique(index, return_inverse=True) for index in axes)
        narrow = replace(
            part,
            rows=part.rows[own],
            position=part.position[own],
            index=(dataset, np.zeros_like(dataset), arm, level, seed),
            delta=part.delta[own],
            shape=(part.shape[0], 1, len(arms), len(levels), part.shape[-1]),
        )
        usable = found.usable[:, narrow.position]
        u, acted = (
            narrow.arrange(np.where(usable, values[:, narrow.position], np.nan) / unit)
            for values, unit in ((found.theta, narrow.delta), (found.active, 1.0))
        )
        one = scores(u, acted, narrow.planned, constants)
        for into, values in ((raw, one.raw), (active, one.active), (series, one.series)):
            into[:, place, stratum] = values[:, :, 0]
    return Scores(raw, raw, series, active, np.zeros((*shape, 0, 0), dtype=bool))


def _digests(row: ScoredRow, delta: str) -> list[bytes]:
    """Of each specification a digest of its scores of a row; NOTHING where a part of it has no number."""
    told = [np.ascontiguousarray(values) + 0.0 for values in (row.x, row.z, row.active)]  # -0.0 is 0.0
    found = []
    for study, there in enumerate(np.atleast_1d(np.isfinite(row.x).any(axis=-1).all(axis=-1))):
        digest = hashlib.blake2b(delta.encode(), digest_size=16)
        for values in told if there else ():
            digest.update(values[study].tobytes())
        found.append(digest.digest() if there else NOTHING)
    return found


def _entry(judged: Judged, tried: Tried, constants: Constants) -> dict[str, Any]:
    """What is published of one claim: its counts, its rows, and every specification, in columns."""
    claim, listed = judged.claim, tried.listed
    entry: dict[str, Any] = {
        "id": claim.id,
        **_counts(tried.whole[listed if claim.situations else tried.counts[:, 0]]),
        "rows": [_row(judged, tried, number, constants) for number in range(len(judged.row_names))],
        "specifications": {
            "choices": _digits(tried.chosen[listed]),
            "verdict": "".join(_digits(tried.whole[listed, None])),
            "rows": _digits(tried.rows[listed]),
            "counts": _digits(tried.counts[listed]),
        },
    }
    if not claim.situations:  # the row "all" of situations is a record, and no estimate for anybody
        over = average(tried.raw[listed, 0])
        entry["specifications"] |= {
            name: [_short(x) for x in getattr(over, field)]
            for name, field in (("estimate", "mean"), ("ci_low", "ci_low"), ("ci_high", "ci_high"))
        }
    return entry


def _row(judged: Judged, tried: Tried, number: int, constants: Constants) -> dict[str, Any]:
    """One row of a claim: how many specifications agree, their estimates, the joint test, the shares of the axes."""
    name, own = judged.row_names[number], tried.counts[:, number]
    estimates = moments(tried.raw[own, number])[1]
    k, tested, _ = moments(tried.tested[:, number])
    found: dict[str, Any] = {
        "row": name,
        "part": judged.claim.parts[tried.parts[number]].id,
        **_counts(tried.rows[own, number]),
        "estimates": [],
        "joint": {},
        "variance": {},
    }
    if k[own].max() >= constants.k_min:
        signs = sign_flips(tried.tested.shape[-1], judged.claim.id, name)
        joint = joint_test(tried.tested[own, number], signs, constants.alpha, constants.k_min)
        shares = variance_shares(tested[k > 0], tried.chosen[k > 0], AXES)
        found |= {
            "estimates": [_short(float(x)) for x in np.nanquantile(estimates, (0, 0.5, 1))],
            "joint": {**{key: _short(value) for key, value in joint.items()}, "datasets": joint["datasets"]},
            "variance": {key: round(value, DIGITS) for key, value in shares.items()},
        }
    return found


def _counts(codes: NDArray[Any]) -> dict[str, Any]:
    """The registered verdict, which is the first, and how many have the same."""
    verdicts = [WORDS[code] for code in codes]
    counts = Counter(verdicts)
    same, of, told = counts[verdicts[0]], len(verdicts), dict(sorted(counts.items()))
    return {"verdict": verdicts[0], "same": same, "of": of, "share": same / of, "verdicts": told}


def _digits(codes: NDArray[Any]) -> list[str]:
    """Each row of `codes` (n, m) as m hexadecimal digits."""
    return ["".join(f"{code:x}" for code in row) for row in codes.astype(int).tolist()]


def _short(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
