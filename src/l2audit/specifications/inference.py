"""What a whole curve says: a joint test by sign flips, and the share of each axis in the variance of its estimates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from l2audit.effects.grid import Array
from l2audit.judge.scores import SLACK
from l2audit.judge.statistics import FLOOR
from l2audit.seeds import generator

FLIPS = 999
"""Sign flips of a joint test: the least p-value is 1 / (1 + FLIPS)."""


def sign_flips(datasets: int, *axes: str) -> Array:
    """FLIPS vectors of signs, (FLIPS, datasets), drawn for `axes` alone."""
    drawn = generator("sign flips of a specification curve", *axes).integers(0, 2, size=(FLIPS, datasets))
    return np.where(drawn, 1.0, -1.0)


def joint_test(scores: Array, signs: Array, alpha: float, k_min: int) -> dict[str, Any]:
    """Whether a curve as a whole differs from one without any effect (Simonsohn, Simmons and Nelson 2020, adapted).

    scores: (n, K), those of n specifications on K datasets, in units of the registered delta, NaN where a dataset is
    out. signs: (F, K) of +1 and -1; a flip changes the sign of a dataset in all specifications at once, which changes
    nothing in distribution if the effects of datasets lie evenly about 0.

    `share`: of the specifications whose mean lies above 0, by a one-sided t test at alpha / 2 over at least `k_min`
    datasets. `null_share`: its mean over the flips. `median`: of the n means. Each p-value is (1 + flips that reach
    what was observed) / (1 + F). Of two equal shares, which are many where specifications are alike, the one with the
    larger median is the larger.
    """
    present = np.isfinite(scores)
    k = present.sum(axis=-1)
    filled = np.where(present, scores, 0.0)
    every = np.vstack([np.ones(scores.shape[-1]), signs])  # what was observed goes the same way, so ties are ties
    mean = every @ filled.T / np.maximum(k, 1)
    variance = ((filled**2).sum(axis=-1) - k * mean**2) / np.maximum(k - 1, 1)
    se = np.maximum(np.sqrt(np.maximum(variance, 0.0) / np.maximum(k, 1)), FLOOR)
    critical = special.stdtrit(np.maximum(k - 1, 1), 1 - alpha / 2)
    share = ((mean >= critical * se) & (k >= max(k_min, 2))).mean(axis=-1)
    median = np.median(mean[:, k > 0], axis=-1)
    above = median[1:] >= median[0] - SLACK
    beyond = (share[1:] > share[0] + SLACK) | ((np.abs(share[1:] - share[0]) <= SLACK) & above)
    return {
        "datasets": int(k.max()),
        "share": float(share[0]),
        "null_share": float(share[1:].mean()),
        "median": float(median[0]),
        **{
            f"p_{name}": (1 + int(reach.sum())) / (1 + len(signs))
            for name, reach in (("share", beyond), ("median", above))
        },
    }


def variance_shares(estimates: Array, choices: NDArray[np.int64], axes: Sequence[str]) -> dict[str, float]:
    """Share of the sum of squares of `estimates` (n,) that each axis explains by its main effect, and the `residual`.

    choices: (n, axes) index of the choice. The sums of squares are sequential (type I), in the order of the axes, so
    that they add up to 1. Where every combination is there equally often, their order does not matter. The residual is
    what choices do together. Empty where nothing varies.
    """
    centred = estimates - estimates.mean()
    total = float(centred @ centred)
    if total <= SLACK * len(estimates):
        return {}
    design, left, shares = np.ones((len(centred), 1)), total, {}
    for name, chosen in zip(axes, choices.T, strict=True):
        design = np.column_stack([design, *(chosen == value for value in np.unique(chosen)[1:])])
        residual = centred - design @ np.linalg.lstsq(design, centred, rcond=None)[0]
        now = min(float(residual @ residual), left)
        shares[name], left = (left - now) / total, now
    return {**shares, "residual": left / total}
