"""Penalties: what beta multiplies, kernel by kernel. Biases are free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from l2audit.registry import Registry

PENALTIES = Registry[Callable[[Any], Any]]("penalty")


@PENALTIES.register("l2")
def l2(kernel: Any) -> Any:
    """Half the sum of squares, 0.5 ||W||^2: `tf.nn.l2_loss` for each model, kernel (..., entries) to (...)."""
    return 0.5 * tf.reduce_sum(tf.square(kernel), axis=-1)
