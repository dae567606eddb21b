"""The engines against plain Keras: every loss, penalty and optimizer."""

from __future__ import annotations

import numpy as np
import pytest

from parity import MLP, SMOOTH, both, differences, forgets_its_programs

__all__ = ["forgets_its_programs"]


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
