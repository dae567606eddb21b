"""What an engine is given and what it gives back: numpy only, so that no engine knows another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l2audit.models.architectures import Network

Array = NDArray[Any]

VANISHED = 1e-6
"""Norm of all weights below which a network counts as having none; living ones have 1 to 30."""


@dataclass(frozen=True)
class Problem:
    """M models to be fitted to D training sets of one shape.

    task: `classification` (y: class numbers from 0, `outputs` classes) or `regression` (y: values, `outputs` = 1)
    X: (D, n, p) float32; y: (D, n) int32 | float32
    data: (M,) which training set each model uses
    beta: (M,) strength of the penalty
    seed: (M,) keys the initial weights, with the architecture, and the batch order, with `dataset`
    image: (height, width) where the p features are pixels, else None
    """

    task: str
    outputs: int
    X: NDArray[np.float32]
    y: NDArray[np.int32] | NDArray[np.float32]
    data: NDArray[np.int64]
    beta: NDArray[np.floating[Any]]
    seed: NDArray[np.int64]
    dataset: str
    image: tuple[int, int] | None = None


@dataclass(frozen=True)
class Fitted:
    """M fitted models.

    kernels, biases: one array a layer with weights, (M, ...), input to output
    certificates: (M,) each: train_loss, gradient_ratio, balance, decay_exposure, finite (docs/training.md), and
        point_gradient_ratio and train_loss_half of networks
    predict: (X (D', n', p) float32, which (M,)) -> logits or values (M, n', outputs) float32, of model m on X[which[m]]
    network, flat, moments: of networks, all parameters (M, sum of sizes) in the order of `network.parameters`, and what
        batch norm standardises new rows by (M, S); None of linear models
    """

    kernels: list[NDArray[np.float32]]
    biases: list[NDArray[np.float32]]
    certificates: dict[str, Array]
    predict: Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float32]]
    network: Network | None = None
    flat: NDArray[np.float32] | None = None
    moments: NDArray[np.float32] | None = None
