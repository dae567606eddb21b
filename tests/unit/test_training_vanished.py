"""A penalty that is too strong leaves no weights: that is a stationary point, and must be certified as one."""

import numpy as np

from l2audit.config.study import Schedule
from l2audit.models.architectures import Architecture
from l2audit.models.penalties import Penalty
from l2audit.models.problem import VANISHED, Problem
from l2audit.runs.engines import balance, fit

L2 = Penalty("l2")


def test_a_network_without_weights_is_certified_and_an_unpenalised_one_is_not() -> None:
    random = np.random.default_rng(0)
    X = random.standard_normal((1, 40, 3)).astype(np.float32)
    y = random.integers(0, 2, (1, 40)).astype(np.int32)
    problem = Problem("classification", 2, X, y, np.zeros(2, int), np.array([0.0, 5.0]), np.zeros(2, int), "noise")
    fitted = fit(
        problem,
        Architecture("mlp-32", ["dense 8", "relu"]),
        "cross_entropy",
        L2,
        "adam-95",
        Schedule(0.02, 1500, 20),
        2,
    )
    norms = np.sqrt(sum((kernel[1] ** 2).sum() for kernel in fitted.kernels))
    assert norms < VANISHED
    assert fitted.certificates["gradient_ratio"].tolist() == [1.0, 0.0]
    assert fitted.certificates["balance"][1] == 0.0


def test_one_vanished_layer_beside_a_living_one_is_not_balanced() -> None:
    living, vanished = np.ones((1, 2, 2), np.float32), np.full((1, 2, 2), 1e-9, np.float32)
    assert balance([living, vanished])[0] > 1
    assert balance([vanished, 3 * vanished])[0] == 0
