"""Squared loss: ridge regression in closed form, and the lasso by the LARS path of scikit-learn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from l2audit.linear.coordinates import Array, Basis, Columns
from l2audit.linear.sparse import ZERO, Look, minimise_sparse

LARGE = 1e6
"""The gradient that the path starts from: scikit-learn ends it at 1.2e-7, whatever the unit of the target."""


def solve_squared(X: Array, y: Array, beta: Array, intercept: bool = True) -> tuple[Array, Array]:
    """Minimise mean(0.5 * (y - b - X w)^2) + beta * 0.5 * ||w||^2 over w and b.

    X: (n, p); y: (n,); beta: (m,), each >= 0. Returns weights (m, p) and intercepts (m,), 0 without one.

    With X - mean = U S Vt, w = V diag(s / (s^2 + n beta)) U'(y - mean(y)): scikit-learn's Ridge with alpha = n * beta
    (Hoerl and Kennard, 1970). At beta = 0 it is the least squares solution of minimum norm over the directions that
    float32 data resolve (`Basis.resolved`). The path tends to that solution as beta falls to 0.
    """
    basis = Basis.of(X, intercept)
    target = y.mean() if intercept else 0.0
    along = basis.U.T @ (y - target)
    damping = len(y) * beta[:, None]
    alive = (damping > 0) | basis.resolved
    filters = np.divide(basis.s, basis.s**2 + damping, out=np.zeros(alive.shape), where=alive)
    weights = basis.weights(filters * along)
    return weights, target - (weights * basis.centre).sum(axis=1)


def solve_squared_l1(X: Array, y: Array, beta: Array, intercept: bool = True) -> tuple[Array, Array]:
    """Minimise mean(0.5 * (y - b - X w)^2) + beta * sum|w|, the lasso (Tibshirani, 1996).

    beta is alpha in scikit-learn.
    X: (n, p); y: (n,); beta: (m,), each > 0. Returns weights (m, p), zeros exact, and intercepts (m,), 0 without one.

    The LARS path (Efron et al., 2004) drops nearly dependent columns and may end early. `minimise_sparse` therefore
    starts from its weights, corrects wrong signs and solves the normal equations of the right ones. The path always
    runs to its end, so that no model depends on the other betas.
    """
    columns = Columns.of(X, intercept)
    centre = float(y.mean()) if intercept else 0.0
    unit = float(np.mean(np.abs(y - centre))) or 1.0
    problem = _Squares(columns.design, (y - centre) / unit)
    found = np.zeros((len(beta), problem.design.shape[1]))
    found[:, : columns.live.sum()] = _on_the_path(columns, problem.target, beta / unit)
    for model, one in enumerate(beta / unit):
        found[model] = minimise_sparse(problem, columns.strength(float(one)), found[model])
    weights, base = columns.weights(found * unit)
    return weights, base + centre


def _on_the_path(columns: Columns, target: Array, beta: Array) -> Array:
    """Coordinates (m, live) at each beta, interpolated between the knots of the path (it is straight between them)."""
    from sklearn.exceptions import ConvergenceWarning  # here, because `check` imports this module and needs no solver
    from sklearn.linear_model import lars_path_gram

    spread = columns.spread[columns.live]
    rows = columns.design[:, : len(spread)] * spread
    gram, slope = rows.T @ rows / len(rows), rows.T @ target / len(rows)
    if not slope.any():
        return np.zeros((len(beta), len(spread)))
    # scikit-learn's tolerances are absolute: no column longer than 1, and LARGE gradients.
    longest, size = float(np.max(np.diag(gram))), LARGE / float(np.max(np.abs(slope)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        knots, _, weights = lars_path_gram(
            Xy=slope * size, Gram=gram / longest, n_samples=1, method="lasso", max_iter=500 + 20 * len(spread)
        )
    weights *= spread[:, None] / (longest * size)
    found = np.array([np.interp(beta, knots[::-1] / size, row[::-1]) for row in weights]).T
    return np.where(np.abs(found) > ZERO, found, 0.0)


@dataclass(frozen=True)
class _Squares:
    """mean(0.5 * (y - A u)^2), smooth in the sense of `sparse.Smooth`; design A: (n, q); target y: (n,)."""

    design: Array
    target: Array

    @cached_property
    def gram(self) -> Array:
        return np.asarray(self.design.T @ self.design / len(self.target))

    def look(self, u: Array) -> Look:
        residual = self.design @ u - self.target
        return Look(self.design.T @ residual / len(residual), lambda index: self.gram[np.ix_(index, index)])

    def reach(self, step: Array) -> float:
        return 1.0


def loss_squared(predicted: Array, y: Array) -> tuple[float, Array]:
    """Mean of half the squared residual, and its gradient in `predicted` (both (n, 1); y: (n,))."""
    residual = predicted - y[:, None]
    return float(0.5 * np.mean(residual**2)), residual / len(y)
