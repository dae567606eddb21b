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

from l2audit.effects.grid import Array, Mask, mean_where, moments
from l2audit.seeds import generator

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
    alpha is below 1/2. Two masks (..., K). A dataset with fewer than two seeds is never decisive, but counts in `size`.
    """
    n, mean, sd = moments(series)
    enough = n > 1
    se = np.maximum(np.where(enough, sd, 1.0) / np.sqrt(np.maximum(n, 2)), FLOOR)
    found = []
    for side in (1.0, -1.0):
        t = np.where(enough, (side * mean - 1) / se, -1.0)
        p = np.ones(t.shape)  # of a mean on the wrong side p is above 1/2, and never decisive: it need not be known
        beyond = t > 0
        p[beyond] = special.stdtr(n[beyond] - 1, -t[beyond])
        found.append(holm(p, size) <= alpha)
    above, below = found
    return above, below


def between_datasets(scored: Array, series: Array) -> Array:
    """tau: SD of the true scores over datasets, by the method of moments (Hedges 1983).

    tau^2 is var(y) minus the mean over datasets of var(seeds)/n, at least 0. The form is unweighted, as the mean beside
    it is; that of DerSimonian and Laird is not.

    scored: (..., K); series: (..., K, R), one value a seed; NaN where a dataset is out, or for fewer than two datasets.
    """
    return np.sqrt(_spread(scored, series).tau2)


class _Spread(NamedTuple):
    """Of scores over datasets: moments, and the degrees of freedom of the two variances.

    noise: the mean over datasets of the variance that a score has from its seeds.
    """

    k: NDArray[np.int64]
    mean: Array
    variance: Array
    noise: Array
    tau2: Array
    freedom: Array
    noise_freedom: Array


def _spread(scored: Array, series: Array) -> _Spread:
    """The moments of a normal random effects model: score = mean + effect of the dataset + noise of its seeds.

    Datasets differ in noise, so the variance of the scores has fewer degrees of freedom than K - 1: those of
    Satterthwaite (1946), or those that the sample's fourth moment gives where they are fewer (Box 1953), as where some
    datasets lie far out. A dataset with one seed counts as without noise.
    """
    k, mean, sd = moments(scored)
    n, _, seed_sd = moments(series)
    used = np.isfinite(scored)
    known = used & (n > 1)
    own: Array = np.where(known, np.where(known, seed_sd, 0.0) ** 2 / np.maximum(n, 1), 0.0)
    variance, noise = sd**2, mean_where(own, used)
    tau2 = np.maximum(0.0, variance - noise)
    # The square of an estimated variance is too large on average, by (n + 1) / (n - 1).
    squares = np.maximum(mean_where(np.asarray(own**2 * (n - 1) / (n + 1), dtype=np.float64), used), noise**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = tau2 + noise
        by_noise = (k - 1) * total**2 / (tau2**2 + 2 * tau2 * noise + squares)
        centred = np.where(used, scored - mean[..., None], 0.0)
        excess = (centred**4).sum(axis=-1) / k / variance**2 - (k - 3) / (k - 1)
        by_sample = np.where(excess > 0, 2 * k / excess, np.inf)
        freedom = np.clip(np.fmin(by_noise, by_sample), 2.0, np.maximum(k - 1, 2))
        seeds = np.maximum(mean_where(np.asarray(n - 1, dtype=np.float64), known), 1.0)
        noise_freedom = np.where(noise > 0, k * seeds * noise**2 / squares, 1.0)
    return _Spread(k, mean, variance, noise, tau2, freedom, noise_freedom)


class Beyond(NamedTuple):
    """Shares of datasets with a true effect above +1 and below -1, in [0, 1], each with its 95 % interval."""

    above: Array
    above_low: Array
    above_high: Array
    below: Array
    below_low: Array
    below_high: Array


DRAWS = 999
"""Of the interval of a share of datasets."""


def share_beyond(scored: Array, series: Array, level: float = 0.95) -> Beyond:
    """The share of datasets whose true effect is beyond the smallest that counts, under normal random effects.

    Above: Phi((mean - 1) / tau); below: Phi((-1 - mean) / tau). Where tau is 0 all datasets have one effect, and a
    share is 0 or 1 (1/2 on the boundary). The interval is that of a generalized pivotal quantity (Weerahandi 1993), a
    parametric bootstrap: variances are drawn from their chi-squared distributions and the mean given the variance,
    always with the same draws. It held its level for 11 to 90 datasets, and intervals by resampling datasets did not
    (docs/statistics.md).

    scored: (..., K), not cut; series: (..., K, R), one value a seed; NaN where a dataset is out. All NaN for fewer than
    three datasets.
    """
    one = _spread(scored, series)
    rng = generator("share of datasets")
    normal, *uniform = rng.standard_normal(DRAWS), rng.random(DRAWS), rng.random(DRAWS)

    def drawn(value: Array, freedom: Array, u: Array) -> Array:
        half = freedom[..., None] / 2
        return np.asarray(value[..., None] * half / special.gammaincinv(half, u))

    enough = one.k >= 3
    variance, noise = (np.where(enough, value, 1.0) for value in (one.variance, one.noise))
    total = drawn(variance, one.freedom, uniform[0])
    tau = np.sqrt(np.maximum(0.0, total - drawn(noise, one.noise_freedom, uniform[1])))
    mean = one.mean[..., None] + normal * np.sqrt(total / np.maximum(one.k, 1)[..., None])
    found = []
    for side in (1, -1):
        ends = np.quantile(_beyond(side * mean, tau), (0.5 - level / 2, 0.5 + level / 2), axis=-1)
        found += [_beyond(side * one.mean, np.sqrt(one.tau2)), *ends]
    return Beyond(*(np.where(enough, value, np.nan) for value in found))


def _beyond(mean: Array, tau: Array) -> Array:
    """P(effect > 1) of a normal effect."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(tau > 0, (mean - 1) / tau, np.where(mean == 1, 0.0, np.copysign(np.inf, mean - 1)))
    return np.asarray(special.ndtr(z))


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
