"""Step 5 of the rule and the figures reported beside it. Scores are in units of delta, so the boundaries are +-1.

`scipy.special.stdtr` is the distribution function of Student's t: what `scipy.stats.t.cdf` calls, without its overhead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from l2audit.effects.grid import Array, Mask, moments

FLOOR = 1e-9
"""Least standard error: identical scores give p = 0 or 1, and a mean exactly on a boundary gives 0.5."""


@dataclass(frozen=True)
class Tests:
    """One-sided t tests of the mean of K scores against +-1; every field has the leading shape of the scores.

    With a = (m - 1) / se and b = (m + 1) / se:
    supported is P(T > a).  excluded is P(T < a).
    reversed is P(T < b).   above is P(T > b).
    p-values are 1 where K < 2, and where the caller's least number of datasets is not reached.
    """

    k: NDArray[np.int64]
    mean: Array
    sd: Array
    supported: Array
    excluded: Array
    reversed: Array
    above: Array

    @property
    def equivalent(self) -> Array:
        """The p-value of "smaller than delta either way": the larger of two one-sided tests (Schuirmann 1987)."""
        larger: Array = np.maximum(self.excluded, self.above)
        return larger


def boundary_tests(k: NDArray[np.int64], mean: Array, sd: Array, k_min: int = 2) -> Tests:
    """The four one-sided p-values of step 5 from count, mean and standard deviation."""
    enough = k >= max(k_min, 2)
    size = np.where(enough, k, 2)
    se = np.maximum(np.where(enough, sd, 1.0) / np.sqrt(size), FLOOR)
    centre = np.where(enough, mean, 0.0)
    upper, lower = (centre - 1) / se, (centre + 1) / se

    def tail(t: Array) -> Array:
        return np.where(enough, special.stdtr(size - 1, t), 1.0)

    return Tests(k, mean, sd, supported=tail(-upper), excluded=tail(upper), reversed=tail(lower), above=tail(-lower))


class Average(NamedTuple):
    """Of k values: mean, SD, 95 % t interval of the mean, and 95 % prediction interval of one further value.

    Numbers or arrays, one entry a list of values; NaN where there are fewer than two.
    """

    k: Any
    mean: Any
    sd: Any
    ci_low: Any
    ci_high: Any
    prediction_low: Any
    prediction_high: Any

    @property
    def intervals(self) -> dict[str, Any]:
        """The ends of both intervals by name."""
        return dict(list(self._asdict().items())[3:])


def average(x: Array) -> Average:
    """The average of the finite entries on the last axis."""
    k, mean, sd = (np.asarray(value)[()] for value in moments(x))
    spread = special.stdtrit(np.maximum(k - 1, 1), 0.975) * sd  # sd is NaN for fewer than two
    half, ahead = spread / np.sqrt(np.maximum(k, 1)), spread * np.sqrt(1 + 1 / np.maximum(k, 1))
    return Average(k, mean, sd, mean - half, mean + half, mean - ahead, mean + ahead)


def holm(p: Array, size: NDArray[np.int64] | int | None = None) -> Array:
    """Holm-adjusted p-values over the last axis (Holm 1979); `size` is the number of hypotheses, the axis if None."""
    order = np.argsort(p, axis=-1, kind="stable")
    total = np.asarray(p.shape[-1] if size is None else size)[..., None]
    factor = np.maximum(total - np.arange(p.shape[-1]), 1)
    stepped = np.minimum(np.maximum.accumulate(np.take_along_axis(p, order, -1) * factor, axis=-1), 1.0)
    adjusted: Array = np.empty_like(stepped)
    np.put_along_axis(adjusted, order, stepped, axis=-1)
    return adjusted


def decisive(series: Array, size: NDArray[np.int64], alpha: float) -> tuple[Mask, Mask]:
    """Datasets decisively above +1 and below -1: one-sided t over seeds, Holm over the datasets of the row, per side.

    series: (..., K, R), NaN where a dataset is out or a seed is missing; size: (...), the datasets of the row.
    Returns two masks (..., K). A dataset with fewer than two seeds is never decisive, but counts in `size`.
    """
    tests = boundary_tests(*moments(series))
    return holm(tests.supported, size) <= alpha, holm(tests.reversed, size) <= alpha


def between_datasets(scored: Array, series: Array) -> float:
    """tau: SD of the true scores over datasets, by the method of moments (Hedges 1983).

    tau^2 is var(x) minus the mean over datasets of var(seeds)/n, at least 0. The form is unweighted, as the judged mean
    is; that of DerSimonian and Laird is not.
    scored: (K,); series: (K, R), as from `Scores.settled`. NaN for fewer than two datasets.
    """
    k, _, sd = moments(scored)
    if k < 2:
        return math.nan
    n, _, noise = moments(series)
    usable = n > 1
    variance = np.where(usable, np.where(usable, noise, 0.0) ** 2 / np.maximum(n, 1), 0.0)
    return math.sqrt(max(0.0, float(sd) ** 2 - float(variance[np.isfinite(scored)].mean())))


def detectable_factor(k: int, alpha: float, power: float = 0.90) -> float:
    """(|mu| - delta) / SD of scores that a one-sided level-`alpha` t test over `k` datasets finds with `power`.

    Solved on the noncentral t distribution; for a family of n rows the first Holm step has alpha / (2 n).
    """
    if k < 2:
        return math.inf
    critical = float(special.stdtrit(k - 1, 1 - alpha))

    def shortfall(effect: float) -> float:
        return float(stats.nct.sf(critical, k - 1, effect * math.sqrt(k))) - power

    upper = 1.0
    while shortfall(upper) < 0:
        upper *= 2
    return float(optimize.brentq(shortfall, 0.0, upper, xtol=1e-10))


def detectable_effect(k: int, sd: float, rows: int, alpha: float = 0.05, power: float = 0.90) -> float:
    """Minimum detectable mean score, in units of delta, at the first Holm step of a family of `rows` rows.

    `sd`: SD of scores over datasets; before a study, a guess of sqrt(tau^2 + s^2/n). The worst case: later Holm steps
    need less.
    """
    return 1.0 + float(detectable_factor(k, alpha / (2 * rows), power)) * sd


def missed_share(k: int, confidence: float = 0.95) -> float:
    """Share of datasets of which `k` draws may all have missed: 1 - (1 - confidence)^(1/k)."""
    return 1 - float((1 - confidence) ** (1 / k))
