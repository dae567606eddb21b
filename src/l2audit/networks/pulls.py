"""How each penalty acts on a step, and what a stationary point of it is.

One small class a way of acting; `l2audit.models.penalties` says what the words mean and which parameters they reach.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from l2audit.models.architectures import Network
from l2audit.models.penalties import Penalty
from l2audit.registry import Registry

Tensor = Any


class InTheLoss:
    """The penalty is a term of the objective, as in the quoted code: its gradient takes the optimizer's way."""

    def term(self, tensor: Tensor, axes: tuple[int, ...]) -> Tensor | None:
        """Half the sum of squares, 0.5 ||W||^2: `tf.nn.l2_loss` for each model."""
        return 0.5 * tf.reduce_sum(tf.square(tensor), axis=axes)

    def after(self, moved: Tensor, before: Tensor, rate: Tensor, gain: Tensor, beta: Tensor) -> Tensor:
        """The tensor after a step that the optimizer has taken from `before` to `moved`."""
        return moved

    def certified(self, slope: Tensor, direction: Tensor, before: Tensor, beta: Tensor) -> Tensor:
        """What the certificate averages over the last steps, and what is 0 on average where training has settled."""
        return slope

    def left(self, slope: Tensor, mean: Tensor, last: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
        """What is left of the average at a point, and the penalty's own share in it.

        slope: mean over the last steps of `certified`.
        mean, last: mean of the tensor over those steps, and the tensor after the last one.
        """
        return slope, beta * mean

    def rate_of(self, least_gain: Tensor) -> Tensor:
        """What the learning rate is multiplied by to give the rate at which the penalty pulls."""
        return least_gain


class Proximal(InTheLoss):
    """L1: after each step every entry goes towards 0 by beta times its own rate, and stops there.

    The metric is the optimizer's (Yun, Lozano and Yang 2021, ProxGen, equation 4). So the points at rest are those of
    mean(loss) + beta * sum of absolute values, and zeros are exact.
    """

    def term(self, tensor: Tensor, axes: tuple[int, ...]) -> None:
        """No gradient: the step below is the penalty."""
        return

    def after(self, moved: Tensor, before: Tensor, rate: Tensor, gain: Tensor, beta: Tensor) -> Tensor:
        """Soft threshold at rate * gain * beta."""
        return tf.sign(moved) * tf.maximum(tf.abs(moved) - rate * gain * beta, 0.0)

    def left(self, slope: Tensor, mean: Tensor, last: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
        """The subgradient of least size: at 0 the penalty holds against any slope up to beta."""
        held = -tf.clip_by_value(slope, -beta, beta)
        own = tf.where(last != 0, beta * tf.sign(last), held)
        return slope + own, own


class Decoupled(InTheLoss):
    """Decoupled weight decay: each step also takes rate * beta of the tensor away (Loshchilov and Hutter 2019)."""

    def term(self, tensor: Tensor, axes: tuple[int, ...]) -> None:
        """Not in the loss."""
        return

    def after(self, moved: Tensor, before: Tensor, rate: Tensor, gain: Tensor, beta: Tensor) -> Tensor:
        """moved - rate * beta * before."""
        return moved - rate * beta * before

    def certified(self, slope: Tensor, direction: Tensor, before: Tensor, beta: Tensor) -> Tensor:
        """The whole step: no objective has this method's points at rest for its minima, save under plain descent."""
        return direction + beta * before

    def rate_of(self, least_gain: Tensor) -> Tensor:
        """The learning rate itself."""
        return tf.ones_like(least_gain)


PULLS = Registry[InTheLoss]("penalty of a network")
PULLS.add("l2", InTheLoss())
PULLS.add("l1", Proximal())
PULLS.add("decay", Decoupled())
# A variable that the outputs do not depend on has a gradient of its own and moves no other, so neither is computed.
PULLS.add("none", InTheLoss())
PULLS.add("placebo", InTheLoss())


def covered(network: Network, penalty: Penalty) -> list[bool]:
    """For each of `network.parameters`: whether beta reaches it."""
    kernels = [one.layer for one in network.parameters if one.name == "kernel"]
    reached = dict(zip(kernels, penalty.covers(len(kernels)), strict=True))
    names = {"kernel", "bias"} if penalty.biases else {"kernel"}
    return [one.name in names and reached[one.layer] for one in network.parameters]
