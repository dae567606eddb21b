"""Centred singular value decomposition: the coordinates in which every linear solver works.

In them the free intercept is orthogonal to the features, the ridge penalty is still half the squared length, and a
training set costs one factorisation whatever the number of betas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
"""Class indices 0 to K-1."""

DATA_RESOLUTION = float(np.finfo(np.float32).eps)
"""Relative round-off of the inputs: training sets arrive as float32."""


@dataclass(frozen=True)
class Basis:
    """X - centre = U diag(s) Vt, without the directions that float64 cannot tell from zero.

    U: (n, r); s: (r,) descending, positive; Vt: (r, p); centre: (p,), the mean of X if a free intercept can take it
    up, else 0.
    """

    U: Array
    s: Array
    Vt: Array
    centre: Array

    @classmethod
    def of(cls, X: Array, intercept: bool = True) -> Basis:
        """Decompose X of shape (n, p), n >= 1, p >= 1 (numpy.linalg.LinAlgError if X is not finite)."""
        if not np.isfinite(X).all():
            raise np.linalg.LinAlgError("the training set holds a value that is not finite")
        centre = X.mean(axis=0) if intercept else np.zeros(X.shape[1])
        U, s, Vt = np.linalg.svd(X - centre, full_matrices=False)
        # Relative to X and not to s: subtracting the mean leaves errors of that size in columns that are constant.
        kept = s > np.linalg.norm(X) * max(X.shape) * np.finfo(np.float64).eps
        return cls(np.ascontiguousarray(U[:, kept]), s[kept], np.ascontiguousarray(Vt[kept]), centre)

    @property
    def resolved(self) -> np.ndarray:
        """(r,) bool: directions that stand above the round-off of float32 inputs.

        At beta = 0 nothing but this keeps a fit from reading the rounding errors of an exact dependence between
        columns as a feature of its own, with weights of 1e6. Any beta of a study damps such directions by itself.
        The line is ten times the round-off: errors of that size, independent from cell to cell, make a matrix whose
        largest singular value is about the round-off times that of X itself.
        """
        return np.asarray(self.s > 10 * DATA_RESOLUTION * self.s.max(initial=0.0))

    def weights(self, coordinates: Array) -> Array:
        """Weights (m, p) of models whose coordinates along the rows of Vt are (m, r).

        A stack of m products and not one matrix product: BLAS chooses its kernel by shape, so that the last bits of
        a model would depend on how many stand beside it.
        """
        return np.asarray(np.matmul(coordinates[:, None, :], self.Vt)[:, 0, :])
