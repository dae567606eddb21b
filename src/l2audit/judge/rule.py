"""Steps 5-8 of the rule: rows of scores to verdicts, in three Holm families, for any number of studies at once.

A *row* is (claim, "all") or (claim, stratum). Arrays lead with the axis of studies: B.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from l2audit.config import claims
from l2audit.config.claims import Constants
from l2audit.effects.grid import Array, Mask
from l2audit.judge.scores import SLACK, Scores, mean_where
from l2audit.judge.statistics import Tests, boundary_tests, decisive, holm, moments

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


@dataclass(frozen=True)
class Row:
    """Scores of one row, its J parts side by side; NaN where a dataset is out.

    x: (B, J, K) clipped scores; z: (B, J, K, R) seed series; active: (B, J, K) share in which L2 was active.
    """

    x: Array
    z: Array
    active: Array

    def take(self, studies: NDArray[np.int64]) -> Row:
        """The row in the studies of these indices (repeats allowed)."""
        return Row(self.x[studies], self.z[studies], self.active[studies])


def rows_of(parts: Sequence[Scores], strata: int) -> tuple[Row, ...]:
    """The rows of a claim from the scores of its parts, "all" first; one stratum gives no row of its own."""
    views = [[part.pooled() for part in parts]]
    views += [[part.stratum(s) for part in parts] for s in range(strata if strata > 1 else 0)]
    return tuple(
        Row(
            np.stack([view.clipped for view in row], axis=1),
            _stack_series([view.series for view in row]),
            np.stack([view.active for view in row], axis=1),
        )
        for row in views
    )


def _stack_series(series: Sequence[Array]) -> Array:
    """Stack (B, K, R) of several parts to (B, J, K, R); a part with fewer seeds is padded with NaN."""
    seeds = max(one.shape[-1] for one in series)
    widths = [[(0, 0)] * (one.ndim - 1) + [(0, seeds - one.shape[-1])] for one in series]
    return np.stack([np.pad(one, w, constant_values=np.nan) for one, w in zip(series, widths, strict=True)], axis=1)


@dataclass(frozen=True)
class Evidence:
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


def weigh(rows: Sequence[Row], constants: Constants, *, gate: bool = True) -> tuple[Evidence, ...]:
    """Step 5 for every row of one claim, "all" first; without a gate no penalty counts as inactive."""
    weighed = [_weigh(row, constants) for row in rows]
    if not gate:
        weighed = [replace(one, inactive=np.zeros_like(one.inactive)) for one in weighed]
    if len(weighed) > 1:
        # A mean over strata may hide two that cancel: "no meaningful effect" must not be said over them.
        beyond = np.any([(np.abs(one.parts.mean) > 1).any(axis=-1) for one in weighed[1:]], axis=0)
        overall = weighed[0]
        guarded = np.where(beyond, 1.0, overall.equivalent)
        weighed[0] = replace(overall, equivalent=guarded)
    return tuple(weighed)


def _weigh(row: Row, constants: Constants) -> Evidence:
    count, mean, sd = moments(row.x)
    k = count.min(axis=-1)
    tests = boundary_tests(np.where((k >= constants.k_min)[:, None], count, 0), mean, sd)
    inactive = (np.isfinite(row.x) & (row.active < 0.5)).sum(axis=-1) > 0.5 * count + SLACK
    return Evidence(
        parts=replace(tests, k=count),
        k=k,
        supported=tests.supported.max(axis=-1),
        excluded=np.minimum(1.0, row.x.shape[1] * tests.excluded.min(axis=-1)),
        reversed=tests.reversed.max(axis=-1),
        equivalent=tests.equivalent.max(axis=-1),
        inactive=inactive.any(axis=-1),
        split=_split(row, count, constants) & (k >= constants.k_min),
        judged=k >= constants.k_min,
    )


def least_share(k: NDArray[np.int64], constants: Constants) -> NDArray[np.int64]:
    """Step 8, r: the datasets needed on each side, max(2, ceil(share K))."""
    share = np.ceil(constants.dataset_share * k - SLACK)
    needed: NDArray[np.int64] = np.maximum(2, share).astype(np.int64)
    return needed


def _split(row: Row, count: NDArray[np.int64], constants: Constants) -> Mask:
    """Step 8 (b): enough datasets decisively on either side, in every part."""
    needed = least_share(count, constants)
    with np.errstate(invalid="ignore"):
        mean = moments(row.z)[1]
        hopeful = (((mean > 1).sum(-1) >= needed) & ((mean < -1).sum(-1) >= needed)).all(axis=-1)
    split: Mask = np.zeros(len(row.x), dtype=bool)
    where = np.flatnonzero(hopeful)  # a decisive dataset has its mean beyond the boundary: test only where that can be
    if len(where):
        above, below = decisive(row.z[where], count[where], constants.alpha)
        enough = (above.sum(-1) >= needed[where]) & (below.sum(-1) >= needed[where])
        split[where] = enough.all(axis=-1)
    return split


def read(evidence: Evidence, adjusted: Array, alpha: float) -> Codes:
    """Step 7: the verdict of one row from its adjusted p-values (B, 2), gate included."""
    first, second = (adjusted <= alpha).T
    first_supports = evidence.supported <= evidence.excluded
    second_reverses = evidence.reversed <= evidence.equivalent
    verdict: Codes = np.select(
        [
            ~evidence.judged,
            first & first_supports,
            second & second_reverses,
            second & ~second_reverses & first,
            first,
        ],
        [TOO_FEW, SUPPORTED, REVERSED, NEGLIGIBLE, EXCLUDED],
        INCONCLUSIVE,
    ).astype(np.int8)
    negative = np.isin(verdict, (REVERSED, NEGLIGIBLE, EXCLUDED))
    return np.where(negative & evidence.inactive, INACTIVE, verdict).astype(np.int8)


def override(readings: Sequence[Codes], evidence: Sequence[Evidence]) -> list[Codes]:
    """Step 8 for the rows of one claim: "mixed" by strata (row "all") and by datasets (any row)."""
    verdicts = [np.where(one.split, MIXED, code).astype(np.int8) for code, one in zip(readings, evidence, strict=True)]
    if len(readings) > 1:
        strata = np.stack(readings[1:])
        apart = (strata == SUPPORTED).any(axis=0) & (strata == REVERSED).any(axis=0)
        verdicts[0] = np.where(apart, MIXED, verdicts[0]).astype(np.int8)
    return verdicts


@dataclass(frozen=True)
class Case:
    """One claim before the rule: a name, its family (`claims` | `added` | `control`) and its rows, "all" first.

    gate: whether a negative verdict needs a penalty that acted.
    """

    name: str
    family: str
    rows: tuple[Row, ...]
    gate: bool = True

    def families(self) -> list[str]:
        """The Holm family of each row; a control's rows are judged alone."""
        if self.family == "claims":
            return ["claims", *["kinds"] * (len(self.rows) - 1)]
        if self.family == "control":
            return [f"control {self.name} {row}" for row in range(len(self.rows))]
        return [self.family] * len(self.rows)


@dataclass(frozen=True)
class Decision:
    """Steps 5-8 for all cases: evidence, adjusted p-values (B, 2), and codes (B,) of steps 7 and 8, each [case][row].

    `pools` holds each family's raw p-values (B, 2 x rows), `place` the index of a row in its family.
    """

    cases: tuple[Case, ...]
    evidence: tuple[tuple[Evidence, ...], ...]
    pools: dict[str, Array]
    place: tuple[tuple[int, ...], ...]
    adjusted: tuple[tuple[Array, ...], ...]
    readings: tuple[tuple[Codes, ...], ...]
    verdicts: tuple[tuple[Codes, ...], ...]

    def rows_in(self, case: int, row: int) -> int:
        """Registered rows of the family in which this row is judged."""
        return int(self.pools[self.cases[case].families()[row]].shape[-1]) // 2


def decide(cases: Sequence[Case], constants: Constants) -> Decision:
    """Steps 5-8: every row of every case, judged together in its family."""
    evidence = tuple(weigh(case.rows, constants, gate=case.gate) for case in cases)
    pairs: dict[str, list[Array]] = {}
    place = []
    for case, weighed in zip(cases, evidence, strict=True):
        here: list[int] = []
        for family, one in zip(case.families(), weighed, strict=True):
            here.append(len(pairs.setdefault(family, [])))
            pairs[family].append(one.pair)
        place.append(tuple(here))
    pools = {family: np.concatenate(found, axis=-1) for family, found in pairs.items()}
    holms = {family: holm(pool) for family, pool in pools.items()}
    adjusted, readings, verdicts = [], [], []
    for case, weighed, spots in zip(cases, evidence, place, strict=True):
        mine = [holms[family][:, 2 * i : 2 * i + 2] for family, i in zip(case.families(), spots, strict=True)]
        adjusted.append(tuple(mine))
        readings.append(tuple(read(one, p, constants.alpha) for one, p in zip(weighed, mine, strict=True)))
        verdicts.append(tuple(override(readings[-1], weighed)))
    return Decision(tuple(cases), evidence, pools, tuple(place), tuple(adjusted), tuple(readings), tuple(verdicts))


def redecide(
    decision: Decision, case: int, rows: Sequence[Row], studies: NDArray[np.int64], constants: Constants
) -> list[Codes]:
    """Verdicts of one case had its rows been `rows`, each row changed alone, everything else in its family as it was.

    `studies` (B',) says which study each entry of `rows` is a variant of. Used for the labels of step 9.
    """
    weighed = weigh(rows, constants, gate=decision.cases[case].gate)
    readings = []
    for family, i, one in zip(decision.cases[case].families(), decision.place[case], weighed, strict=True):
        pool = decision.pools[family][studies]
        pool[:, 2 * i : 2 * i + 2] = one.pair
        readings.append(read(one, holm(pool)[:, 2 * i : 2 * i + 2], constants.alpha))
    return override(readings, weighed)


def alone(evidence: Evidence, alpha: float) -> Codes:
    """What the two-sided (1 - alpha) interval by itself would say: each p-value against alpha / 2, no family."""
    return read(evidence, evidence.pair * 2, alpha)


def without_each(rows: Sequence[Row]) -> tuple[list[Row], NDArray[np.int64]]:
    """Leave-one-dataset-out variants of a claim's rows, B x K (dataset fastest), and the study of each."""
    studies, k = rows[0].x.shape[0], rows[0].x.shape[-1]
    index = np.repeat(np.arange(studies), k)
    gone = np.tile(np.eye(k, dtype=bool), (studies, 1))[:, None, :]
    variants = []
    for row in rows:
        taken = row.take(index)
        x, active = np.where(gone, np.nan, taken.x), np.where(gone, np.nan, taken.active)
        variants.append(Row(x, np.where(gone[..., None], np.nan, taken.z), active))
    return variants, index


def rests_on(decision: Decision, case: int, constants: Constants) -> list[Mask]:
    """Per row (B, K): leaving this dataset out changes the verdict of the row.

    The least number of datasets is lowered by one: at exactly k_min every dataset would otherwise be "decisive".
    """
    rows = decision.cases[case].rows
    variants, index = without_each(rows)
    lowered = replace(constants, k_min=constants.k_min - 1)
    found = []
    for row, base, code in zip(
        rows, decision.verdicts[case], redecide(decision, case, variants, index, lowered), strict=True
    ):
        changed = (code != base[index]).reshape(len(base), row.x.shape[-1])
        found.append(changed & np.isfinite(row.x).any(axis=1) & (base != TOO_FEW)[:, None])
    return found


def with_zeros(rows: Sequence[Row], parts: Sequence[Scores], planned: Sequence[Mask]) -> tuple[Row, ...]:
    """A claim's rows had every dataset that is planned but out scored 0, without seeds. planned: per part (K, S)."""
    filled = np.stack(
        [
            np.where(wanted & ~np.isfinite(part.clipped), 0.0, part.clipped)
            for part, wanted in zip(parts, planned, strict=True)
        ],
        axis=1,
    )
    scored = [mean_where(filled, np.isfinite(filled)), *np.moveaxis(filled, -1, 0)]
    return tuple(Row(x, row.z, row.active) for x, row in zip(scored, rows, strict=False))


def sooner(evidence: Evidence, rows: int, alpha: float, most: int = claims.MOST_DATASETS) -> int | None:
    """Datasets at which step 5 would decide at the first Holm step, means and spreads as they are; None: over `most`.

    One study (B = 1). Both p-values of "supported" and "excluded" fall with K, so the least K is found by bisection.
    """
    parts = evidence.parts

    def decides(k: int) -> bool:
        tests = boundary_tests(np.full(parts.mean.shape, k), parts.mean, parts.sd)
        excluded = parts.mean.shape[-1] * tests.excluded.min()
        return bool(min(tests.supported.max(), excluded) <= alpha / (2 * rows))

    low, high = int(evidence.k[0]), most
    if not math.isfinite(float(parts.mean.sum())) or not decides(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high
