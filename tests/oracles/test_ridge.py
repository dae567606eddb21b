"""The optimum of ridge regression at other sizes than the registered fact has (`l2audit.facts.ridge`)."""

from __future__ import annotations

import numpy as np
import pytest

from l2audit.linear.squared import solve_squared


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
