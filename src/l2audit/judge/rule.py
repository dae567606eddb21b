"""Steps 5-8 of the rule: rows of scores to verdicts, in Holm families, for any number of studies at once.

A *row* is (claim, "all") or (claim, stratum); a stratum may be a situation, one kind of contamination under one arm.
Arrays lead with the axis of studies: B. `headline` makes one verdict of the situations of a claim.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from l2audit.config import claims
from l2audit.config.claims import Claim, Constants
from l2audit.effects.grid import Array, Mask, mean_where, moments
from l2audit.judge.scores import SLACK, Scores
from l2audit.judge.statistics import FLOOR, Tests, boundary_tests, decisive, holm

Codes = NDArray[np.int8]

VERDICT_CODES = (
    claims.INCONCLUSIVE,
    claims.SUPPORTED,
    claims.REVERSED,
    claims.NEGLIGIBLE,
    claims.EXCLUDED,
    claims.MIXED,
    claims.INACTIVE,
    claims.TOO_FEW,
)
INCONCLUSIVE, SUPPORTED, REVERSED, NEGLIGIBLE, EXCLUDED, MIXED, INACTIVE, TOO_FEW = range(len(VERDICT_CODES))
NEGATIVE = (REVERSED, NEGLIGIBLE, EXCLUDED)
"""The verdicts that speak against a claim."""

HEADLINES = (claims.OPEN, claims.DEPENDS, claims.REFUTED, claims.SUPPORTED, claims.TOO_FEW)
"""Verdicts of a claim that is judged in situations; `headline` returns places in this tuple."""


@dataclass(frozen=True)
class ScoredRow:
    """Scores of one row, its J parts side by side; NaN where a dataset is out.

    x: (B, J, K) clipped scores; z: (B, J, K, R) seed series; active: (B, J, K) share in which L2 was active.
    """

    x: Array
    z: Array
    active: Array


def rows_of(parts: Sequence[Scores], strata: int) -> tuple[ScoredRow, ...]:
    """The rows of a claim from the scores of its parts, "all" first; one stratum gives no row of its own."""
    seeds = max(part.series.shape[-1] for part in parts)

    def padded(series: Array) -> Array:  # a part with fewer seeds than another
        widths = [(0, 0)] * (series.ndim - 1) + [(0, seeds - series.shape[-1])]
        return np.pad(series, widths, constant_values=np.nan)

    rows = []
    for number in range(strata + 1 if strata > 1 else 1):
        views = [part.row(number) for part in parts]
        x, active = (np.stack([getattr(view, name) for view in views], axis=1) for name in ("clipped", "active"))
        rows.append(ScoredRow(x, np.stack([padded(view.series) for view in views], axis=1), active))
    return tuple(rows)


@dataclass(frozen=True)
class RowTests:
    """Step 5 of one row: p-values of the conjunction and what steps 7 and 8 need. All (B,) except `parts` (B, J)."""

    parts: Tests
    k: NDArray[np.int64]
    supported: Array
    excluded: Array
    reversed: Array
    equivalent: Array
    inactive: Mask
    split: Mask
    judged: Mask

    @property
    def pair(self) -> Array:
        """(B, 2): the two p-values with which the row enters Holm."""
        first = np.minimum(self.supported, self.excluded)
        return np.stack([first, np.minimum(self.reversed, self.equivalent)], axis=-1)


def weigh(rows: Sequence[ScoredRow], constants: Constants, *, gate: bool = True) -> tuple[RowTests, ...]:
    """Step 5 for every row of one claim, "all" first; without a gate no penalty counts as inactive."""
    weighed = []
    for row in rows:
        count, mean, sd = moments(row.x)
        k = count.min(axis=-1)
        judged = k >= constants.k_min
        tests = replace(boundary_tests(np.where(judged[:, None], count, 0), mean, sd), k=count)
        asleep = (np.isfinite(row.x) & (row.active < 0.5)).sum(axis=-1) > 0.5 * count + SLACK
        weighed.append(
            RowTests(
                parts=tests,
                k=k,
                supported=tests.supported.max(axis=-1),
                excluded=np.minimum(1.0, row.x.shape[1] * tests.excluded.min(axis=-1)),
                reversed=tests.reversed.max(axis=-1),
                equivalent=tests.equivalent.max(axis=-1),
                inactive=asleep.any(axis=-1) & gate,
                split=_split(row, count, constants) & judged,
                judged=judged,
            )
        )
    if len(weighed) > 1:
        # A mean over strata may hide two that cancel: "no meaningful effect" must not be said over them.
        beyond = np.any([(np.abs(one.parts.mean) > 1).any(axis=-1) for one in weighed[1:]], axis=0)
        weighed[0] = replace(weighed[0], equivalent=np.where(beyond, 1.0, weighed[0].equivalent))
    return tuple(weighed)


def _split(row: ScoredRow, count: NDArray[np.int64], constants: Constants) -> Mask:
    """Step 8 b: in every part, 2 datasets or more, and the registered share of K, are decisively on either side."""
    needed = np.maximum(2, np.ceil(constants.dataset_share * count - SLACK))
    mean = moments(row.z)[1]
    hopeful = (((mean > 1).sum(-1) >= needed) & ((mean < -1).sum(-1) >= needed)).all(axis=-1)
    split: Mask = np.zeros(len(row.x), dtype=bool)
    where = np.flatnonzero(hopeful)  # a decisive dataset has its mean beyond the boundary: test only where that can be
    if len(where):
        above, below = decisive(row.z[where], count[where], constants.alpha)
        enough = (above.sum(-1) >= needed[where]) & (below.sum(-1) >= needed[where])
        split[where] = enough.all(axis=-1)
    return split


def read(tests: RowTests, adjusted: Array, alpha: float) -> Codes:
    """Step 7: the verdict of one row from its adjusted p-values (B, 2), gate included."""
    first, second = (adjusted <= alpha).T
    supports, reverses = tests.supported <= tests.excluded, tests.reversed <= tests.equivalent
    verdict = np.select(
        [~tests.judged, first & supports, second & reverses, second & first, first],
        [TOO_FEW, SUPPORTED, REVERSED, NEGLIGIBLE, EXCLUDED],
        INCONCLUSIVE,
    )
    negative = np.isin(verdict, NEGATIVE)
    return np.where(negative & tests.inactive, INACTIVE, verdict).astype(np.int8)


def override(readings: Sequence[Codes], tests: Sequence[RowTests]) -> list[Codes]:
    """Step 8 for the rows of one claim: "mixed" by strata (row "all") and by datasets (any row)."""
    mixed = np.array([one.split for one in tests])
    if len(readings) > 1:
        strata = np.stack(readings[1:])
        mixed[0] |= (strata == SUPPORTED).any(axis=0) & (strata == REVERSED).any(axis=0)
    return list(np.where(mixed, MIXED, readings).astype(np.int8))


@dataclass(frozen=True)
class Tally:
    """Situations of a claim, counted, each (B,): judged (with enough datasets), supported, reversed, negative."""

    judged: NDArray[np.int64]
    supported: NDArray[np.int64]
    reversed: NDArray[np.int64]
    negative: NDArray[np.int64]

    @classmethod
    def of(cls, codes: Codes) -> Tally:
        """codes: (S, B), the verdicts of S situations."""
        sets = ([TOO_FEW], [SUPPORTED], [REVERSED], NEGATIVE)
        few, supported, reverse, negative = (np.isin(codes, some).sum(axis=0) for some in sets)
        return cls(len(codes) - few, supported, reverse, negative)


def headline(codes: Codes, share: float) -> Codes:
    """The verdict of a claim from those of its situations: (S, B) to (B,), places in `HEADLINES`.

    depends     One situation is supported and another one reversed.
    refuted     None is supported, and at least `share` of the judged ones are negative (see `NEGATIVE`).
    supported   None is negative, and at least `share` of the judged ones are supported.
    open        Anything else. Without any judged situation: too few datasets.

    "mixed", "inconclusive" and "inconclusive (L2 inactive)" count as judged, and for neither side.
    """
    found = Tally.of(codes)
    needed = share * found.judged - SLACK
    named = {name: code for code, name in enumerate(HEADLINES)}
    verdict = np.select(
        [
            found.judged == 0,
            (found.supported > 0) & (found.reversed > 0),
            (found.supported == 0) & (found.negative >= needed),
            (found.negative == 0) & (found.supported >= needed),
        ],
        [named[word] for word in (claims.TOO_FEW, claims.DEPENDS, claims.REFUTED, claims.SUPPORTED)],
        named[claims.OPEN],
    )
    return np.asarray(verdict, dtype=np.int8)


MOST_SHIFT = 30.0
"""Distances from a boundary beyond so many SD count as that many: five datasets then decide for certain."""

RECORD = "record"
"""Begins the name of the family of a row that is judged alone because it is kept for the record."""


def families_of(claim: Claim) -> list[str]:
    """The Holm family of each row of a claim, "all" first.

    The rows of a control are judged alone. So is the row "all" of a claim in situations: it is a record. Rows of strata
    share the error rate of the claim's `multiplicity`; without one, situations share that of the claim's family, and
    the strata of the thread's claims have one of their own, "kinds".
    """
    rows = 1 + (len(claim.strata) if len(claim.strata) > 1 else 0)
    if claim.family == "control":
        return [f"control {claim.id} {row}" for row in range(rows)]
    if rows == 1:
        return [claim.multiplicity or claim.family]
    usual = "kinds" if claim.family == "claims" and not claim.situations else claim.family
    overall = f"{RECORD} {claim.id}" if claim.situations else claim.family
    return [overall, *[claim.multiplicity or usual] * (rows - 1)]


@dataclass(frozen=True)
class Case:
    """One claim before the rule: its rows, "all" first, and the Holm family of each, as from `families_of`.

    gate: whether a negative verdict needs a penalty that acted.
    """

    rows: tuple[ScoredRow, ...]
    families: tuple[str, ...]
    gate: bool = True


@dataclass(frozen=True)
class Decision:
    """Steps 5-8 for all cases: tests, adjusted p-values (B, 2), and codes (B,) of steps 7 and 8, each [case][row].

    `pools` holds each family's raw p-values (B, 2 x rows), `place` the family of a row and its two columns there.
    """

    cases: tuple[Case, ...]
    tests: tuple[tuple[RowTests, ...], ...]
    pools: dict[str, Array]
    place: tuple[tuple[tuple[str, slice], ...], ...]
    adjusted: tuple[tuple[Array, ...], ...]
    readings: tuple[tuple[Codes, ...], ...]
    verdicts: tuple[tuple[Codes, ...], ...]

    def rows_in(self, case: int, row: int) -> int:
        """Registered rows of the family in which this row is judged."""
        return int(self.pools[self.place[case][row][0]].shape[-1]) // 2


def decide(cases: Sequence[Case], constants: Constants) -> Decision:
    """Steps 5-8: every row of every case, judged together in its family."""
    tests = tuple(weigh(case.rows, constants, gate=case.gate) for case in cases)
    pairs: dict[str, list[Array]] = {}
    place = []
    for case, weighed in zip(cases, tests, strict=True):
        here = []
        for family, one in zip(case.families, weighed, strict=True):
            pool = pairs.setdefault(family, [])
            here.append((family, slice(2 * len(pool), 2 * len(pool) + 2)))
            pool.append(one.pair)
        place.append(tuple(here))
    pools = {family: np.concatenate(found, axis=-1) for family, found in pairs.items()}
    holms = {family: holm(pool) for family, pool in pools.items()}
    adjusted, readings, verdicts = [], [], []
    for weighed, places in zip(tests, place, strict=True):
        adjusted.append(tuple(holms[family][:, columns] for family, columns in places))
        readings.append(tuple(read(one, p, constants.alpha) for one, p in zip(weighed, adjusted[-1], strict=True)))
        verdicts.append(tuple(override(readings[-1], weighed)))
    return Decision(tuple(cases), tests, pools, tuple(place), tuple(adjusted), tuple(readings), tuple(verdicts))


def redecide(
    decision: Decision, case: int, rows: Sequence[ScoredRow], studies: NDArray[np.int64], constants: Constants
) -> list[Codes]:
    """Verdicts of one case had its rows been `rows`, each row changed alone, everything else in its family as it was.

    `studies` (B',) says which study each entry of `rows` is a variant of. Used for the labels of step 9.
    """
    weighed = weigh(rows, constants, gate=decision.cases[case].gate)
    readings = []
    for (family, columns), one in zip(decision.place[case], weighed, strict=True):
        pool = decision.pools[family][studies]
        pool[:, columns] = one.pair
        readings.append(read(one, holm(pool)[:, columns], constants.alpha))
    return override(readings, weighed)


def alone(tests: RowTests, alpha: float) -> Codes:
    """What the two-sided (1 - alpha) interval by itself would say: each p-value against alpha / 2, no family."""
    return read(tests, tests.pair * 2, alpha)


def rests_on(decision: Decision, case: int, constants: Constants) -> list[Mask]:
    """Per row (B, K): leaving this dataset out changes the verdict of the row.

    The least number of datasets is lowered by one: at exactly k_min every dataset would otherwise be "decisive".
    """
    rows = decision.cases[case].rows
    studies, _, k = rows[0].x.shape
    index = np.repeat(np.arange(studies), k)  # a variant for each dataset that is left out, dataset fastest
    gone = np.tile(np.eye(k, dtype=bool), (studies, 1))[:, None, :]
    variants = [
        ScoredRow(
            np.where(gone, np.nan, row.x[index]),
            np.where(gone[..., None], np.nan, row.z[index]),
            np.where(gone, np.nan, row.active[index]),
        )
        for row in rows
    ]
    changed = redecide(decision, case, variants, index, replace(constants, k_min=constants.k_min - 1))
    return [
        (code != base[index]).reshape(studies, k) & np.isfinite(row.x).any(axis=1) & (base != TOO_FEW)[:, None]
        for row, base, code in zip(rows, decision.verdicts[case], changed, strict=True)
    ]


def with_zeros(rows: Sequence[ScoredRow], parts: Sequence[Scores], planned: Sequence[Mask]) -> tuple[ScoredRow, ...]:
    """A claim's rows had every dataset that is planned but out scored 0, without seeds. planned: per part (K, S)."""
    filled = np.stack(
        [
            np.where(wanted & ~np.isfinite(part.clipped), 0.0, part.clipped)
            for part, wanted in zip(parts, planned, strict=True)
        ],
        axis=1,
    )
    scored = [mean_where(filled, np.isfinite(filled)), *np.moveaxis(filled, -1, 0)]
    return tuple(replace(row, x=x) for x, row in zip(scored, rows, strict=False))


def settling(
    tests: RowTests, rows: int, alpha: float, power: float = 0.90, most: int = claims.MOST_DATASETS
) -> int | None:
    """Datasets at which step 5 would decide with `power`, were the mean and SD of the scores the true ones.

    At the first Holm step of a family of `rows` rows. None: over `most`. A conjunction of J parts is supported by all
    (at least 1 less the sum of what each part lacks), or excluded by the best one at a J-th of the level. One study.
    """
    parts = tests.parts
    mean, sd, level = parts.mean[0], np.maximum(parts.sd[0], FLOOR), alpha / (2 * rows)
    shift = np.clip((mean - 1) / sd, -MOST_SHIFT, MOST_SHIFT)

    def enough(k: int) -> bool:
        above, below = -special.stdtrit(k - 1, level), special.stdtrit(k - 1, level / len(mean))
        missed, excluded = (
            np.nan_to_num(special.nctdtr(k - 1, shift * np.sqrt(k), t)) for t in (above, below)
        )  # not a number in the far tail alone, where the probability is 0
        return bool(1 - missed.sum() >= power or excluded.max() >= power)

    sizes = range(int(tests.k[0]) + 1, most + 1)
    place = bisect.bisect_left(sizes, True, key=enough)  # the power of both rises with the number of datasets
    return sizes[place] if place < len(sizes) else None
