"""How far a linear model is from the minimum of its objective, from the weights alone: no solver is used.

The objective is mean(loss) + sum_j strength_j * penalty(theta_j) over the parameters theta of a model, kernel and bias.
At its minimum some subgradient is 0. A certificate looks for the subgradient of least norm: that of the loss plus the
pull of the penalty, each taken where it suits the other best if it is not unique.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from l2audit.linear.arrays import Array
from l2audit.registry import Registry

RESOLUTION = 1e-9
"""Absolute loss has its kink at rows whose residual is below this share of mean|y| + |y| + sum_j |x_j theta_j|."""

ROUND_OFF = 1e-13
"""Share of the sizes of what it is summed from that a gradient may have and be nothing."""

Pull = Callable[[Array, Array, Array], Array]

PULLS = Registry[Pull]("penalty of a linear model")


@PULLS.register("l2")
def pull_l2(theta: Array, strength: Array, slope: Array) -> Array:
    """Gradient of strength * 0.5 * theta^2: theta and slope (p, K), strength (p, 1)."""
    return strength * theta


@PULLS.register("l1")
def pull_l1(theta: Array, strength: Array, slope: Array) -> Array:
    """Subgradient of strength * |theta| nearest to -slope, slope being the gradient of the loss; shapes as for L2."""
    return np.where(theta == 0, np.clip(-slope, -strength, strength), strength * np.sign(theta))


def gradient_ratio(
    word: str,
    design: Array,
    slope: Array,
    kinks: NDArray[np.bool_] | None,
    theta: Array,
    strength: Array,
    nothing: float = 0.0,
) -> float:
    """||g + pull|| / (||g|| + ||pull|| + nothing), 0 at a minimum; 1 where no penalty acts (all strengths 0).

    word: `l2` or `l1`; design: (n, p), a column of ones in it for the bias; slope: (n, K) gradient of the mean loss in
    the predictions; kinks: (n,) rows where it may be anything between -1 / n and 1 / n, with K = 1, or None; theta:
    (p, K) parameters; strength: (p, 1), 0 for a free one; nothing: see `round_off`. g = design' slope.
    """
    if not strength.any():
        return 1.0
    g = design.T @ slope
    if kinks is not None and kinks.any():
        g = _least_at_kinks(word, g, design[kinks].T / len(design), theta, strength)
    pull = PULLS[word](theta, strength, g)
    size = _norm(g) + _norm(pull) + nothing
    return _norm(g + pull) / size if size > 0 else 0.0


def _norm(values: Array) -> float:
    return math.sqrt(np.vdot(values, values))


def round_off(design: Array) -> float:
    """A gradient of this size is nothing, with design (n, p): where all has vanished it makes the ratio 0."""
    return ROUND_OFF * _norm(design) / math.sqrt(len(design))


def at_kinks(predicted: Array, y: Array, design: Array, theta: Array) -> NDArray[np.bool_]:
    """(n,) rows fitted exactly, up to RESOLUTION, by a regression.

    predicted: (n, 1); y: (n,); design: (n, p); theta: (p, 1).
    """
    size = np.abs(y).mean() + np.abs(y) + (np.abs(design) @ np.abs(theta))[:, 0]
    return np.asarray(np.abs(predicted[:, 0] - y) <= RESOLUTION * size)


def _least_at_kinks(word: str, g: Array, rows: Array, theta: Array, strength: Array) -> Array:
    """g plus the combination of `rows` (p, kinks), coefficients in [-1, 1], that balances the penalty best: (p, 1).

    A bounded least squares problem. Parameters at 0 under L1 take part with a bounded pull of their own.
    """
    fixed = PULLS[word](theta, strength, -g)
    loose = np.flatnonzero((theta == 0) & (strength > 0)) if word == "l1" else np.zeros(0, dtype=np.intp)
    fixed[loose] = 0.0
    pulls = np.zeros((len(g), len(loose)))
    pulls[loose, np.arange(len(loose))] = strength[loose, 0]
    matrix, wanted = np.column_stack([rows, pulls]), -(g + fixed)[:, 0]
    best = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
    if np.abs(best).max() > 1:
        best = lsq_linear(matrix, wanted, bounds=(-1, 1), method="bvls", tol=1e-15).x
    return np.asarray(g + rows @ best[: rows.shape[1], None])
