"""Claim A2: behind a normalisation the outputs do not know the scale of a kernel, and the gradient knows nothing else.

A penalty on such a kernel changes no function that the network can be. It sets the length of the kernel, and with it
how far a step of a given rate turns the kernel. Batch norm removes the bias with the mean. Layer norm takes its mean
over units, each of which has a bias of its own, so there the bias must be scaled along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from l2audit.facts.fact import fact
from l2audit.models.architectures import Architecture
from l2audit.networks.program import mean_loss, tensors, through
from l2audit.seeds import generator

SOURCE = "computed; van Laarhoven (2017), L2 Regularization versus Batch and Weight Normalization"

# 0.001 is negligible: what is left is epsilon, 1e-5 beside a variance of about 2, and the round-off of float32.
SCALE = 10.0
ROWS, FEATURES, UNITS, CLASSES = 64, 8, 16, 3


def changes(layer: str, scaled: Sequence[str]) -> tuple[float, float]:
    """Relative change of the outputs, and of the gradient times SCALE; the larger ones of both precisions.

    The network is a dense layer, `layer`, a relu and the output layer; `scaled` names the parameters of the first that
    are multiplied. The gradient is that of the mean cross-entropy in its kernel. Biases are drawn: initial ones are 0.
    """
    network = Architecture("identity-normalised", [f"dense {UNITS}", layer, "relu"]).network(FEATURES, CLASSES)
    found = []
    for dtype in ("float32", "float64"):
        outputs, gradients = [], []
        for scale in (1.0, SCALE):
            rng = generator("identity normalisation")
            X, labels = tf.constant(rng.normal(size=(ROWS, FEATURES)), dtype), rng.integers(CLASSES, size=ROWS)
            parameters = []
            for one, initial in zip(network.parameters, tensors(network, tf.constant(network.initial(0))), strict=True):
                value = rng.normal(size=one.shape) if one.name == "bias" else initial.numpy()
                parameters.append(tf.constant(value, dtype) * (scale if one.layer == 0 and one.name in scaled else 1.0))
            with tf.GradientTape() as tape:
                tape.watch(parameters[0])
                loss = mean_loss(network, "cross_entropy", parameters, X, labels)
            outputs.append(np.asarray(through(network, parameters, X)))
            gradients.append(scale * np.asarray(tape.gradient(loss, parameters[0])))
        found.append([float(np.linalg.norm(new - old) / np.linalg.norm(old)) for old, new in (outputs, gradients)])
    return max(change for change, _ in found), max(change for _, change in found)


@fact(SOURCE, "below 0.001")
def batch_norm_ignores_scale(layer: str = "batchnorm") -> Any:
    """Ten times the kernel in front of a batch norm gives the same outputs: relative change."""
    return changes(layer, ["kernel"])[0]


@fact(SOURCE, "below 0.001")
def layer_norm_ignores_scale(layer: str = "layernorm", scaled: Sequence[str] = ("kernel", "bias")) -> Any:
    """Ten times the kernel (and the bias) in front of a layer norm gives the same outputs: relative change."""
    return changes(layer, scaled)[0]


@fact(SOURCE, "below 0.001")
def scaled_kernel_gets_the_inverse_gradient(
    layers: Sequence[tuple[str, Sequence[str]]] = (("batchnorm", ["kernel"]), ("layernorm", ["kernel", "bias"])),
) -> Any:
    """Ten times the kernel gets a tenth of the gradient, so a step of the same rate turns it a hundredth as far, and
    what a penalty changes there is the effective learning rate: relative difference of the gradient times ten.
    """
    return max(changes(layer, scaled)[1] for layer, scaled in layers)
