"""Claim A2: behind a normalisation the outputs do not know the scale of a kernel, and the gradient knows nothing else.

A penalty on such a kernel changes no function that the network can be; it sets the length of the kernel, and with it
how far a step of a given rate turns it. Batch norm forgets the bias with the mean; layer norm takes its mean over
units, each of which has a bias of its own, so there the bias must be scaled along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from l2audit.facts.fact import Check, below, of_claim
from l2audit.models.architectures import Architecture, Network
from l2audit.networks.program import mean_loss, tensors, through
from l2audit.seeds import generator

SOURCE = "computed; van Laarhoven (2017), L2 Regularization versus Batch and Weight Normalization"

SCALE = 10.0
NEGLIGIBLE = 1e-3
"""What is left is epsilon, 1e-5 beside a variance of about 2, and the round-off of float32."""

ROWS, FEATURES, UNITS, CLASSES = 64, 8, 16, 3


@dataclass(frozen=True)
class _Case:
    """A dense layer, `layer` behind it, relu and the output layer, on one batch, in one precision."""

    network: Network
    parameters: list[Any]
    X: Any
    labels: Any
    scaled: tuple[str, ...]

    @classmethod
    def of(cls, layer: str, dtype: str, scaled: tuple[str, ...]) -> _Case:
        """The initial weights of the project, but for biases, which are drawn: at 0 they would show nothing."""
        network = Architecture("identity-normalised", [f"dense {UNITS}", layer, "relu"]).network(FEATURES, CLASSES)
        rng = generator("identity normalisation")
        X, labels = rng.normal(size=(ROWS, FEATURES)), rng.integers(CLASSES, size=ROWS)
        drawn = [
            rng.normal(size=one.shape) if one.name == "bias" else initial.numpy()
            for one, initial in zip(network.parameters, tensors(network, tf.constant(network.initial(0))), strict=True)
        ]
        return cls(network, [tf.constant(one, dtype) for one in drawn], tf.constant(X, dtype), labels, scaled)

    def at(self, scale: float) -> list[Any]:
        """The parameters, those of the first layer that are `scaled` times `scale`."""
        return [
            tensor * scale if one.layer == 0 and one.name in self.scaled else tensor
            for one, tensor in zip(self.network.parameters, self.parameters, strict=True)
        ]

    def outputs(self, scale: float) -> np.ndarray:
        """(rows, classes)."""
        return np.asarray(through(self.network, self.at(scale), self.X))

    def gradient(self, scale: float) -> np.ndarray:
        """Of the mean cross-entropy in the first kernel, (features, units)."""
        parameters = self.at(scale)
        with tf.GradientTape() as tape:
            tape.watch(parameters[0])
            loss = mean_loss(self.network, "cross_entropy", parameters, self.X, self.labels)
        return np.asarray(tape.gradient(loss, parameters[0]))


BATCH, LAYER = ("batchnorm", ("kernel",)), ("layernorm", ("kernel", "bias"))


def _cases(*pairs: tuple[str, tuple[str, ...]]) -> list[_Case]:
    return [_Case.of(layer, dtype, scaled) for layer, scaled in pairs for dtype in ("float32", "float64")]


def _relative(found: np.ndarray, reference: np.ndarray) -> float:
    return float(np.linalg.norm(found - reference) / np.linalg.norm(reference))


def _change(layer: str, scaled: tuple[str, ...]) -> float:
    """Relative change of the outputs, the larger one of both precisions."""
    return max(_relative(case.outputs(SCALE), case.outputs(1.0)) for case in _cases((layer, scaled)))


@of_claim("A2")
def batch_norm_ignores_scale(layer: str = BATCH[0]) -> Check:
    """Outputs of a network with ten times the kernel in front of its batch norm, against those before."""
    statement = "Ten times the kernel in front of a batch norm gives the same outputs: relative change"
    return below(statement, SOURCE, limit=NEGLIGIBLE, obtained=_change(layer, BATCH[1]))


@of_claim("A2")
def layer_norm_ignores_scale(layer: str = LAYER[0], scaled: tuple[str, ...] = LAYER[1]) -> Check:
    """Outputs of a network with ten times the kernel and bias in front of its layer norm, against those before."""
    statement = "Ten times the kernel (and the bias) in front of a layer norm gives the same outputs: relative change"
    return below(statement, SOURCE, limit=NEGLIGIBLE, obtained=_change(layer, scaled))


@of_claim("A2")
def scaled_kernel_gets_the_inverse_gradient(layers: Sequence[tuple[str, tuple[str, ...]]] = (BATCH, LAYER)) -> Check:
    """Ten times the gradient in the kernel at ten times the kernel, against the gradient before."""
    worst = max(_relative(SCALE * case.gradient(SCALE), case.gradient(1.0)) for case in _cases(*layers))
    statement = (
        "Ten times the kernel gets a tenth of the gradient, so a step of the same rate turns it a hundredth as far, and"
        " what a penalty changes there is the effective learning rate: relative difference of the gradient times ten"
    )
    return below(statement, SOURCE, limit=NEGLIGIBLE, obtained=worst)
