"""Facts about L2-penalised logistic regression, put to the solver: bounded influence, bounded norm, label noise."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from l2audit.facts.fact import EXACT, fact
from l2audit.linear.coordinates import Array, Labels
from l2audit.linear.cross_entropy import solve_cross_entropy
from l2audit.seeds import generator

Logistic = Callable[[Array, Labels, Array, int], tuple[Array, Array]]
"""(X (n, p), y (n,), beta (m,), classes) to kernels (m, p, classes) and biases (m, classes)."""

BETAS = np.array([1e-3, 1e-2, 1e-1, 1.0])
STABILITY = "computed; strong convexity (Bousquet & Elisseeff 2002; Christmann & Steinwart 2004), without an intercept"
FREE = "computed; the same argument after minimising over the intercept: the bound is the diameter of the data, not 1"
LONG_SERVEDIO = (
    "Long & Servedio (2010), the four points; van Rooyen, Menon & Williamson (2015): strong L2 is robust there"
)
SLACK = 1e-6  # the solver stops at a gradient ratio of 1e-7


def one_column(solve: Logistic, X: Array, y: Labels, beta: Array) -> Array:
    """Weights (m, p) of sigmoid(x w + b) under beta * 0.5 * ||w||^2: twice the beta on two columns."""
    kernel, _ = solve(X, y, 2 * beta, 2)
    return np.asarray(kernel[:, :, 1] - kernel[:, :, 0])


def mirrored(X: Array, y: Labels) -> tuple[Array, Labels]:
    """X and -X with opposite labels: the free intercept is 0 by symmetry, as in theorems about models without one."""
    return np.vstack([X, -X]), np.append(y, 1 - y)


def unit_rows() -> tuple[Array, Labels]:
    """X (30, 4) of rows of length 1, and labels of a noisy direction."""
    rng = generator("oracle", "logistic")
    X = rng.normal(size=(30, 4))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return X, (X @ rng.normal(size=4) + 0.3 * rng.normal(size=30) > 0).astype(np.int64)


def largest_flip(solve: Logistic, X: Array, y: Labels, mirror: bool) -> Array:
    """(m,) largest shift of the weights over flips of one label (two of 2 n, mirrored), in units of 1 / (beta n)."""

    def fitted(labels: Labels) -> Array:
        return one_column(solve, *(mirrored(X, labels) if mirror else (X, labels)), BETAS)

    flips = [fitted(np.where(np.arange(len(y)) == row, 1 - y, y)) for row in range(len(y))]
    shifts = np.linalg.norm(flips - fitted(y), axis=2)
    return np.asarray(shifts.max(axis=0) * BETAS * len(y))


@fact(STABILITY, "at most 1", tolerance=SLACK)
def flip_bound(solve: Logistic = solve_cross_entropy) -> Any:
    """Without an intercept one flipped label moves logistic weights by at most 1/(beta·n): largest share of the bound,
    30 rows of length 1, 4 betas.
    """
    return largest_flip(solve, *unit_rows(), mirror=True).max()


@fact(STABILITY, "above 0.8")
def flip_bound_is_tight(solve: Logistic = solve_cross_entropy) -> Any:
    """The same bound is nearly reached at beta = 1: largest share of it there."""
    return largest_flip(solve, *unit_rows(), mirror=True)[-1]


def lonely_row() -> tuple[Array, Labels]:
    """One unit row opposite to 29 others whose labels alternate: where a free intercept matters most."""
    noise = generator("oracle", "lonely row").normal(size=(30, 4)) * 0.05
    X = noise + np.where(np.arange(30) == 0, 1.0, -1.0)[:, None] * np.eye(4)[0]
    return X / np.linalg.norm(X, axis=1, keepdims=True), (np.arange(30) % 2).astype(np.int64)


@fact(FREE, "at most 1", tolerance=SLACK)
def flip_bound_free_intercept(solve: Logistic = solve_cross_entropy) -> Any:
    """With a free intercept it moves them by at most the diameter of the data over beta·n: largest share of that bound,
    two designs.
    """
    shares = []
    for X, y in (unit_rows(), lonely_row()):
        diameter = np.linalg.norm(X[:, None] - X[None], axis=2).max()
        shares.append(largest_flip(solve, X, y, mirror=False).max() / diameter)
    return max(shares)


@fact(FREE, "above 1")
def flip_bound_needs_no_intercept(solve: Logistic = solve_cross_entropy) -> Any:
    """With a free intercept the bound 1/(beta·n) itself is broken by a row that stands opposite to all others: multiple
    of it.
    """
    return largest_flip(solve, *lonely_row(), mirror=False).max()


@fact(STABILITY, "at most 1", tolerance=SLACK)
def replaced_rows_bound(solve: Logistic = solve_cross_entropy) -> Any:
    """Replacing a share ε of the rows by anything in the unit ball moves the weights by at most 2ε/beta: largest share
    of the bound, 20 replacements.
    """
    X, y = unit_rows()
    rng = generator("oracle", "replaced rows")
    before = one_column(solve, *mirrored(X, y), BETAS)
    shares = []
    for count in np.repeat([1, 3, 6, 12], 5):
        bad, labels = X.copy(), y.copy()
        bad[:count] = rng.normal(size=(count, 4))
        bad[:count] /= np.linalg.norm(bad[:count], axis=1, keepdims=True)
        labels[:count] = rng.integers(2, size=count)
        shift = np.linalg.norm(one_column(solve, *mirrored(bad, labels), BETAS) - before, axis=1)
        shares.append((shift * BETAS * len(y) / (2 * count)).max())
    return max(shares)


@fact("computed; the objective at zero weights is ln K, at the minimum no larger", "at most 1", tolerance=EXACT)
def norm_bound(solve: Logistic = solve_cross_entropy) -> Any:
    """Whatever the labels, the penalty of a solution is at most the loss of guessing, ln K: largest share of it."""
    rng = generator("oracle", "norm bound")
    betas = np.array([1e-6, 1e-4, 1e-2, 1.0])
    shares = []
    for classes, scale in product((2, 10), (1.0, 30.0)):
        kernel, _ = solve(scale * rng.normal(size=(40, 60)), rng.integers(classes, size=40), betas, classes)
        shares.append((0.5 * betas * np.sum(kernel**2, axis=(1, 2))).max() / np.log(classes))
    return max(shares)


def long_servedio_errors(solve: Logistic) -> Array:
    """(4 noise rates, 4 betas): share of the four clean points got wrong, noise in its exact expectation.

    (1, 0) once, (g, 5 g) once, (g, -g) twice, g = 1/24, all positive; among every 10 copies 10 * rate are flipped.
    """
    g = 1 / 24
    points = np.array([[1, 0], [g, 5 * g], [g, -g], [g, -g]])
    betas = np.array([1e-6, 0.1, 1.0, 10.0])
    errors = []
    for flipped in (1, 2, 3, 4):
        y = np.tile((np.arange(10) >= flipped).astype(np.int64), 4)
        weights = one_column(solve, *mirrored(np.repeat(points, 10, axis=0), y), betas)
        errors.append((weights @ points.T <= 0).mean(axis=1))
    return np.array(errors)


@fact(LONG_SERVEDIO, [0.5] * 4)
def long_servedio_weak_l2(solve: Logistic = solve_cross_entropy) -> Any:
    """Four points on which label noise ruins logistic regression: error at beta = 10⁻⁶, noise 10 to 40 %."""
    return long_servedio_errors(solve)[:, 0]


@fact(LONG_SERVEDIO, [0.0] * 4)
def long_servedio_strong_l2(solve: Logistic = solve_cross_entropy) -> Any:
    """The same points with strong L2: largest error at beta = 0.1, 1 and 10, noise 10 to 40 %."""
    return long_servedio_errors(solve)[:, 1:].max(axis=1)
