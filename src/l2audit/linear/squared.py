"""Ridge regression in closed form."""

from __future__ import annotations

import numpy as np

from l2audit.linear.basis import Array, Basis


def solve_squared(X: Array, y: Array, beta: Array, intercept: bool = True) -> tuple[Array, Array]:
    """Minimise mean(0.5 * (y - b - X w)^2) + beta * 0.5 * ||w||^2 over w and b.

    X: (n, p); y: (n,); beta: (m,), each >= 0. Returns weights (m, p) and intercepts (m,), 0 without one.

    With X - mean = U S Vt: w = V diag(s / (s^2 + n beta)) U'(y - mean(y)); scikit-learn's Ridge with alpha = n * beta
    (Hoerl and Kennard, 1970). At beta = 0 it is the least squares solution of minimum norm, which is also the limit
    of the path as beta falls to 0, over the directions that float32 data resolve (`Basis.resolved`).
    """
    basis = Basis.of(X, intercept)
    target = y.mean() if intercept else 0.0
    along = basis.U.T @ (y - target)
    damping = len(y) * beta[:, None]
    alive = (damping > 0) | basis.resolved
    filters = np.divide(basis.s, basis.s**2 + damping, out=np.zeros(alive.shape), where=alive)
    weights = basis.weights(filters * along)
    return weights, target - (weights * basis.centre).sum(axis=1)


def loss_squared(predicted: Array, y: Array) -> tuple[float, Array]:
    """Mean of half the squared residual, and its gradient in `predicted` (both (n, 1); y: (n,))."""
    residual = predicted - y[:, None]
    return float(0.5 * np.mean(residual**2)), residual / len(y)
