"""What every contender trains: handwritten digits, a small network, a fixed number of passes over the rows.

Numpy and the standard library at the top: a contender imports this before it knows whether it has anything else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from l2audit.models.architectures import Network

ROOT = Path(__file__).resolve().parents[1]

ROWS = 1024
BATCH = 64
PASSES = 50
STEPS_A_PASS = ROWS // BATCH
OUTPUTS = 10
BETA = 1e-3
MOMENTUM = 0.9
ADAM = (0.9, 0.95, 1e-8)
RATES = {"sgd": 0.02, "momentum": 0.02, "adam": 0.003}
"""Learning rate of the first step. It falls to zero along half a cosine, but not in scikit-learn, which has no such."""

SHARD = 320
"""Models of a shard: what one job of a study trains in one call, or thereabouts."""


def mlp(width: int) -> list[str]:
    """Two hidden layers of `width` units, in the words of config/architectures.yaml."""
    return [f"dense {width}", "relu", f"dense {width}", "relu"]


def conv5() -> list[str]:
    """The study's conv5, from config/architectures.yaml."""
    from l2audit.config.load import table

    return list(table(ROOT, "architectures")["conv5"]["layers"])


def digits(side: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """1,024 handwritten digits: X (1024, side * side) float32 from 0 to 1, y (1024,) int32. Above 8: interpolated."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    images, y = load_digits(return_X_y=True)
    images = images[:ROWS].reshape(-1, 8, 8) / 16
    if side != 8:
        images = zoom(images, (1, side / 8, side / 8), order=1)
    return images.reshape(ROWS, side * side).astype(np.float32), y[:ROWS].astype(np.int32)


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    """Mean over rows of -log p(y), natural logarithm; logits (n, classes)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]))


def network_of(layers: Sequence[str], side: int) -> Network:
    """The network that `layers` make on images of `side` by `side` pixels."""
    from l2audit.models.architectures import Architecture

    return Architecture("benchmark", layers).network(side * side, OUTPUTS, (side, side))


def flop_of_step(network: Network) -> dict[str, float]:
    """Floating-point operations of one step of one model on a batch, counted in two ways.

    convention: 6 per weight and row (and position, in a convolution): 2 forward, 2 for the gradient of the weights, 2
    for the gradient of the layer's input. Everything else (activations, loss, penalty, optimizer) counts as nothing.
    needed: without the gradient of the network's own input, which nobody computes.
    """
    products = [
        one.size * math.prod(network.shapes[one.layer + 1][:-1]) for one in network.parameters if one.name == "kernel"
    ]
    total = 6.0 * BATCH * sum(products)
    return {"convention": total, "needed": total - 2.0 * BATCH * products[0]}
