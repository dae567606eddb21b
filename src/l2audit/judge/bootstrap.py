"""Two bootstraps of the judged mean: checks that are printed beside the t interval and never decide.

Both under-cover for few datasets (the two-level one errs up to ten times its nominal rate at K = 6), which is why the
judge does not use them. Randomness comes from a generator that the caller passes, so the intervals are byte-stable.
"""

from __future__ import annotations

import numpy as np

from l2audit.effects.grid import Array, Mask
from l2audit.judge.scores import mean_where

RESAMPLES = 1000


def intervals(
    series: Array, clip: float, rng: np.random.Generator, resamples: int = RESAMPLES
) -> tuple[tuple[float, float], tuple[float, float]]:
    """95 % percentile intervals (fixed datasets, two-level) of the mean over datasets of the clipped mean over seeds.

    series: (K, S, R) in units of delta, NaN where a dataset lacks a stratum or a seed; a dataset's score is the mean
    over its strata. Fixed datasets: seeds are resampled within each (Agarwal et al. 2021), "for these datasets".
    Two-level: datasets are resampled first. NaN without a dataset of two seeds or more.
    """
    # A seed is drawn with all its strata, as it was run; strata of a dataset without any seed are left out.
    usable: Mask = np.asarray(np.isfinite(series).any(axis=-1))
    complete = (np.isfinite(series) | ~usable[..., None]).all(axis=1) & np.asarray(usable.any(axis=-1))[:, None]
    count = complete.sum(axis=-1)
    kept = count > 1
    if not kept.any():
        return (np.nan, np.nan), (np.nan, np.nan)
    series, usable, complete, count = series[kept], usable[kept], complete[kept], count[kept]
    front = np.argsort(~complete, axis=-1, kind="stable")  # complete seeds first, in their order
    series = np.take_along_axis(series, front[:, None, :], axis=-1)
    datasets, _, seeds = series.shape
    rank = np.arange(seeds) < count[:, None]  # (K, R): as many draws as a dataset has complete seeds

    def score(chosen: np.ndarray) -> Array:
        """(B, K) indices of datasets -> (B,) mean of their clipped scores with seeds resampled."""
        draw = np.floor(rng.random((*chosen.shape, seeds)) * count[chosen][..., None]).astype(np.intp)
        total = np.zeros(chosen.shape)
        for s in range(series.shape[1]):
            values = mean_where(series[chosen[..., None], s, draw], rank[chosen])
            total += np.where(usable[chosen, s], np.clip(values, -clip, clip), 0.0)
        mean: Array = (total / usable.sum(axis=-1)[chosen]).mean(axis=-1)
        return mean

    fixed = score(np.broadcast_to(np.arange(datasets), (resamples, datasets)))
    both = score(rng.integers(0, datasets, (resamples, datasets)))
    return _percentiles(fixed), _percentiles(both)


def _percentiles(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
