"""Losses of networks, row by row. The objective is their mean plus beta times the penalty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from l2audit.registry import Registry

TUNING = 1.345
"""Huber's threshold in units of the residual scale: 95 % efficiency at Gaussian residuals (Huber 1964)."""

MAD_OF_GAUSSIAN = 0.6744897501960817
"""Median absolute deviation of a standard Gaussian."""

SMALLEST_SCALE = 1e-3
"""A network that fits more than half of its rows exactly has residual scale 0, and at a threshold of 0 nothing is left
to descend: this floor, in units of the scaled target, keeps the direction."""


@dataclass(frozen=True)
class Loss:
    """A loss: its task, and outputs (..., n, k), targets (..., n) and scale (...) to one number a row (..., n).

    scaled: whether it reads the residual scale, which the engine then estimates again and again (see `residual_scale`);
    where it does not, the scale that it is handed is 1.
    """

    task: str
    rows: Callable[[Any, Any, Any], Any]
    scaled: bool = False


LOSSES = Registry[Loss]("loss of a network")


def cross_entropy(outputs: Any, labels: Any, scale: Any) -> Any:
    """Softmax cross-entropy in nats: log sum_k exp f_k - f_label; labels int32 in 0 .. k - 1.

    Rows lie along the last axis while it is computed: there are more of them than classes (docs/training.md).
    """
    across = tf.linalg.matrix_transpose(outputs)
    classes = tf.range(outputs.shape[-1])[:, None]
    highest = tf.stop_gradient(tf.reduce_max(across, axis=-2, keepdims=True))
    log_sum = tf.math.log(tf.reduce_sum(tf.exp(across - highest), axis=-2)) + highest[..., 0, :]
    return log_sum - tf.reduce_sum(tf.where(classes == labels[..., None, :], across, 0.0), axis=-2)


def squared(outputs: Any, targets: Any, scale: Any) -> Any:
    """Half the squared residual, 0.5 (y - f)^2; outputs have one column."""
    return 0.5 * tf.square(targets - outputs[..., 0])


def absolute(outputs: Any, targets: Any, scale: Any) -> Any:
    """The absolute residual, |y - f|; its gradient at 0 is 0."""
    return tf.abs(targets - outputs[..., 0])


def huber(outputs: Any, targets: Any, scale: Any) -> Any:
    """0.5 r^2 inside |r| <= k, else k |r| - 0.5 k^2, with r = y - f and k = 1.345 times the residual scale."""
    size, k = tf.abs(targets - outputs[..., 0]), TUNING * scale[..., None]
    inside = tf.minimum(size, k)
    return inside * (size - 0.5 * inside)


def residual_scale(outputs: Any, targets: Any) -> Any:
    """Normalised median absolute residual about zero, as in statsmodels' RLM; (..., n, 1) and (..., n) to (...).

    Not below SMALLEST_SCALE.
    """
    size = tf.sort(tf.abs(targets - outputs[..., 0]), axis=-1)
    rows = size.shape[-1]
    median = 0.5 * (size[..., (rows - 1) // 2] + size[..., rows // 2])
    return tf.maximum(median / MAD_OF_GAUSSIAN, SMALLEST_SCALE)


LOSSES.add("cross_entropy", Loss("classification", cross_entropy))
LOSSES.add("squared", Loss("regression", squared))
LOSSES.add("absolute", Loss("regression", absolute))
LOSSES.add("huber", Loss("regression", huber, scaled=True))
