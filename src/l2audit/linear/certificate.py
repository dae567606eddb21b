"""How far a linear model is from the minimum of its objective, from the weights alone: no solver is used.

The objective is mean(loss) + sum_j strength_j * penalty(theta_j) over the parameters theta of a model, kernel and bias.
At its minimum some subgradient is 0. A certificate computes the subgradient of least norm: the gradient of the loss
plus the pull of the penalty. At a weight of 0 under L1 that pull may be anything between -strength and strength.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from l2audit.linear.coordinates import Array
from l2audit.registry import Registry

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
    word: str, design: Array, slope: Array, theta: Array, strength: Array, nothing: float = 0.0
) -> float:
    """||g + pull|| / (||g|| + ||pull|| + nothing), 0 at a minimum; 1 where no penalty acts (all strengths 0).

    g = design' slope. word: `l2` or `l1`; design: (n, p), a column of ones in it for the bias; slope: (n, K), gradient
    of the mean loss in the predictions; theta: (p, K); strength: (p, 1), 0 for a free one; nothing: see `round_off`.
    """
    if not strength.any():
        return 1.0
    g = design.T @ slope
    pull = PULLS[word](theta, strength, g)
    size = _norm(g) + _norm(pull) + nothing
    return _norm(g + pull) / size if size > 0 else 0.0


def round_off(design: Array) -> float:
    """A gradient of this size is nothing, with design (n, p): where all has vanished it makes the ratio 0."""
    return ROUND_OFF * _norm(design) / math.sqrt(len(design))


def _norm(values: Array) -> float:
    return math.sqrt(np.vdot(values, values))
