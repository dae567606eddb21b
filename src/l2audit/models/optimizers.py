"""Optimizers, one tensor of parameters at a time, and the schedule of the learning rate.

AdamW is `adam` with the penalty `decay` (see `l2audit.models.penalties`): the decay is the penalty's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import tensorflow as tf

from l2audit.registry import Registry

State = tuple[Any, ...]


class Optimizer(Protocol):
    """A way from gradients to steps: parameters - rate * direction.

    A state is what it remembers of one tensor; `t` is the number of the step, a float, 0 for the first.
    """

    def start(self, parameters: Any) -> State:
        """State before the first step."""
        ...

    def step(self, gradient: Any, state: State, t: Any) -> tuple[Any, State]:
        """Direction of step `t`, and the state after it."""
        ...

    def gain(self, state: State, t: Any) -> Any:
        """What a constant gradient is multiplied by to give the direction, entry by entry or one number for all.

        Asked after step `t`, of the state after it.
        """
        ...

    def least_gain(self, states: Sequence[State], t: Any, axes: Sequence[tuple[int, ...]]) -> Any:
        """A number a model (...) that is no larger than the mean gain over the entries of all `states`.

        axes: those of an entry within each tensor. What it is good for: a conservative measure of how far the penalty
        can have acted.
        """
        ...


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) on the gradient of the whole objective, the penalty's included.

    beta1, beta2: decay of the first and second moment a step. The defaults are those of Keras.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-7

    def start(self, parameters: Any) -> State:
        """First and second moments, both 0."""
        return tf.zeros_like(parameters), tf.zeros_like(parameters)

    def step(self, gradient: Any, state: State, t: Any) -> tuple[Any, State]:
        """First moment over the root of the second, both freed of their bias towards 0."""
        first = self.beta1 * state[0] + (1 - self.beta1) * gradient
        second = self.beta2 * state[1] + (1 - self.beta2) * tf.square(gradient)
        unbiased = first * (1 / (1 - tf.pow(self.beta1, t + 1)))  # one division for all entries, not one each
        return unbiased / self._root(second, t), (first, second)

    def gain(self, state: State, t: Any) -> Any:
        """1 / (root of the second moment + epsilon)."""
        return 1 / self._root(state[1], t)

    def _root(self, second: Any, t: Any) -> Any:
        return tf.sqrt(second * (1 / (1 - tf.pow(self.beta2, t + 1)))) + self.epsilon

    def least_gain(self, states: Sequence[State], t: Any, axes: Sequence[tuple[int, ...]]) -> Any:
        """The gain at the mean second moment.

        By Jensen's inequality no larger than the mean of the entries' own gains, since 1 / (sqrt(v) + epsilon) is
        convex in v.
        """
        sums = [tf.reduce_sum(state[1], axis=own) for state, own in zip(states, axes, strict=True)]
        entries = sum(math.prod(state[1].shape[axis] for axis in own) for state, own in zip(states, axes, strict=True))
        return self.gain((None, tf.add_n(sums) / entries), t)


@dataclass(frozen=True)
class Momentum:
    """Gradient descent with a memory (Polyak 1964): velocity = decay * velocity + gradient; plain where decay is 0.

    The learning rate multiplies the velocity, as in PyTorch; Keras multiplies the gradients that go into it. They
    differ where the rate changes.
    """

    decay: float

    def start(self, parameters: Any) -> State:
        """A velocity of 0; nothing for plain gradient descent."""
        return (tf.zeros_like(parameters),) if self.decay else ()

    def step(self, gradient: Any, state: State, t: Any) -> tuple[Any, State]:
        """The velocity."""
        if not self.decay:
            return gradient, ()
        velocity = self.decay * state[0] + gradient
        return velocity, (velocity,)

    def gain(self, state: State, t: Any) -> Any:
        """1 / (1 - decay), which a constant gradient accumulates to."""
        return 1 / (1 - self.decay)

    def least_gain(self, states: Sequence[State], t: Any, axes: Sequence[tuple[int, ...]]) -> Any:
        """The same for all entries."""
        return 1 / (1 - self.decay)


OPTIMIZERS = Registry[Optimizer]("optimizer")
OPTIMIZERS.add("adam", Adam())
# Study 1 trained with this one. A shorter memory brings the certificate of convergence down up to twofold (docs/training.md).
OPTIMIZERS.add("adam-95", Adam(beta2=0.95, epsilon=1e-8))
OPTIMIZERS.add("momentum", Momentum(0.9))
OPTIMIZERS.add("sgd", Momentum(0.0))


def cosine(rate: float, t: Any, steps: Any) -> Any:
    """Learning rate of step `t`: from `rate` to 0 along half a cosine (Loshchilov, Hutter 2017), 0 from `steps` on."""
    return tf.where(t < steps, rate * 0.5 * (1 + tf.cos(math.pi * t / steps)), 0.0)
