"""The coordinates in which the linear solvers work: singular directions under L2, standardised columns under L1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Float64 array; docstrings give the shapes."""

Labels = NDArray[np.int64]
"""Class indices 0 to K-1."""

DATA_RESOLUTION = float(np.finfo(np.float32).eps)
"""Relative round-off of the inputs: training sets arrive as float32."""


def _centred(X: Array, intercept: bool) -> tuple[Array, Array]:
    """X - centre and the centre (p,): the mean of X if a free intercept can take it up, else 0."""
    if not np.isfinite(X).all():
        raise np.linalg.LinAlgError("the training set holds a value that is not finite")
    centre = X.mean(axis=0) if intercept else np.zeros(X.shape[1])
    return X - centre, centre


@dataclass(frozen=True)
class Basis:
    """X - centre = U diag(s) Vt, without the directions that float64 cannot tell from zero.

    U: (n, r); s: (r,) descending, positive; Vt: (r, p); centre: (p,).

    A free intercept is orthogonal to these features, and the ridge penalty is still half the squared length. A training
    set costs one factorisation, whatever the number of betas.
    """

    U: Array
    s: Array
    Vt: Array
    centre: Array

    @classmethod
    def of(cls, X: Array, intercept: bool = True) -> Basis:
        """Decompose X of shape (n, p), n >= 1, p >= 1 (numpy.linalg.LinAlgError if X is not finite)."""
        centred, centre = _centred(X, intercept)
        U, s, Vt = np.linalg.svd(centred, full_matrices=False)
        # Relative to X and not to s: subtracting the mean leaves errors of that size in columns that are constant.
        kept = s > np.linalg.norm(X) * max(X.shape) * np.finfo(np.float64).eps
        return cls(np.ascontiguousarray(U[:, kept]), s[kept], np.ascontiguousarray(Vt[kept]), centre)

    @property
    def resolved(self) -> np.ndarray:
        """(r,) bool: directions that stand above the round-off of float32 inputs.

        Two columns may depend on each other exactly but for rounding. Without this rule a fit at beta = 0 reads those
        rounding errors as a feature, with weights of 1e6. Any beta of a study damps such directions by itself. The line
        is ten times the largest singular value that independent rounding errors make.
        """
        return np.asarray(self.s > 10 * DATA_RESOLUTION * self.s.max(initial=0.0))

    def weights(self, coordinates: Array) -> Array:
        """Weights (m, p) of models whose coordinates along the rows of Vt are (m, r).

        A stack of m products and not one matrix product: BLAS chooses its kernel by shape, so that the last bits of
        a model would depend on how many stand beside it.
        """
        return np.asarray(np.matmul(coordinates[:, None, :], self.Vt)[:, 0, :])


@dataclass(frozen=True)
class Columns:
    """Columns that vary, centred and divided by their root mean square; then ones, if the intercept is free.

    design: (n, q); live: (p,) bool, columns that vary; centre, spread: (p,), spread 1 where a column is constant.
    Without a free intercept no column is centred, and every column lives unless it is 0.
    """

    design: Array
    live: Array
    centre: Array
    spread: Array
    intercept: bool

    @classmethod
    def of(cls, X: Array, intercept: bool) -> Columns:
        """Standardise X (n, p) (numpy.linalg.LinAlgError if it is not finite)."""
        moved, centre = _centred(X, intercept)
        spread = np.sqrt(np.mean(moved**2, axis=0))
        # Subtracting the mean leaves errors of about this size in columns that are constant.
        live = spread > len(X) * np.finfo(np.float64).eps * np.abs(X).max(axis=0)
        spread = np.where(live, spread, 1.0)
        design = np.column_stack([(moved / spread)[:, live], np.ones((len(X), int(intercept)))])
        return cls(np.ascontiguousarray(design), live, centre, spread, intercept)

    def strength(self, beta: float) -> Array:
        """(q,) what multiplies |u_j| where beta multiplies the absolute weights; 0 for a free intercept."""
        return np.append(beta / self.spread[self.live], np.zeros(int(self.intercept)))

    def weights(self, u: Array) -> tuple[Array, Array]:
        """Weights (..., p) and intercept (...) of coordinates (..., q), in the original columns."""
        k = int(self.live.sum())
        weights = np.zeros((*u.shape[:-1], len(self.live)))
        weights[..., self.live] = u[..., :k] / self.spread[self.live]
        return weights, u[..., k:].sum(axis=-1) - (weights * self.centre).sum(axis=-1)
