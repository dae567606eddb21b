"""Published numbers that the linear solvers must reproduce (science.md, 4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from l2audit.files import sha256_of
from l2audit.training.linear.huber import residual_scale, solve_huber
from l2audit.training.linear.squared import solve_squared

STARS = (
    "raw.githubusercontent.com/vincentarelbundock/Rdatasets/1dcc2bf5f955cc1224a3e1307256e1fe86b68dae"
    "/csv/robustbase/starsCYG.csv"
)
STARS_SHA256 = "578bfda4f4b76a99ee3697ea678888efd6e001808d44b9ad98eae0746ddcbed4"
MIRROR = Path(__file__).resolve().parents[3] / "shared" / "mirror"
GIANTS = np.array([7, 9, 11, 20, 30, 34]) - 1


def stackloss() -> tuple[np.ndarray, np.ndarray]:
    data = sm.datasets.stackloss.load_pandas().data
    return data.iloc[:, 1:].to_numpy(float), data.iloc[:, 0].to_numpy(float)


def test_stackloss_least_squares() -> None:
    """Brownlee's stack loss: R, lm(stack.loss ~ .), help page of `stackloss`."""
    X, y = stackloss()
    weights, intercept = solve_squared(X, y, np.zeros(1))
    np.testing.assert_allclose(np.append(intercept, weights), [-39.9197, 0.7156, 1.2953, -0.1521], atol=5e-5)
    residual = y - intercept[0] - X @ weights[0]
    assert np.sqrt(residual @ residual / (21 - 4)) == pytest.approx(3.243, abs=5e-4)


def test_stackloss_huber() -> None:
    """MASS::rlm(stack.loss ~ .), Venables and Ripley (2002), 6.5, and statsmodels' RLM to 1e-6."""
    X, y = stackloss()
    weights, intercept = solve_huber(X, y, np.zeros(1))
    found = np.append(intercept, weights)
    np.testing.assert_allclose(found, [-41.0265, 0.8294, 0.9261, -0.1278], atol=5e-5)
    scale = residual_scale(y - intercept[0] - X @ weights[0])
    assert scale == pytest.approx(2.441, abs=5e-4)
    reference = sm.RLM(y, sm.add_constant(X), M=sm.robust.norms.HuberT()).fit(maxiter=1000, tol=1e-12)
    np.testing.assert_allclose(found, reference.params, rtol=1e-6)


class TestLongley:
    """MASS::lm.ridge(Employed ~ ., longley): columns scaled by their population SD, penalty lambda = n * beta."""

    @staticmethod
    def sample() -> tuple[np.ndarray, np.ndarray]:
        data = sm.datasets.longley.load_pandas().data
        X = data[["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR"]].to_numpy(float)
        return (X - X.mean(axis=0)) / X.std(axis=0), data["TOTEMP"].to_numpy(float) / 1000

    def test_coefficients(self) -> None:
        X, y = self.sample()
        weights, _ = solve_squared(X, y, np.array([0.03 / len(y)]))
        np.testing.assert_allclose(weights[0], [0.2200, 0.7694, -1.1894, -0.5223, -0.6862, 4.0064], atol=5e-5)

    def test_choices_of_lambda(self) -> None:
        X, y = self.sample()
        n, p = X.shape
        weights, intercept = solve_squared(X, y, np.zeros(1))
        fitted = X @ weights[0]
        residual = y - intercept[0] - fitted
        variance = residual @ residual / (n - p - 1)
        assert (p - 2) * variance / np.sum(weights**2) == pytest.approx(
            0.004275357, rel=1e-6
        )  # Hoerl, Kennard, Baldwin
        assert (p - 2) * variance * n / np.sum(fitted**2) == pytest.approx(0.03229531, rel=1e-6)  # Lawless and Wang

    def test_generalised_cross_validation(self) -> None:
        X, y = self.sample()
        lambdas = np.arange(0, 0.1, 1e-4)
        weights, intercept = solve_squared(X, y, lambdas / len(y))
        squares = np.sum((y - intercept[:, None] - weights @ X.T) ** 2, axis=1)
        s = np.linalg.svd(X, compute_uv=False)
        freedom = np.sum(s**2 / (s**2 + lambdas[:, None]), axis=1)
        assert lambdas[np.argmin(squares / (len(y) - freedom) ** 2)] == pytest.approx(0.0028)


def test_scikit_learn_documentation() -> None:
    """sklearn user guide, 1.1.2: Ridge(alpha=.5).fit([[0, 0], [0, 0], [1, 1]], [0, .1, 1])."""
    X, y = np.array([[0.0, 0], [0, 0], [1, 1]]), np.array([0, 0.1, 1])
    weights, intercept = solve_squared(X, y, np.array([0.5 / 3]))
    np.testing.assert_allclose(weights[0], [0.34545455, 0.34545455], atol=5e-9)
    assert intercept[0] == pytest.approx(0.13636, abs=5e-6)


@pytest.mark.skipif(not (MIRROR / STARS).exists(), reason="the mirror with starsCYG.csv is not beside the repository")
class TestStars:
    """Hertzsprung-Russell diagram of CYG OB1, 47 stars, four giants: Rousseeuw and Leroy (1987), p. 27, table 3.

    Read from the mirror and not vendored: the licence of the copy in circulation is unclear.
    """

    ALPHAS = np.array([0.0, 1.0, 10.0])

    @pytest.fixture
    def stars(self) -> tuple[np.ndarray, np.ndarray]:
        assert sha256_of(MIRROR / STARS) == STARS_SHA256
        table = np.genfromtxt(MIRROR / STARS, delimiter=",", skip_header=1)
        return table[:, 1:2], table[:, 2]

    def test_least_squares_and_ridge_slope(self, stars: tuple[np.ndarray, np.ndarray]) -> None:
        X, y = stars
        weights, intercept = solve_squared(X, y, self.ALPHAS / len(y))
        assert intercept[0] == pytest.approx(6.7935, abs=5e-5)
        np.testing.assert_allclose(weights[:, 0], [-0.4133, -0.329, -0.116], atol=5e-4)

    def test_l2_shrinks_the_shift_and_not_the_relative_shift(self, stars: tuple[np.ndarray, np.ndarray]) -> None:
        X, y = stars
        rest = np.setdiff1d(np.arange(47), GIANTS)
        clean, base = solve_squared(X[rest], y[rest], self.ALPHAS / len(rest))
        assert clean[0, 0] == pytest.approx(3.046, abs=5e-4)
        assert base[0] == pytest.approx(-8.500, abs=5e-4)
        contaminated, _ = solve_squared(X, y, self.ALPHAS / len(y))
        shift = np.abs(clean - contaminated)[:, 0]
        np.testing.assert_allclose(shift[[0, 2]], [3.46, 0.29], atol=5e-3)
        np.testing.assert_allclose((shift / np.abs(clean[:, 0]))[[0, 2]], [1.14, 1.66], atol=5e-3)
