"""Optimizers, on all parameters of each model as one flat row, and the schedule of the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from l2audit.registry import Registry


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) on the gradient of the whole objective, the penalty's included.

    beta2 is .95 and not the customary .999: the gradients of a run shrink by orders of magnitude, and a long memory of
    the early ones keeps the steps small; measured in docs/training.md, the convergence certificate is up to two times
    better for it.
    """

    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8

    def start(self, parameters: Any) -> tuple[Any, Any]:
        """First and second moments (..., entries) before the first step."""
        return tf.zeros_like(parameters), tf.zeros_like(parameters)

    def step(self, parameters: Any, gradient: Any, moments: tuple[Any, Any], rate: Any, t: Any) -> tuple[Any, Any]:
        """Parameters and moments after step `t` (float, 0 for the first) at learning rate `rate`."""
        first = self.beta1 * moments[0] + (1 - self.beta1) * gradient
        second = self.beta2 * moments[1] + (1 - self.beta2) * tf.square(gradient)
        unbiased = first / (1 - tf.pow(self.beta1, t + 1))
        root = tf.sqrt(second / (1 - tf.pow(self.beta2, t + 1)))
        return parameters - rate * unbiased / (root + self.epsilon), (first, second)

    def effective_rate(self, moments: tuple[Any, Any], entries: int, rate: Any, t: Any) -> Any:
        """Learning rate over the root mean second moment of the first `entries` parameters, for each model (...).

        Called after step `t`. By Jensen's inequality no larger than the mean of the entries' own rates, since
        1 / (sqrt(v) + epsilon) is convex in v: a conservative measure of how far the penalty can have acted.
        """
        second = tf.reduce_mean(moments[1][..., :entries], axis=-1) / (1 - tf.pow(self.beta2, t + 1))
        return rate / (tf.sqrt(second) + self.epsilon)


OPTIMIZERS = Registry[Adam]("optimizer")
OPTIMIZERS.add("adam", Adam())


def cosine(rate: float, t: Any, steps: int) -> Any:
    """Learning rate of step `t` (0 .. steps - 1): from `rate` to zero along half a cosine (Loshchilov, Hutter 2017)."""
    return rate * 0.5 * (1 + tf.cos(math.pi * t / steps))
