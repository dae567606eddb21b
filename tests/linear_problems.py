"""Training sets and problems for the tests of the exact linear solvers."""

from __future__ import annotations

import dataclasses

import numpy as np

from l2audit.models.problem import Fitted, Problem

BETAS = np.array([0, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3])


def collinear(n: int = 120, p: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """X with singular values over three decades, y with heavy-tailed noise and 10 % gross outliers."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) @ rng.normal(size=(p, p)) @ np.diag(np.logspace(0, -3, p)) @ rng.normal(size=(p, p)) + 3
    y = X @ rng.normal(size=p) + rng.standard_t(3, size=n)
    y[: n // 10] += 30
    return X, y


def classes(n: int = 150, p: int = 5, k: int = 3, seed: int = 0, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """k overlapping Gaussians, every class present."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    return rng.normal(size=(n, p)) + spread * rng.normal(size=(k, p))[y] + 2, y


def problem(task: str, datasets: int = 2, betas: np.ndarray = BETAS, k: int = 3) -> Problem:
    """Every beta on each of `datasets` training sets."""
    draws = [collinear(seed=s) if task == "regression" else classes(k=k, seed=s) for s in range(datasets)]
    return Problem(
        task=task,
        outputs=1 if task == "regression" else k,
        X=np.array([X for X, _ in draws], np.float32),
        y=np.array([y for _, y in draws], np.float32 if task == "regression" else np.int32),
        data=np.repeat(np.arange(datasets), len(betas)),
        beta=np.tile(betas, datasets).astype(np.float32),
        seed=np.zeros(datasets * len(betas), int),
        dataset="made up",
        image=None,
    )


def select(whole: Problem, models: np.ndarray) -> Problem:
    """The problem of some of the models."""
    return dataclasses.replace(whole, data=whole.data[models], beta=whole.beta[models], seed=whole.seed[models])


def same_bits(whole: Fitted, part: Fitted, models: np.ndarray) -> None:
    """The models of `part` are models `models` of `whole`, to the last bit."""
    assert part.kernels[0].tobytes() == whole.kernels[0][models].tobytes()
    assert part.biases[0].tobytes() == whole.biases[0][models].tobytes()
    for name, values in part.certificates.items():
        assert values.tobytes() == whole.certificates[name][models].tobytes(), name
