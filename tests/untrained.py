"""Fitted models without a wait: networks whose parameters are random, linear models that are solved at once."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from l2audit.linear import fit_linear
from l2audit.models.architectures import Architecture, Network
from l2audit.models.penalties import read_penalty
from l2audit.models.problem import Fitted, Problem
from l2audit.networks.program import moments_of, predictor, tensors
from made_up import problem

LAYERS = {
    "relu": ["dense 12", "relu", "dense 10", "relu"],
    "smooth": ["dense 12", "tanh", "dense 9", "gelu"],
    "normed": ["dense 12", "batchnorm", "relu", "dense 9", "layernorm", "relu"],
    "pooled": ["conv 4 padding valid", "tanh", "avgpool 2", "conv 6", "gelu", "flatten"],
    "normed-images": ["conv 4 stride 2", "batchnorm", "relu", "flatten", "dense 5", "relu"],
}


def given(name: str, task: str) -> Problem:
    """A problem that the network fits: images for a convolution."""
    image = (8, 8) if "conv" in LAYERS[name][0] else None
    return problem(task, rows=60, features=64 if image else 9, seeds=1, betas=(0.0, 0.1), image=image)


def untrained(name: str, on: Problem, seed: int = 0) -> Fitted:
    """Networks with all parameters random, one a model of `on`."""
    network = Architecture(name, LAYERS[name]).network(on.X.shape[2], on.outputs, on.image)
    random = np.random.default_rng(seed)
    start = [network.initial(model) for model in range(len(on.data))]
    flat = np.stack([one + random.normal(0, 0.2, one.shape) for one in start]).astype(np.float32)
    moments = np.stack(
        [
            moments_of(network, tensors(network, one), on.X[data]).numpy()
            for one, data in zip(flat, on.data, strict=True)
        ]
    )
    return fitted_of(network, flat, moments)


def fitted_of(network: Network, flat: np.ndarray, moments: np.ndarray) -> Fitted:
    """Networks with these parameters, as an engine returns them."""
    outputs_of = predictor(network)

    def predict(X: np.ndarray, which: np.ndarray) -> np.ndarray:
        models = zip(flat, moments, which, strict=True)
        return np.stack([outputs_of(one, own, X[index]).numpy() for one, own, index in models])

    certificates = {"finite": np.isfinite(flat).all(axis=1)}
    return Fitted(*network.unpack(flat), certificates, predict, network, flat, moments)


def linear(on: Problem) -> Fitted:
    """Linear models of the task's usual loss."""
    return fit_linear(on, "cross_entropy" if on.task == "classification" else "squared", read_penalty("l2"))


def loss_rows(outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cross-entropy or half the squared residual of each row, float64."""
    if y.dtype == np.int32:
        return -log_softmax(outputs.astype(float), axis=1)[np.arange(len(y)), y]
    return 0.5 * (outputs[:, 0].astype(float) - y) ** 2
