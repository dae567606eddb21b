"""Losses of networks, row by row. The objective is their mean plus beta times the penalty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from l2audit.registry import Registry


@dataclass(frozen=True)
class Loss:
    """A loss: the task that it is for, and outputs (..., n, k) and targets (..., n) to one number a row (..., n)."""

    task: str
    rows: Callable[[Any, Any], Any]


LOSSES = Registry[Loss]("loss of a network")


def cross_entropy(outputs: Any, labels: Any) -> Any:
    """Softmax cross-entropy in nats: log sum_k exp f_k - f_label; labels int32 in 0 .. k - 1."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)


def squared(outputs: Any, targets: Any) -> Any:
    """Half the squared residual, 0.5 (y - f)^2; outputs have one column."""
    return 0.5 * tf.square(targets - outputs[..., 0])


LOSSES.add("cross_entropy", Loss("classification", cross_entropy))
LOSSES.add("squared", Loss("regression", squared))
