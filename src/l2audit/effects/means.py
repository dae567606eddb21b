"""Means over the entries of an array that are there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l2audit.effects.grid import Array, Mask


def mean_where(values: Array, used: Mask, axis: int = -1) -> Array:
    """Mean of `values` over `axis` where `used`; NaN where nothing is."""
    count = used.sum(axis=axis)
    total = np.where(used, values, 0.0).sum(axis=axis)
    mean: Array = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean


def moments(x: Array) -> tuple[NDArray[np.int64], Array, Array]:
    """Count, mean and standard deviation (ddof 1) of the finite entries on the last axis; NaN where undefined."""
    present = np.isfinite(x)
    k = present.sum(axis=-1)
    mean = mean_where(x, present)
    squares = np.where(present, (x - np.where(k > 0, mean, 0.0)[..., None]) ** 2, 0.0).sum(axis=-1)
    sd = np.sqrt(np.divide(squares, k - 1, out=np.full(k.shape, np.nan), where=k > 1))
    return k, mean, sd
