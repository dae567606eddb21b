"""Regression with an L1 penalty: the lasso, and its kin with absolute and Huber's loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from l2audit.linear.arrays import Array
from l2audit.linear.basis import DATA_RESOLUTION
from l2audit.linear.columns import Columns
from l2audit.linear.face import minimise, minimise_sparse
from l2audit.linear.huber import TUNING, residual_scale
from l2audit.linear.kinked import Kinked, Ridge, Squares

SETTLED = 1e-12
"""Relative change of Huber's threshold that ends the search for it."""

THRESHOLDS = 200
"""Cap on the thresholds tried."""


def solve_squared_l1(X: Array, y: Array, beta: Array, intercept: bool = True) -> tuple[Array, Array]:
    """Minimise mean(0.5 * (y - b - X w)^2) + beta * sum|w|: the lasso (Tibshirani, 1996), alpha = beta in scikit-learn.

    X: (n, p); y: (n,); beta: (m,), each > 0. Returns weights (m, p), zeros exact, and intercepts (m,), 0 without one.
    """
    return _each(X, y, beta, intercept, _lasso)


def solve_absolute_l1(X: Array, y: Array, beta: Array, intercept: bool = True) -> tuple[Array, Array]:
    """Minimise mean(|y - b - X w|) + beta * sum|w| (Wang, Li and Jiang, 2007; Wu and Liu, 2009).

    X: (n, p); y: (n,); beta: (m,), each > 0. Returns weights (m, p), zeros exact, and intercepts (m,), 0 without one. A
    linear program: where its solution is not unique, this is one of them.
    """

    def solve(columns: Columns, y: Array, unit: float, beta: float) -> Array:
        problem = Kinked(
            Ridge(np.zeros(columns.design.shape[1])), columns.design, y, 1 / len(y), 0.0, columns.strength(beta)
        )
        return minimise(problem, _ridge(columns, y, problem.strength)).u

    return _each(X, y, beta, intercept, solve)


def solve_huber_l1(X: Array, y: Array, beta: Array, intercept: bool = True) -> tuple[Array, Array]:
    """Minimise mean(rho_k(y - b - X w)) + beta * sum|w| at the threshold k that the residuals of w themselves imply.

    X: (n, p); y: (n,); beta: (m,), each > 0. Returns weights (m, p), zeros exact, and intercepts (m,), 0 without one.

    k = 1.345 * median|r| / 0.6745 as in `huber.solve_huber`, searched for from the lasso's residuals on: k is replaced
    by what the solution at k implies, or by where the secant through the last two such pairs ends, if that is within a
    factor of 2. Such equations can have more than one root.
    """

    def solve(columns: Columns, y: Array, unit: float, beta: float) -> Array:
        lasso = _lasso(columns, y, unit, beta)
        return _at_its_own_threshold(columns, y, columns.strength(beta / unit), lasso)

    return _each(X, y, beta, intercept, solve)


def _each(
    X: Array, y: Array, beta: Array, intercept: bool, solve: Callable[[Columns, Array, float, float], Array]
) -> tuple[Array, Array]:
    """Solve for each beta alone, in standardised columns and targets of unit size."""
    columns = Columns.of(X, intercept)
    centre = float(np.median(y)) if intercept else 0.0
    unit = float(np.mean(np.abs(y - centre))) or 1.0
    solved = [solve(columns, (y - centre) / unit, unit, float(one)) for one in beta]
    weights, base = columns.weights(np.array(solved) * unit)
    return weights, base + centre


def _lasso(columns: Columns, y: Array, unit: float, beta: float) -> Array:
    strength = columns.strength(beta / unit)
    empty = np.zeros(len(strength))
    if columns.intercept:
        empty[-1] = y.mean()
    return minimise_sparse(Squares(columns.design, y), strength, empty, _ridge(columns, y, strength))


def _ridge(columns: Columns, y: Array, strength: Array) -> Array:
    """Where to start: coordinates (q,) of a ridge regression that shrinks about as much."""
    gram = columns.design.T @ columns.design / len(y)
    damped = gram + np.diag(np.maximum(strength, 1e-6))
    return np.asarray(np.linalg.solve(damped, columns.design.T @ y / len(y)))


def _at_its_own_threshold(columns: Columns, y: Array, strength: Array, lasso: Array) -> Array:
    """Fixed point of k -> TUNING * scale of the residuals of the minimiser at k, from the lasso's."""
    nothing, n = Ridge(np.zeros(len(strength))), len(y)
    # Where more than half of the rows are fitted exactly no scale is defined, and the fit is left as it is.
    floor = TUNING * DATA_RESOLUTION * float(np.max(np.abs(y)))

    def implied(u: Array) -> float:
        return TUNING * float(residual_scale(y - columns.design @ u))

    u, k = lasso, implied(lasso)
    side: Array | None = None
    last: tuple[float, float] | None = None
    for _ in range(THRESHOLDS):
        if k <= floor:
            break
        # The objective divided by k, which is of order 1 however small k is.
        problem = Kinked(nothing, columns.design, y, 1 / n, n * k, strength / k)
        solution = minimise(problem, u, side)
        u, side, found = solution.u, solution.side, implied(solution.u)
        if abs(found - k) <= SETTLED * k:
            break
        slope = (found - last[1]) / (k - last[0]) if last and k != last[0] else 0.0
        last = (k, found)
        ahead = (found - slope * k) / (1 - slope) if slope < 0.9 else found
        k = ahead if 0.5 * found < ahead < 2 * found else found
    return u
