"""Facts about L2-penalised logistic regression: bounded influence, bounded norm, label noise."""

from __future__ import annotations

import numpy as np
import pytest

from l2audit.linear.cross_entropy import solve_cross_entropy


def mirrored(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X and -X with opposite labels: the free intercept is 0 by symmetry, as in theorems about models without one."""
    return np.vstack([X, -X]), np.append(y, 1 - y)


def one_column(X: np.ndarray, y: np.ndarray, beta: float | np.ndarray) -> np.ndarray:
    """Weights (m, p) of sigmoid(x w) under beta * 0.5 * ||w||^2: twice the beta on two columns (models/beta.py)."""
    kernel, bias = solve_cross_entropy(X, y, 2 * np.atleast_1d(np.asarray(beta, float)), 2)
    np.testing.assert_allclose(bias, 0, atol=1e-9)
    return np.asarray(kernel[:, :, 1] - kernel[:, :, 0])


def test_one_flipped_label_moves_the_weights_by_at_most_1_over_beta_n() -> None:
    """Oracle 5, unit-norm rows (Christmann and Steinwart, 2004; Bousquet and Elisseeff, 2002).

    The mirror flips a second row, so that two flips among 2 n rows move the weights by at most 2 / (beta 2 n).
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    y = (X @ rng.normal(size=4) + 0.3 * rng.normal(size=30) > 0).astype(int)
    betas = np.array([1e-3, 1e-2, 1e-1, 1.0])
    before = one_column(*mirrored(X, y), betas)
    share = np.zeros(len(betas))
    for row in range(len(y)):
        flipped = np.where(np.arange(len(y)) == row, 1 - y, y)
        shift = np.linalg.norm(one_column(*mirrored(X, flipped), betas) - before, axis=1)
        share = np.maximum(share, shift * betas * len(y))
    assert (share <= 1 + 1e-6).all()
    assert (np.diff(share) > 0).all()
    assert share[-2] > 0.5, "the bound is nearly reached: a beta that is wrong by a factor of 2 would break it"


@pytest.mark.parametrize("classes", [2, 10])
def test_the_norm_is_bounded_whatever_the_labels(classes: int) -> None:
    """Oracle 6: beta * 0.5 * ||W||^2 <= ln K, because zero weights cost no more than ln K."""
    rng = np.random.default_rng(1)
    betas = np.array([0, 1e-6, 1e-4, 1e-2, 1.0])
    for scale in (1.0, 30.0):
        X, y = scale * rng.normal(size=(40, 60)), rng.integers(classes, size=40)
        kernel, _ = solve_cross_entropy(X, y, betas, classes)
        energy = 0.5 * betas * np.sum(kernel**2, axis=(1, 2))
        assert (energy <= np.log(classes)).all()
        assert np.isfinite(kernel).all()


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.3, 0.4])
def test_strong_l2_makes_logistic_regression_robust_to_symmetric_label_noise(rate: float) -> None:
    """Oracle 8: the points of Long and Servedio, noise in its exact expectation (van Rooyen, Menon, Williamson, 2015).

    (1, 0) once, (g, 5 g) once, (g, -g) twice, g = 1/24, all positive, among every 10 copies 10 * rate flipped.
    """
    g = 1 / 24
    points = np.array([[1, 0], [g, 5 * g], [g, -g], [g, -g]])
    X = np.repeat(points, 10, axis=0)
    y = np.tile((np.arange(10) >= round(10 * rate)).astype(int), 4)
    betas = np.array([1e-6, 0.1, 1.0, 10.0])
    wrong = (one_column(*mirrored(X, y), betas) @ points.T <= 0).mean(axis=1)
    assert wrong[0] == 0.5
    assert (wrong[1:] == 0).all()
