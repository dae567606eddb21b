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
from l2audit.models.architectures import Architecture
from l2audit.models.optimizers import OPTIMIZERS, Adam
from l2audit.training.batches import order, window
from l2audit.training.engines import fit
from l2audit.training.problem import Fitted, Problem, Schedule
from made_up import problem

TABLE = yaml.safe_load((Path(__file__).parents[2] / "config" / "architectures.yaml").read_text(encoding="utf-8"))
MLP = "mlp-64-64"
ROWS, RATE = 75, 0.01
SMOOTH, STUDY = "adam with a large epsilon", "adam"
OPTIMIZERS.add(SMOOTH, Adam(epsilon=1e-2))

Pair = tuple[Fitted, list[plain_keras.Trained], Problem]


def both(name: str, task: str, optimizer: str, steps: int, batch: int, betas: tuple[float, ...]) -> Pair:
    """The same runs, by the engine and by Keras."""
    image = (8, 8) if name == "conv5" else None
    given = problem(task, rows=ROWS, features=64 if image else 9, seeds=1, betas=betas, image=image)
    architecture, schedule = Architecture(name, TABLE[name]["layers"]), Schedule(RATE, steps, batch)
    loss = "cross_entropy" if task == "classification" else "squared"
    fitted = fit(given, architecture, loss, "l2", optimizer, schedule, 4)
    network = architecture.network(given.X.shape[2], given.outputs, image)
    kernels, biases = ([one[0] for one in parts] for parts in network.unpack(network.initial(0)[None]))
    model = plain_keras.keras_model(list(architecture.layers), network.inputs, given.outputs)
    batches, last, epsilon = (
        order(schedule, ROWS, given.dataset, 0),
        window(schedule, ROWS),
        OPTIMIZERS[optimizer].epsilon,
    )
    plain = [
        plain_keras.train(
            model,
            kernels,
            biases,
            given.X[data].reshape(ROWS, *network.inputs),
            given.y[data],
            batches,
            beta=float(beta),
            learning_rate=RATE,
            steps=steps,
            last=last,
            epsilon=epsilon,
        )
        for data, beta in zip(given.data, given.beta, strict=True)
    ]
    return fitted, plain, given


def differences(fitted: Fitted, plain: list[plain_keras.Trained]) -> np.ndarray:
    """Absolute differences of all weights and biases of all models."""
    found = [
        np.abs(mine[m] - theirs).ravel()
        for m, one in enumerate(plain)
        for mine, theirs in zip([*fitted.kernels, *fitted.biases], [*one.kernels, *one.biases], strict=True)
    ]
    return np.concatenate(found)


def assert_certificates_agree(fitted: Fitted, plain: list[plain_keras.Trained], given: Problem, rel: float) -> None:
    for m, one in enumerate(plain):
        for name, value in one.certificates.items():
            expected = 1.0 if given.beta[m] == 0 and name.endswith("ratio") else value
            assert fitted.certificates[name][m] == pytest.approx(expected, rel=rel, abs=1e-6), name


@pytest.mark.parametrize(
    ("name", "task", "steps", "batch", "betas"),
    [
        ("mlp-32", "classification", 30, 32, (0.0, 0.1)),
        (MLP, "classification", 12, 32, (0.0, 0.1)),
        (MLP, "classification", 30, 32, (0.0, 0.1)),
        (MLP, "regression", 30, 32, (0.0, 0.1)),
        (MLP, "regression", 30, 200, (0.1,)),  # every step takes all rows
        ("conv5", "classification", 30, 32, (0.1,)),
    ],
)
def test_all_weights_agree_to_round_off(name: str, task: str, steps: int, batch: int, betas: tuple[float, ...]) -> None:
    fitted, plain, given = both(name, task, SMOOTH, steps, batch, betas)
    assert differences(fitted, plain).max() < 2e-5  # they have moved by up to 0.1
    assert_certificates_agree(fitted, plain, given, rel=1e-3)


@pytest.mark.parametrize(("name", "task"), [(MLP, "classification"), (MLP, "regression"), ("conv5", "classification")])
def test_with_the_optimizer_of_the_study_nearly_all_do(name: str, task: str) -> None:
    fitted, plain, given = both(name, task, STUDY, 30, 32, (0.1,))
    found = differences(fitted, plain)
    assert np.mean(found < 2e-5) > 0.95
    assert found.max() < 2 * RATE
    assert_certificates_agree(fitted, plain, given, rel=2e-2)
