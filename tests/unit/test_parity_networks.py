"""The engines against plain Keras, every architecture and layer: weights along the trajectory, and all certificates."""

from __future__ import annotations

import numpy as np
import pytest

from parity import MLP, RATE, SMOOTH, STUDY, assert_certificates_agree, both, differences, forgets_its_programs

__all__ = ["forgets_its_programs"]


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


@pytest.mark.parametrize(("name", "task"), [(MLP, "classification"), (MLP, "regression"), ("conv5", "classification")])
def test_with_the_optimizer_of_the_study_nearly_all_do(name: str, task: str) -> None:
    pair = both(name, task, STUDY, 30, 32, (0.1,))
    assert np.mean(differences(pair) < 2e-5) > 0.95
    assert differences(pair).max() < 2 * RATE
    assert_certificates_agree(pair, rel=2e-2)
