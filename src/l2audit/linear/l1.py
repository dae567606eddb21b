"""Linear models with an L1 penalty: the lasso by scikit-learn's path, multinomial logistic regression by Newton steps.

Both are solved to round-off and end with weights that are exactly 0. Columns that do not vary get no weight.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, lstsq
from sklearn.linear_model import lars_path, lasso_path

from l2audit.linear.basis import Array, Labels
from l2audit.linear.cross_entropy import approximate_cross_entropy

COPY = 1e-12
"""Columns whose correlation is nearer than this to 1 or -1 are copies of each other."""

ABSENT = 1e-15
"""Probability given to a class that has no training row: its bias would fall without end."""

RATIO = 1e-13
"""Violation of the optimality conditions, relative to the gradient and the penalty, that ends the iteration."""

STEPS = 500
"""Cap on Newton steps."""

Index = NDArray[np.intp]
Curvature = Callable[[Index], Array]
"""Second derivatives in the coordinates asked for, ascending."""


@dataclass(frozen=True)
class Columns:
    """Columns of X that vary, about their mean if the intercept is free; a column is constant up to round-off.

    design: (n, q); live: (p,) bool, which columns they are; centre: (p,).
    """

    design: Array
    live: NDArray[np.bool_]
    centre: Array

    @classmethod
    def of(cls, X: Array, intercept: bool) -> Columns:
        """Of X (n, p); numpy.linalg.LinAlgError if it is not finite."""
        if not np.isfinite(X).all():
            raise np.linalg.LinAlgError("the training set holds a value that is not finite")
        centre = X.mean(axis=0) if intercept else np.zeros(X.shape[1])
        moved = X - centre
        # Subtracting the mean leaves errors of about this size in columns that are constant.
        noise = len(X) * np.finfo(np.float64).eps * np.abs(X).max(axis=0)
        size = np.linalg.norm(moved, axis=0)
        live = size > noise * np.sqrt(len(X))
        unit = np.divide(moved, size, out=np.zeros_like(moved), where=live)
        alike = np.abs(unit.T @ unit) > 1 - COPY
        # Of columns that differ by a factor alone only the largest gets a weight, and of equal ones the first.
        larger = (size[:, None] > size) | ((size[:, None] == size) & np.tri(len(size), k=-1, dtype=bool).T)
        live &= ~(alike & larger).any(axis=0)
        return cls(np.ascontiguousarray(moved[:, live]), live, centre)

    @property
    def scale(self) -> Array:
        """(q,) root mean square of each column."""
        return np.asarray(np.sqrt(np.mean(self.design**2, axis=0)))


def solve_squared_l1(X: Array, y: Array, beta: Array, intercept: bool = True) -> tuple[Array, Array]:
    """Minimise mean(0.5 * (y - b - X w)^2) + beta * sum|w|: the lasso (Tibshirani, 1996), alpha = beta in scikit-learn.

    X: (n, p); y: (n,); beta: (m,), each > 0. Returns weights (m, p), zeros exact, and intercepts (m,), 0 without one.

    scikit-learn's `lars_path` (Efron et al., 2004) says which weights are not 0 and their signs; their normal equations
    give their values. Where columns depend on each other that path can go astray, and coordinate descent says it.
    """
    columns = Columns.of(X, intercept)
    design, target = columns.design, y - y.mean() if intercept else y
    found = np.zeros((len(beta), X.shape[1]))
    if columns.live.any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the path ends early, that the descent was stopped
            # All of the path, whatever betas are asked for: a model's last bits are to depend on its own beta alone.
            knots, _, path = lars_path(design, target, method="lasso")
            for model, strength in enumerate(beta.tolist()):
                rough = np.array([np.interp(-strength, -knots, weights) for weights in path])
                exact, violation = _on_support(design, target, strength, rough)
                if violation > 1e-6 * strength:
                    rough = lasso_path(design, target, alphas=[strength], max_iter=100_000, tol=1e-14)[1][:, 0]
                    exact = min((exact, violation), _on_support(design, target, strength, rough), key=itemgetter(1))[0]
                found[model, columns.live] = exact
    return found, y.mean() - found @ columns.centre if intercept else np.zeros(len(beta))


def _on_support(design: Array, target: Array, beta: float, rough: Array) -> tuple[Array, float]:
    """Weights of the lasso if those of `rough` that are not 0 have the right signs, and how far they are from optimal.

    Either `rough` itself or the solution of its normal equations: whatever violates the optimality conditions less, by
    the largest entry of the least subgradient.
    """
    live = np.flatnonzero(rough)
    rows, signs = design[:, live], np.sign(rough[live])
    exact = np.zeros(len(rough))
    exact[live] = lstsq(rows.T @ rows, rows.T @ target - len(target) * beta * signs, check_finite=False)[0]

    def violation(weights: Array) -> float:
        gradient = design.T @ (design @ weights - target) / len(target)
        return float(np.max(np.abs(_slope(weights, gradient, np.full(len(weights), beta)))))

    return min(((one, violation(one)) for one in (exact, rough)), key=itemgetter(1))


def solve_cross_entropy_l1(
    X: Array, y: Labels, beta: Array, classes: int, intercept: bool = True
) -> tuple[Array, Array]:
    """Minimise mean(-log softmax(X W + b)[y]) + beta * sum|W| over W and b.

    X: (n, p); y: (n,) in 0..classes-1; beta: (m,), each > 0; classes >= 2. Returns W (m, p, classes), zeros exact, and
    b (m, classes), 0 without an intercept.

    All `classes` columns are fitted, as under L2. The loss fixes the weights of one feature only up to a common shift,
    the penalty wants their median at 0; where the number of classes is even, an interval of shifts does equally well,
    and the one of least Euclidean norm is taken. For two classes that is W[:, 1] = -W[:, 0] = w / 2, with w the
    solution of the one-column model under beta * sum|w| (`LogisticRegression` with C = 1 / (n beta)). A free b has
    mean 0.

    Newton steps (see `_minimise`) from an L2 solution of about the same size.
    """
    columns = Columns.of(X, intercept)
    scale, design = columns.scale, columns.design / columns.scale
    strength = np.tile(np.append(1 / scale, [0.0] * intercept), classes)
    problem = _CrossEntropy.of(np.column_stack([design, np.ones((len(y), int(intercept)))]), y, classes, intercept)
    weights, base = np.zeros((len(beta), X.shape[1], classes)), np.zeros((len(beta), classes))
    near = approximate_cross_entropy(X, y, beta, classes, intercept)
    for model, (kernel, bias) in enumerate(zip(*near, strict=True)):
        start = problem.empty()
        present = problem.truth.any(axis=1)
        rough = kernel[columns.live].T
        start[present, : len(scale)] = ((rough - _middle(rough)) * scale)[present]
        if intercept:
            start[present, -1] = (bias + columns.centre @ kernel)[present]
            start[:, -1] -= start[:, -1].mean()
        state = _minimise(problem, start.ravel(), float(beta[model]) * strength).reshape(classes, -1)
        found = state[:, : len(scale)] / scale
        found -= _middle(found)
        weights[model, columns.live] = found.T
        if intercept:
            base[model] = state[:, -1] - columns.centre @ weights[model]
            base[model] -= base[model].mean()
    return weights, base


def _middle(weights: Array) -> Array:
    """What to subtract for the least sum of squares among the least sums of absolute values: (K, p) to (p,).

    The mean over the K classes, brought between the middle two of their values (the median, if K is odd).
    """
    ordered = np.sort(weights, axis=0)
    low, high = ordered[(len(weights) - 1) // 2], ordered[len(weights) // 2]
    return np.asarray(np.clip(weights.mean(axis=0), low, high))


@dataclass(frozen=True)
class _CrossEntropy:
    """Mean cross-entropy of states (K q,), class after class; design: (n, q), a free bias last; truth: (K, n) one-hot.

    With free biases half the square of their mean, times K, is added: a shift of all changes no probability, and this
    keeps it at 0.
    """

    design: Array
    truth: Array
    intercept: bool

    @classmethod
    def of(cls, design: Array, y: Labels, classes: int, intercept: bool) -> _CrossEntropy:
        return cls(design, np.equal.outer(np.arange(classes), y).astype(np.float64), intercept)

    def empty(self) -> Array:
        """(K, q) weights 0 and log class frequencies for biases, ABSENT for a class without a row."""
        state = np.zeros((len(self.truth), self.design.shape[1]))
        if self.intercept:
            frequency = np.log(np.maximum(self.truth.mean(axis=1), ABSENT))
            state[:, -1] = frequency - frequency.mean()
        return state

    def look(self, u: Array) -> tuple[float, Array, Curvature]:
        """Value, gradient (K q,) and curvature at u."""
        state = u.reshape(len(self.truth), -1)
        logits = state @ self.design.T
        logits -= logits.max(axis=0)
        odds = np.exp(logits)
        total = odds.sum(axis=0)
        value = float(np.mean(np.log(total) - (logits * self.truth).sum(axis=0)))
        gradient = (odds / total - self.truth) @ self.design / len(total)
        if self.intercept:
            mean = state[:, -1].mean()
            value += 0.5 * len(state) * mean**2
            gradient[:, -1] += mean
        return value, gradient.ravel(), lambda index: self._curvature(odds / total, index)

    def _curvature(self, probability: Array, index: Index) -> Array:
        """Mean over the rows of x x' times (p_k [k = l] - p_k p_l), for the coordinates `index`, ascending."""
        classes, n = self.truth.shape
        size = self.design.shape[1]
        klass, column = np.divmod(index, size)
        parts = [slice(start, stop) for start, stop in pairwise(np.searchsorted(klass, np.arange(classes + 1)))]
        # Divided by sqrt(n) beforehand: at hundreds of coordinates each pass over the matrix counts.
        rows = self.design / np.sqrt(n)
        weighted = np.empty((len(index), n))
        for part, p in zip(parts, probability, strict=True):
            np.multiply(rows.T[column[part]], p, out=weighted[part])
        curvature = weighted @ weighted.T
        np.negative(curvature, out=curvature)
        for part in parts:
            curvature[part, part] += weighted[part] @ rows[:, column[part]]
        if self.intercept:
            bias = np.flatnonzero(column == size - 1)
            curvature[np.ix_(bias, bias)] += 1.0 / classes
        return np.asarray(curvature)


def _minimise(problem: _CrossEntropy, u: Array, strength: Array) -> Array:
    """Minimise a loss plus the sum of strength * |u| (q,), from u (q,) on, up to round-off.

    Newton steps in the coordinates that are not 0 or want to leave it, damped as by Levenberg and Marquardt until the
    objective falls. No coordinate may change its sign within a step: it stops at 0 (Andrew and Gao, 2007).
    """
    value, gradient, curvature = problem.look(u)
    damping, rows = 1e-6, len(problem.design)
    nothing = np.finfo(np.float64).eps * float(np.linalg.norm(problem.design)) / np.sqrt(rows)  # round-off
    for _ in range(STEPS):
        slope = _slope(u, gradient, strength)
        norm = float(np.linalg.norm(slope))
        if norm <= RATIO * float(np.linalg.norm(gradient) + np.linalg.norm(strength * (u != 0))) + nothing:
            break
        orthant = np.where(u != 0, np.sign(u), -np.sign(slope))
        free = np.flatnonzero((u != 0) | (slope != 0))
        matrix, before = curvature(free), value + float(strength @ np.abs(u))
        while damping < 1e8:
            trial = u.copy()
            trial[free] -= _solved(matrix, slope[free], damping)
            trial[(strength > 0) & (np.sign(trial) != orthant)] = 0.0
            value, gradient, curvature = problem.look(trial)
            fall = 1e-4 * float(slope @ (trial - u))
            if value + float(strength @ np.abs(trial)) <= before + fall:
                break
            # Near the minimum the objective cannot tell: its round-off hides the fall. The gradient still can.
            if abs(fall) < 1e-10 * abs(before) and np.linalg.norm(_slope(trial, gradient, strength)) < norm:
                break
            damping *= 8
        else:
            break
        u, damping = trial, max(damping / 32, 1e-15)
    return u


def _slope(u: Array, gradient: Array, strength: Array) -> Array:
    """The subgradient of least size of the loss plus the sum of strength * |u|."""
    return gradient + np.where(u != 0, strength * np.sign(u), -np.clip(gradient, -strength, strength))


def _solved(matrix: Array, right: Array, damping: float) -> Array:
    """Solution of a positive semidefinite system, `damping` times its largest diagonal entry added to its diagonal."""
    diagonal, largest = np.arange(len(right)), float(np.max(matrix.diagonal(), initial=0.0)) or 1.0
    while True:
        damped = matrix.copy()
        damped[diagonal, diagonal] += damping * largest
        with contextlib.suppress(np.linalg.LinAlgError):
            return np.asarray(cho_solve(cho_factor(damped, check_finite=False), right, check_finite=False))
        damping *= 100
