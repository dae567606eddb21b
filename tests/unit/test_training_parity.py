"""The engines against plain Keras, one model at a time: weights along the trajectory, and every certificate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import plain_keras
import pytest
import yaml
from made_up import problem

from l2audit.models.architectures import Architecture
from l2audit.training.batches import order, window
from l2audit.training.engines import fit
from l2audit.training.problem import Schedule

TABLE = yaml.safe_load((Path(__file__).parents[2] / "config" / "architectures.yaml").read_text(encoding="utf-8"))
CASES = [
    ("mlp-32", "classification", "cross_entropy", 32),
    ("mlp-64-64", "classification", "cross_entropy", 32),
    ("mlp-64-64", "regression", "squared", 32),
    ("mlp-64-64", "regression", "squared", 200),  # every step takes all rows
    ("conv5", "classification", "cross_entropy", 32),
]


@pytest.mark.parametrize(("name", "task", "loss", "batch"), CASES)
@pytest.mark.parametrize("steps", [1, 30])
def test_agrees_with_keras(name: str, task: str, loss: str, batch: int, steps: int) -> None:
    image = (8, 8) if name == "conv5" else None
    given = problem(task, rows=75, features=64 if image else 9, seeds=1, image=image)
    architecture, schedule = Architecture(name, TABLE[name]["layers"]), Schedule(0.01, steps, batch)
    fitted = fit(given, architecture, loss, "l2", "adam", schedule, 4)
    network = architecture.network(given.X.shape[2], given.outputs, image)
    batches = order(schedule, 75, given.dataset, 0)
    kernels, biases = network.unpack(network.initial(0)[None])
    model = plain_keras.keras_model(list(TABLE[name]["layers"]), network.inputs, given.outputs)
    for m, (data, beta) in enumerate(zip(given.data, given.beta, strict=True)):
        x, y = given.X[data].reshape(75, *network.inputs), given.y[data]
        start = [kernel[0] for kernel in kernels], [bias[0] for bias in biases]
        plain = plain_keras.train(model, *start, x, y, batches, float(beta), 0.01, steps, window(schedule, 75))
        for mine, theirs in zip([*fitted.kernels, *fitted.biases], [*plain.kernels, *plain.biases], strict=True):
            np.testing.assert_allclose(mine[m], theirs, atol=ROUND_OFF * steps)
        for certificate, value in plain.certificates.items():
            expected = 1.0 if beta == 0 and "ratio" in certificate else value
            assert fitted.certificates[certificate][m] == pytest.approx(expected, rel=1e-3), certificate
        assert np.array_equal(
            fitted.predict(given.X, given.data)[m].shape, (75, given.outputs)
        ) and np.allclose(fitted.predict(given.X, given.data)[m], model(x), atol=1e-3)


ROUND_OFF = 2e-5
"""Largest difference of a weight a step; a step moves it by up to 0.01."""
