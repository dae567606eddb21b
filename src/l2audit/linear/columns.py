"""Standardised columns: the coordinates of problems with an L1 penalty, which does not stand a rotation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from l2audit.linear.arrays import Array


@dataclass(frozen=True)
class Columns:
    """Columns that vary, about their mean and divided by their root mean square; then ones, if the intercept is free.

    design: (n, q); live (p,) bool: columns that vary; centre, spread: (p,), spread 1 where a column is constant.
    Without a free intercept nothing is centred, and a column lives unless it is 0.
    """

    design: Array
    live: Array
    centre: Array
    spread: Array
    intercept: bool

    @classmethod
    def of(cls, X: Array, intercept: bool) -> Columns:
        """Standardise X (n, p) (numpy.linalg.LinAlgError if it is not finite)."""
        if not np.isfinite(X).all():
            raise np.linalg.LinAlgError("the training set holds a value that is not finite")
        centre = X.mean(axis=0) if intercept else np.zeros(X.shape[1])
        moved = X - centre
        spread = np.sqrt(np.mean(moved**2, axis=0))
        # Subtracting the mean leaves errors of about this size in columns that are constant.
        live = spread > len(X) * np.finfo(np.float64).eps * np.abs(X).max(axis=0)
        spread = np.where(live, spread, 1.0)
        design = (moved / spread)[:, live]
        if intercept:
            design = np.column_stack([design, np.ones(len(X))])
        return cls(np.ascontiguousarray(design), live, centre, spread, intercept)

    def strength(self, beta: float) -> Array:
        """(q,) what multiplies |u_j| where beta multiplies the absolute weights; 0 for a free intercept."""
        strength = beta / self.spread[self.live]
        return np.append(strength, 0.0) if self.intercept else strength

    def weights(self, u: Array) -> tuple[Array, Array]:
        """Weights (..., p) and intercept (...) of coordinates (..., q), in the original columns."""
        k = int(self.live.sum())
        weights = np.zeros((*u.shape[:-1], len(self.live)))
        weights[..., self.live] = u[..., :k] / self.spread[self.live]
        base = u[..., k] if self.intercept else np.zeros(u.shape[:-1])
        return weights, base - (weights * self.centre).sum(axis=-1)

    def coordinates(self, weights: Array, base: Array) -> Array:
        """Coordinates (..., q) of weights (..., p) and intercept (...): the inverse of `weights`."""
        scaled = (weights * self.spread)[..., self.live]
        if not self.intercept:
            return np.asarray(scaled)
        return np.concatenate([scaled, (base + (weights * self.centre).sum(axis=-1))[..., None]], axis=-1)
