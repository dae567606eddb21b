"""The same runs by the engines and by plain Keras, one model at a time: what the tests of parity compare.

Adam divides a gradient by its own size plus epsilon. Where a gradient is nothing but round-off, its step is therefore
anything up to the learning rate, in any implementation. With a larger epsilon the step is a smooth function of the
gradient and all weights must agree; with the study's, all but the few of which that is true.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

import plain_keras
from l2audit.config.study import Schedule
from l2audit.models.architectures import Architecture, Network
from l2audit.models.optimizers import OPTIMIZERS, Adam
from l2audit.models.penalties import read_penalty
from l2audit.models.problem import Fitted, Problem
from l2audit.networks.batches import order, window
from l2audit.networks.program import predictor, program
from l2audit.networks.pulls import covered
from l2audit.runs.engines import fit
from made_up import problem

TABLE = yaml.safe_load((Path(__file__).parents[1] / "config" / "architectures.yaml").read_text(encoding="utf-8"))
MLP = "mlp-64-64"
ROWS, RATE = 75, 0.01
SMOOTH, STUDY = "adam with a large epsilon", "adam"
OPTIMIZERS.add(SMOOTH, Adam(beta2=0.95, epsilon=1e-2))
RATES = {"sgd": 0.1, "momentum": 0.02}
OF_TASK = {"classification": "cross_entropy", "regression": "squared"}
EVERY_LAYER = {
    "smooth": ["dense 12", "tanh", "dense 9", "gelu"],
    "normed": ["dense 12", "batchnorm", "relu", "dense 9", "layernorm", "relu"],
    "pooled": ["conv 4 padding valid", "relu", "maxpool 2", "conv 3 stride 2", "tanh", "avgpool 2", "flatten"],
    "normed-images": [
        "conv 4",
        "batchnorm",
        "relu",
        "conv 3 stride 2",
        "layernorm",
        "relu",
        "flatten",
        "dense 5",
        "relu",
    ],
}

Pair = tuple[Fitted, list[plain_keras.Trained], Problem, Network]


@pytest.fixture(autouse=True)
def forgets_its_programs() -> Iterator[None]:
    """Every case compiles programs of its own, some 100 MB that no later case asks for again."""
    yield
    program.cache_clear()
    predictor.cache_clear()
    keras.backend.clear_session()
    gc.collect()


def both(
    name: str,
    task: str,
    optimizer: str,
    steps: int,
    batch: int,
    betas: tuple[float, ...],
    *,
    loss: str | None = None,
    penalty: str = "l2",
    side: int = 8,
) -> Pair:
    """The same runs, by the engine and by Keras."""
    architecture = Architecture(name, EVERY_LAYER.get(name) or TABLE[name]["layers"])
    image = (side, side) if architecture.takes_images else None
    given = problem(task, rows=ROWS, features=side**2 if image else 9, seeds=1, betas=betas, image=image)
    schedule = Schedule(RATES.get(optimizer, RATE), steps, batch)
    loss, read = loss or OF_TASK[task], read_penalty(penalty)
    fitted = fit(given, architecture, loss, read, optimizer, schedule, 4)
    network = architecture.network(given.X.shape[2], given.outputs, image)
    model = plain_keras.keras_model(list(architecture.layers), network.inputs, given.outputs)
    how = plain_keras.How(
        loss=loss,
        penalty=read.word,
        reached=frozenset(at for at, one in enumerate(in_order_of_keras(network)) if covered(network, read)[one]),
        optimizer="adam" if optimizer == SMOOTH else optimizer,
        learning_rate=schedule.learning_rate,
        steps=steps,
        last=window(schedule, ROWS),
        epsilon=1e-2 if optimizer == SMOOTH else 1e-7,
        memory=0.95 if optimizer == SMOOTH else 0.999,
    )
    start = layer_by_layer(network, network.initial(0))
    plain = [
        plain_keras.train(
            model,
            start,
            given.X[data].reshape(ROWS, *network.inputs),
            given.y[data],
            order(schedule, ROWS, given.dataset, 0),
            float(beta),
            how,
        )
        for data, beta in zip(given.data, given.beta, strict=True)
    ]
    return fitted, plain, given, network


def in_order_of_keras(network: Network) -> list[int]:
    """Numbers of the network's parameters layer by layer, the kernel of a layer first."""
    return sorted(range(len(network.parameters)), key=lambda at: (network.parameters[at].layer, at))


def layer_by_layer(network: Network, flat: np.ndarray) -> list[np.ndarray]:
    """One model's parameters (sum of sizes,) as Keras lists them."""
    parts = np.split(flat, np.cumsum(network.sizes)[:-1])
    return [parts[at].reshape(network.parameters[at].shape) for at in in_order_of_keras(network)]


def differences(pair: Pair) -> np.ndarray:
    """Absolute differences of all parameters of all models."""
    fitted, plain, _, network = pair
    return np.concatenate(
        [
            np.abs(mine - theirs).ravel()
            for m, one in enumerate(plain)
            for mine, theirs in zip(layer_by_layer(network, fitted.flat[m]), one.weights, strict=True)
        ]
    )


def assert_certificates_agree(pair: Pair, rel: float) -> None:
    fitted, plain, given, _ = pair
    for m, one in enumerate(plain):
        for name, value in one.certificates.items():
            expected = 1.0 if given.beta[m] == 0 and name.endswith("ratio") else value
            assert fitted.certificates[name][m] == pytest.approx(expected, rel=rel, abs=1e-6), name
