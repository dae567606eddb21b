"""Facts about L2-penalised logistic regression, put to the solver: bounded influence, bounded norm, label noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from l2audit.facts.fact import Check, above, agrees, at_most, oracle
from l2audit.linear.basis import Array, Labels
from l2audit.linear.cross_entropy import solve_cross_entropy
from l2audit.seeds import generator

Logistic = Callable[[Array, Labels, Array, int], tuple[Array, Array]]
"""(X (n, p), y (n,), beta (m,), classes) to kernels (m, p, classes) and biases (m, classes)."""

BETAS = np.array([1e-3, 1e-2, 1e-1, 1.0])
STABILITY = "computed; strong convexity (Bousquet & Elisseeff 2002; Christmann & Steinwart 2004), without an intercept"
FREE = "computed; the same argument after minimising over the intercept: the bound is the diameter of the data, not 1"
SLACK = 1e-6  # the solver stops at a gradient ratio of 1e-7


def one_column(solve: Logistic, X: Array, y: Labels, beta: Array) -> Array:
    """Weights (m, p) of sigmoid(x w + b) under beta * 0.5 * ||w||^2: twice the beta on two columns (models/beta.py)."""
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


def _largest_flip(solve: Logistic, X: Array, y: Labels, mirror: bool) -> Array:
    """(m,) largest shift of the weights over flips of one label, in units of 1 / (beta n).

    Mirrored, a flip changes two of 2 n rows, so that the bound is the same.
    """

    def fitted(labels: Labels) -> Array:
        rows = mirrored(X, labels) if mirror else (X, labels)
        return one_column(solve, rows[0], rows[1], BETAS)

    before = fitted(y)
    share = np.zeros(len(BETAS))
    for row in range(len(y)):
        flipped = np.where(np.arange(len(y)) == row, 1 - y, y)
        shift = np.linalg.norm(fitted(flipped) - before, axis=1)
        share = np.maximum(share, shift * BETAS * len(y))
    return share


@oracle
def flip_bound(solve: Logistic = solve_cross_entropy) -> Check:
    """One flipped label of a unit row moves the weights of a model without intercept by at most 1 / (beta n)."""
    statement = (
        "Without an intercept one flipped label moves logistic weights by at most 1/(beta·n):"
        " largest share of the bound, 30 rows of length 1, 4 betas"
    )
    share = _largest_flip(solve, *unit_rows(), mirror=True)
    return at_most(statement, STABILITY, limit=1.0, obtained=share.max(), tolerance=SLACK)


@oracle
def flip_bound_is_tight(solve: Logistic = solve_cross_entropy) -> Check:
    """The bound is nearly reached at strong penalties: a beta wrong by a factor of two would break one of the two."""
    statement = "The same bound is nearly reached at beta = 1: largest share of it there"
    return above(statement, STABILITY, limit=0.8, obtained=_largest_flip(solve, *unit_rows(), mirror=True)[-1])


def lonely_row() -> tuple[Array, Labels]:
    """One unit row opposite to 29 others whose labels alternate: where a free intercept matters most."""
    noise = generator("oracle", "lonely row").normal(size=(30, 4)) * 0.05
    X = noise + np.where(np.arange(30) == 0, 1.0, -1.0)[:, None] * np.eye(4)[0]
    return X / np.linalg.norm(X, axis=1, keepdims=True), (np.arange(30) % 2).astype(np.int64)


@oracle
def flip_bound_free_intercept(solve: Logistic = solve_cross_entropy) -> Check:
    """With a free intercept the bound is the diameter of the data over beta n."""
    shares = []
    for X, y in (unit_rows(), lonely_row()):
        diameter = np.linalg.norm(X[:, None] - X[None], axis=2).max()
        shares.append(_largest_flip(solve, X, y, mirror=False).max() / diameter)
    statement = (
        "With a free intercept it moves them by at most the diameter of the data over beta·n:"
        " largest share of that bound, two designs"
    )
    return at_most(statement, FREE, limit=1.0, obtained=max(shares), tolerance=SLACK)


@oracle
def flip_bound_needs_no_intercept(solve: Logistic = solve_cross_entropy) -> Check:
    """A boundary: the bound for models without intercept is broken where there is one."""
    statement = (
        "With a free intercept the bound 1/(beta·n) itself is broken by a row that stands opposite to all others:"
        " multiple of it"
    )
    return above(statement, FREE, limit=1.0, obtained=_largest_flip(solve, *lonely_row(), mirror=False).max())


@oracle
def replaced_rows_bound(solve: Logistic = solve_cross_entropy) -> Check:
    """|w_eps - w_0| <= 2 epsilon kappa / beta for a 1-Lipschitz loss and |x| <= kappa, whatever replaces the rows."""
    X, y = unit_rows()
    rng = generator("oracle", "replaced rows")
    before = one_column(solve, *mirrored(X, y), BETAS)
    worst = 0.0
    for count in (1, 3, 6, 12):
        for _ in range(5):
            bad, labels = X.copy(), y.copy()
            bad[:count] = rng.normal(size=(count, 4))
            bad[:count] /= np.linalg.norm(bad[:count], axis=1, keepdims=True)
            labels[:count] = rng.integers(2, size=count)
            shift = np.linalg.norm(one_column(solve, *mirrored(bad, labels), BETAS) - before, axis=1)
            worst = max(worst, float((shift * BETAS * len(y) / (2 * count)).max()))
    statement = (
        "Replacing a share ε of the rows by anything in the unit ball moves the weights by at most 2ε/beta:"
        " largest share of the bound, 20 replacements"
    )
    return at_most(statement, STABILITY, limit=1.0, obtained=worst, tolerance=SLACK)


@oracle
def norm_bound(solve: Logistic = solve_cross_entropy) -> Check:
    """beta * 0.5 * ||W||^2 <= ln K, because zero weights cost no more than ln K; random labels, large features."""
    rng = generator("oracle", "norm bound")
    betas = np.array([1e-6, 1e-4, 1e-2, 1.0])
    worst = 0.0
    for classes in (2, 10):
        for scale in (1.0, 30.0):
            kernel, _ = solve(scale * rng.normal(size=(40, 60)), rng.integers(classes, size=40), betas, classes)
            worst = max(worst, float((0.5 * betas * np.sum(kernel**2, axis=(1, 2))).max() / np.log(classes)))
    statement = (
        "Whatever the labels, the penalty of a solution is at most the loss of guessing, ln K: largest share of it"
    )
    source = "computed; the objective at zero weights is ln K, at the minimum no larger"
    return at_most(statement, source, limit=1.0, obtained=worst)


LONG_SERVEDIO = (
    "Long & Servedio (2010), the four points; van Rooyen, Menon & Williamson (2015): strong L2 is robust there"
)


def _long_servedio_errors(solve: Logistic) -> Array:
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


@oracle
def long_servedio_weak_l2(solve: Logistic = solve_cross_entropy) -> Check:
    """Half of the points are lost to label noise at beta = 1e-6."""
    statement = "Four points on which label noise ruins logistic regression: error at beta = 10⁻⁶, noise 10 to 40 %"
    return agrees(statement, LONG_SERVEDIO, expected=[0.5] * 4, obtained=_long_servedio_errors(solve)[:, 0])


@oracle
def long_servedio_strong_l2(solve: Logistic = solve_cross_entropy) -> Check:
    """None is lost at beta of 0.1 and above."""
    statement = "The same points with strong L2: largest error at beta = 0.1, 1 and 10, noise 10 to 40 %"
    return agrees(
        statement, LONG_SERVEDIO, expected=[0.0] * 4, obtained=_long_servedio_errors(solve)[:, 1:].max(axis=1)
    )
