"""Exact facts about ridge regression: deletion, influence, noise, intercept, optimum, duplicates.

The squared-loss solver must reproduce each: they fix its beta, its free intercept and its centring at once.
"""

from __future__ import annotations

import numpy as np
import pytest

from l2audit.linear.squared import solve_squared

N, P = 40, 5
BETAS = np.array([1e-4, 1e-2, 0.1, 1.0, 10.0])


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(N, P)) @ rng.normal(size=(P, P)) + 2
    return X, X @ rng.normal(size=P) + rng.normal(size=N)


def test_deleting_a_row(sample: tuple[np.ndarray, np.ndarray]) -> None:
    """Oracle 1: w - w_(-i) = A^-1 x_i e_i / (1 - h_ii), leave-one-out residual e_i / (1 - h_ii), at fixed alpha."""
    X, y = sample
    for alpha in BETAS * N:
        weights, intercept = solve_squared(X, y, np.array([alpha / N]))
        design = np.column_stack([np.ones(N), X])
        inverse = np.linalg.inv(design.T @ design + alpha * np.diag([0] + [1] * P))
        residual = y - intercept[0] - X @ weights[0]
        for i in range(0, N, 7):
            rest = np.arange(N) != i
            without, base = solve_squared(X[rest], y[rest], np.array([alpha / (N - 1)]))
            leverage = design[i] @ inverse @ design[i]
            change = inverse @ design[i] * residual[i] / (1 - leverage)
            np.testing.assert_allclose(weights[0] - without[0], change[1:], atol=1e-12)
            assert intercept[0] - base[0] == pytest.approx(change[0], abs=1e-11)
            assert y[i] - base[0] - X[i] @ without[0] == pytest.approx(residual[i] / (1 - leverage), rel=1e-10)


def test_influence_of_a_little_contamination(sample: tuple[np.ndarray, np.ndarray]) -> None:
    """Oracle 2: d w / d epsilon = (S + beta I)^-1 [x0 r0 - beta w], x0 taken from the mean of X."""
    X, y = sample
    x0, y0, copies = X.mean(axis=0) + 3.0, 50.0, 5000
    mass = 1 / (copies * N + 1)
    before, intercept = solve_squared(X, y, BETAS)
    after, _ = solve_squared(np.vstack([np.tile(X, (copies, 1)), x0]), np.append(np.tile(y, copies), y0), BETAS)
    centred = X - X.mean(axis=0)
    for k, beta in enumerate(BETAS):
        pull = (x0 - X.mean(axis=0)) * (y0 - intercept[k] - x0 @ before[k]) - beta * before[k]
        expected = np.linalg.solve(centred.T @ centred / N + beta * np.eye(P), pull)
        np.testing.assert_allclose((after[k] - before[k]) / mass, expected, rtol=5e-3)


def test_influence_of_a_target_is_unbounded_at_every_beta_and_shrinks_with_beta(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    """Oracle 2, continued: linear in y0, with a gain that falls strictly in beta and is never zero."""
    X, y = sample
    shifts = []
    for size in (1.0, 1e3, 1e6):
        moved = y + np.eye(N)[0] * size
        shifts.append((solve_squared(X, moved, BETAS)[0] - solve_squared(X, y, BETAS)[0]) / size)
    np.testing.assert_allclose(shifts[1], shifts[0], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(shifts[2], shifts[0], rtol=1e-8, atol=1e-12)
    gain = np.linalg.norm(shifts[0], axis=1)
    assert (np.diff(gain) < 0).all()
    assert (gain > 0).all()


def test_symmetric_target_noise_costs_less_at_larger_beta_whatever_the_test_distribution(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    """Oracle 3: added risk is sigma^2/n tr[T (S+beta)^-1 S (S+beta)^-1], non-increasing in beta for any T."""
    X, _ = sample
    sigma = 1.7
    centred = X - X.mean(axis=0)
    S = centred.T @ centred / N
    # The solver is linear in y: its matrix, column by column.
    smoother = np.stack([solve_squared(X, unit, BETAS)[0] for unit in np.eye(N)], axis=2)
    rng = np.random.default_rng(2)
    for _ in range(20):
        root = rng.normal(size=(P, P)) * rng.exponential(size=P)
        T = root @ root.T
        added = sigma**2 * np.einsum("kpi,pq,kqi->k", smoother, T, smoother)
        for k, beta in enumerate(BETAS):
            inverse = np.linalg.inv(S + beta * np.eye(P))
            assert added[k] == pytest.approx(sigma**2 / N * np.trace(T @ inverse @ S @ inverse), rel=1e-9)
        assert (np.diff(added) < 0).all()


def test_a_vertical_outlier_moves_the_centre_by_its_size_over_n_at_every_beta(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    """Oracle 4: L2 does not touch the intercept."""
    X, y = sample
    size = 100.0
    moved = y + np.eye(N)[3] * size

    def centre(target: np.ndarray) -> np.ndarray:
        weights, intercept = solve_squared(X, target, BETAS)
        return intercept + weights @ X.mean(axis=0)

    np.testing.assert_allclose(centre(moved) - centre(y), size / N, rtol=1e-10)


@pytest.mark.parametrize(("sigma", "rows"), [(1.0, 100), (1.0, 400), (0.5, 100)])
def test_the_best_penalty_of_an_isotropic_design(sigma: float, rows: int) -> None:
    """Oracle 10: n beta = p sigma^2 / ||w||^2, whatever n, is within 0.5 % of the best risk on a grid.

    Nakkiran et al. (2021); the risk is averaged over 200 draws of design, direction and noise.
    """
    p = 50
    best = p * sigma**2
    factors = np.append(1.0, np.logspace(-1, 1, 31))
    rng = np.random.default_rng(3)
    risk = np.zeros(len(factors))
    for _ in range(200):
        w = rng.normal(size=p)
        w /= np.linalg.norm(w)
        X = rng.normal(size=(rows, p))
        y = X @ w + sigma * rng.normal(size=rows)
        risk += np.sum((solve_squared(X, y, factors * best / rows)[0] - w) ** 2, axis=1)
    assert risk[0] <= 1.005 * risk.min()
    assert risk[1:].max() > 1.2 * risk.min(), "the grid reaches penalties that are clearly worse"


def test_a_duplicated_column_shares_its_weight_equally(sample: tuple[np.ndarray, np.ndarray]) -> None:
    """Oracle 12 (Zou and Hastie, 2005); the pair acts as one column under half the penalty."""
    X, y = sample
    doubled = np.column_stack([X, X[:, 0]])
    weights, _ = solve_squared(doubled, y, np.append(0.0, BETAS))
    np.testing.assert_allclose(weights[:, 0], weights[:, -1], rtol=1e-9)
    merged = np.column_stack([X[:, 0] * np.sqrt(2), X[:, 1:]])
    single, _ = solve_squared(merged, y, np.append(0.0, BETAS))
    np.testing.assert_allclose(weights[:, 0], single[:, 0] / np.sqrt(2), rtol=1e-8)
