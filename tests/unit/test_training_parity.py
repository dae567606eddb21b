"""The engines against plain Keras, one model at a time: weights along the trajectory, and every certificate.

Adam divides a gradient by its own size plus epsilon. Where a gradient is nothing but round-off, its step is therefore
anything up to the learning rate, in any implementation. With a larger epsilon the step is a smooth function of the
gradient and all weights must agree; with the study's, all but the few of which that is true.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import plain_keras
from l2audit.models.architectures import Architecture, Network
from l2audit.models.optimizers import OPTIMIZERS, Adam
from l2audit.models.penalties import read_penalty
from l2audit.training.batches import order, window
from l2audit.training.engines import fit
from l2audit.training.problem import Fitted, Problem, Schedule
from l2audit.training.pulls import covered
from made_up import problem

TABLE = yaml.safe_load((Path(__file__).parents[2] / "config" / "architectures.yaml").read_text(encoding="utf-8"))
MLP = "mlp-64-64"
ROWS, RATE = 75, 0.01
SMOOTH, STUDY = "adam with a large epsilon", "adam"
OPTIMIZERS.add(SMOOTH, Adam(epsilon=1e-2))
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
        epsilon=1e-2 if optimizer == SMOOTH else 1e-8,
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


@pytest.mark.parametrize(
    ("name", "task", "steps", "batch", "betas", "side"),
    [
        ("mlp-32", "classification", 30, 32, (0.0, 0.1), 8),
        (MLP, "classification", 12, 32, (0.0, 0.1), 8),
        (MLP, "classification", 30, 32, (0.0, 0.1), 8),
        (MLP, "regression", 30, 32, (0.0, 0.1), 8),
        (MLP, "regression", 30, 200, (0.1,), 8),  # every step takes all rows
        ("mlp-256-256", "classification", 12, 32, (0.1,), 8),
        ("mlp-64x4", "regression", 30, 32, (0.1,), 8),
        ("conv5", "classification", 30, 32, (0.1,), 8),  # as one product with all patches
        ("conv5", "classification", 12, 32, (0.1,), 14),  # by the library's convolution
    ],
)
def test_all_weights_agree_to_round_off(
    name: str, task: str, steps: int, batch: int, betas: tuple[float, ...], side: int
) -> None:
    pair = both(name, task, SMOOTH, steps, batch, betas, side=side)
    assert differences(pair).max() < 2e-5  # they have moved by up to 0.1
    assert_certificates_agree(pair, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("mlp-64-64-bn", 8),
        ("mlp-64-64-ln", 8),
        ("smooth", 8),
        ("normed", 8),
        *[(name, side) for name in ("pooled", "normed-images") for side in (8, 11)],  # side by side, and alone
    ],
)
def test_every_kind_of_layer(name: str, side: int) -> None:
    pair = both(name, "classification", "momentum", 25, 32, (0.01,), side=side)
    assert differences(pair).max() < 5e-5
    fitted, plain, given, _ = pair
    predicted = fitted.predict(given.X, given.data)
    for m, one in enumerate(
        plain
    ):  # batch norm takes its moments from all training rows, as Keras does with them as batch
        np.testing.assert_allclose(predicted[m], one.outputs, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("loss", ["absolute", "huber"])
@pytest.mark.parametrize("optimizer", ["sgd", SMOOTH])
def test_robust_losses(loss: str, optimizer: str) -> None:
    pair = both(MLP, "regression", optimizer, 60, 32, (0.0, 0.01), loss=loss)
    assert np.mean(differences(pair) < 2e-5) > 0.99  # the rest: a residual of round-off takes either sign
    assert differences(pair).max() < 2e-3
    fitted, plain, *_ = pair
    losses = [one.certificates["train_loss"] for one in plain]
    assert fitted.certificates["train_loss"] == pytest.approx(losses, rel=1e-3)


@pytest.mark.parametrize(
    "penalty", ["l2", "l2 except output", "l2 with biases", "l1", "decay", "decay except 1", "none"]
)
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", SMOOTH])
def test_every_penalty_under_every_optimizer(penalty: str, optimizer: str) -> None:
    pair = both("mlp-32", "classification", optimizer, 40, 32, (0.02,), penalty=penalty)
    assert differences(pair).max() < 3e-5
    fitted, plain, *_ = pair
    if penalty == "l1":
        for kernel, one in zip(fitted.kernels, plain[0].weights[::2], strict=True):
            assert np.array_equal(kernel[0] == 0, one == 0)
        assert 0.01 < np.mean(fitted.kernels[0] == 0) < 1


@pytest.mark.parametrize(("name", "task"), [(MLP, "classification"), (MLP, "regression"), ("conv5", "classification")])
def test_with_the_optimizer_of_the_study_nearly_all_do(name: str, task: str) -> None:
    pair = both(name, task, STUDY, 30, 32, (0.1,))
    assert np.mean(differences(pair) < 2e-5) > 0.95
    assert differences(pair).max() < 2 * RATE
    assert_certificates_agree(pair, rel=2e-2)
