"""Claims b1 and b2: how the penalty grows with the weights."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from l2audit.facts.checks import Check, farthest, largest
from l2audit.facts.identities.entries import agrees, of_claim
from l2audit.facts.identities.quoted_code import BETA, Penalty, kernels_of_the_code, quoted_sum

SOURCE = "computed; the penalty is a sum of squares, so it is homogeneous of degree 2"

SCALES = np.logspace(-2, 2, 81)


def _penalties_along_the_scale(l2_loss: Penalty) -> np.ndarray:
    """P(s * w) for the six kernels of `kernels_of_the_code` together, s in SCALES."""
    kernels = kernels_of_the_code()
    return np.array([float(quoted_sum([tf.constant(s * w) for w in kernels], l2_loss)) for s in SCALES])


@of_claim("b1")
def penalty_is_quadratic(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """Log-log slope of P(s * w); the entry carries the curve as `points`: scale and penalty.

    The local slope farthest from 2 is judged, not the fitted one: a curve can have slope 2 on average only.
    """
    penalty = _penalties_along_the_scale(l2_loss)
    slopes = np.diff(np.log(penalty)) / np.diff(np.log(SCALES))
    statement = "The penalty of s·w grows as s²: its log-log slope is 2 everywhere from s = 0.01 to s = 100"
    found = agrees(statement, SOURCE, expected=2.0, obtained=farthest(slopes, 2.0), tolerance=0.01)
    return {**found, "points": {"scale": SCALES.tolist(), "penalty": penalty.tolist()}}


@of_claim("b1")
def pull_is_linear(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """Gradient of beta * P at s * w, against beta * s * w: the pull on a weight is in proportion to the weight."""
    worst = 0.0
    for s in SCALES[::10]:
        kernels = [tf.constant(s * w) for w in kernels_of_the_code()]
        with tf.GradientTape() as tape:
            tape.watch(kernels)
            penalty = BETA * quoted_sum(kernels, l2_loss)
        for kernel, pull in zip(kernels, tape.gradient(penalty, kernels), strict=True):
            worst = max(worst, largest(pull / (BETA * kernel) - 1))
    statement = "The penalty pulls on each weight in proportion to it, beta·w: largest relative difference"
    return agrees(statement, SOURCE, expected=0.0, obtained=worst)


@of_claim("b2")
def penalty_is_exponential(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """What an exponential would show: the slope of log P(s * w) against s is the same at every s."""
    penalty = _penalties_along_the_scale(l2_loss)
    slopes = np.diff(np.log(penalty)) / np.diff(SCALES)
    statement = (
        "The penalty of s·w grows as an exponential: the slope of log P against s is constant"
        " (smallest slope / largest slope, s from 0.01 to 100)"
    )
    return agrees(statement, SOURCE, expected=1.0, obtained=slopes.min() / slopes.max(), tolerance=0.01)
