"""Least absolute deviations with an L2 penalty or none."""

from __future__ import annotations

import numpy as np

from l2audit.linear.arrays import Array
from l2audit.linear.basis import Basis
from l2audit.linear.face import minimise
from l2audit.linear.kinked import Kinked, Ridge

FLOOR = 1e-10
"""The beta at which beta = 0 is solved (see `solve_absolute`)."""


def solve_absolute(X: Array, y: Array, beta: Array, intercept: bool = True) -> tuple[Array, Array]:
    """Minimise mean(|y - b - X w|) + beta * 0.5 * ||w||^2 over w and b.

    X: (n, p); y: (n,); beta: (m,), each >= 0. Returns weights (m, p) and intercepts (m,), 0 without one.

    Median regression (Koenker and Bassett, 1978) and its ridge version, which is a support vector regression without
    a margin (`sklearn.svm.SVR(kernel="linear", epsilon=0, C=1 / (n beta))`). At the solution some rows are fitted
    exactly, at most one for each coordinate unless rows coincide.

    beta = 0 is the end of the path, solved at beta = 1e-10: absolute loss rises at a finite rate around its minimum,
    so that below some beta the path stands still, at the minimiser of least norm (Mangasarian and Meyer, 1979). As
    for the other losses only directions that float32 data resolve are used (`Basis.resolved`).

    The intercept is the median of y - X w, the middle of the interval where several values do equally well.
    """
    basis = Basis.of(X, intercept)
    n = len(y)
    centre = float(np.median(y)) if intercept else 0.0
    unit = float(np.mean(np.abs(y - centre))) or 1.0
    coordinates = np.zeros((len(beta), len(basis.s)))
    for model, one in enumerate(beta):
        used = basis.resolved | (one > 0)
        damping = max(float(one), FLOOR) * unit * n / basis.s[used] ** 2
        # Coordinates along the rows of Vt in which neither the rows nor the penalty is much larger than 1.
        size = np.sqrt(n / (1 + damping))
        design, ridge = basis.U[:, used] * size, damping / (1 + damping)
        if intercept:
            design, ridge = np.column_stack([design, np.ones(n)]), np.append(ridge, 0.0)
        target = (y - centre) / unit
        problem = Kinked(Ridge(ridge), design, target, 1 / n, 0.0, np.zeros(len(ridge)))
        u = minimise(problem, design.T @ target / n).u
        coordinates[model, used] = u[: used.sum()] * unit * size / basis.s[used]
    weights = basis.weights(coordinates)
    if not intercept:
        return weights, np.zeros(len(beta))
    return weights, np.array([np.median(y - X @ w) for w in weights])


def loss_absolute(predicted: Array, y: Array) -> tuple[float, Array]:
    """Mean absolute residual, and a subgradient in `predicted` (both (n, 1); y: (n,)): 0 at rows fitted to the bit."""
    residual = predicted - y[:, None]
    return float(np.mean(np.abs(residual))), np.sign(residual) / len(y)
