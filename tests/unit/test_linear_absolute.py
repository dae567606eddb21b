"""Least absolute deviations: linear programming, quantile and support vector regression, closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from sklearn.linear_model import QuantileRegressor
from sklearn.svm import SVR

from l2audit.linear.absolute import loss_absolute, solve_absolute
from l2audit.linear.l1_regression import solve_absolute_l1
from linear_problems import collinear


def objective(X: np.ndarray, y: np.ndarray, w: np.ndarray, b: float, l1: float = 0.0, l2: float = 0.0) -> float:
    return float(np.mean(np.abs(y - b - X @ w)) + l1 * np.sum(np.abs(w)) + 0.5 * l2 * np.sum(w**2))


def best_by_linear_programming(X: np.ndarray, y: np.ndarray, beta: float) -> float:
    """The least mean absolute residual plus beta * sum|w|, by HiGHS: variables w+, w-, b, residuals up and down."""
    n, p = X.shape
    costs = np.concatenate([np.full(2 * p, beta), [0.0], np.full(2 * n, 1 / n)])
    rows = np.hstack([X, -X, np.ones((n, 1)), np.eye(n), -np.eye(n)])
    bounds = [(0, None)] * (2 * p) + [(None, None)] + [(0, None)] * (2 * n)
    return float(linprog(costs, A_eq=rows, b_eq=y, bounds=bounds, method="highs").fun)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """The least value with at least half of the weight at or below it."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())])


class TestWithoutPenalty:
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_is_the_linear_program_and_two_quantile_regressions(self, seed: int) -> None:
        X, y = collinear(seed=seed)
        weights, intercept = solve_absolute(X, y, np.zeros(1))
        assert objective(X, y, weights[0], intercept[0]) == pytest.approx(
            best_by_linear_programming(X, y, 0.0), rel=1e-10
        )
        sklearn = QuantileRegressor(quantile=0.5, alpha=0, solver="highs").fit(X, y)
        fitted = X @ weights[0] + intercept[0]
        np.testing.assert_allclose(fitted, sklearn.predict(X), atol=1e-5)

    def test_is_statsmodels_quantile_regression(self) -> None:
        """On Engel's data, whose median regression it documents: 81.4822 + 0.5602 income."""
        engel = sm.datasets.engel.load_pandas().data
        X, y = engel[["income"]].to_numpy(), engel["foodexp"].to_numpy()
        weights, intercept = solve_absolute(X, y, np.zeros(1))
        reference = sm.QuantReg(y, sm.add_constant(X)).fit(q=0.5)
        assert weights[0, 0] == pytest.approx(reference.params[1], rel=1e-5)
        assert weights[0, 0] == pytest.approx(0.5602, abs=5e-5)
        assert intercept[0] == pytest.approx(81.4822, abs=5e-5)

    def test_one_slope_is_a_weighted_median_of_ratios(self) -> None:
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(41, 1)), rng.normal(size=41)
        weights, intercept = solve_absolute(x, y, np.zeros(1), intercept=False)
        assert intercept[0] == 0
        assert weights[0, 0] == pytest.approx(weighted_median(y / x[:, 0], np.abs(x[:, 0])), rel=1e-12)

    def test_as_many_rows_are_fitted_as_there_are_coordinates(self) -> None:
        X, y = collinear()
        weights, intercept = solve_absolute(X, y, np.zeros(1))
        residual = np.abs(y - intercept[0] - X @ weights[0])
        assert np.sum(residual < 1e-10) == X.shape[1] + 1

    def test_an_outlier_counts_by_its_side_alone(self) -> None:
        """The subgradient knows the sign of a residual and not its size: no outlier in y can move the fit further."""
        X, y = collinear()
        betas = np.array([0.0, 0.1])
        weights, intercept = solve_absolute(X, y, betas)
        for model, beta in enumerate(betas):
            above = y - intercept[model] - X @ weights[model] > 1e-6
            moved, base = solve_absolute(X, y + 1e6 * above * (np.arange(len(y)) < 9), np.array([beta]))
            np.testing.assert_allclose(moved[0], weights[model], rtol=1e-6)
            assert base[0] == pytest.approx(intercept[model], rel=1e-6)

    def test_fewer_rows_than_columns_give_the_interpolation_of_least_norm(self) -> None:
        X, y = np.random.default_rng(0).normal(size=(10, 20)), np.random.default_rng(1).normal(size=10)
        weights, intercept = solve_absolute(X, y, np.zeros(1))
        np.testing.assert_allclose(X @ weights[0] + intercept[0], y, atol=1e-9)
        centred = X - X.mean(axis=0)
        # Every intercept interpolates here; for the one taken, the weights are the smallest that do.
        np.testing.assert_allclose(weights[0], np.linalg.pinv(centred) @ (centred @ weights[0]), atol=1e-9)

    def test_round_off_of_float32_is_not_a_feature(self) -> None:
        X, y = collinear(p=4)
        X = np.column_stack([X, X.sum(axis=1)]).astype(np.float32).astype(np.float64)
        weights, intercept = solve_absolute(X, y, np.zeros(1))
        alone, base = solve_absolute(X[:, :4], y, np.zeros(1))
        np.testing.assert_allclose(X @ weights[0] + intercept[0], X[:, :4] @ alone[0] + base[0], atol=1e-4)
        assert np.linalg.norm(weights) < 2 * np.linalg.norm(alone)

    def test_the_path_stands_still_near_zero(self) -> None:
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(100, 4)), rng.normal(size=100)
        weights, _ = solve_absolute(X, y, np.array([0.0, 1e-6, 1e-5]))
        np.testing.assert_allclose(weights[1:], weights[[0, 0]], rtol=1e-12)


class TestL2:
    @pytest.mark.parametrize(("n", "p"), [(120, 8), (20, 40)])
    @pytest.mark.parametrize("beta", [1e-3, 1e-1, 3.0])
    def test_is_support_vector_regression_without_a_margin(self, n: int, p: int, beta: float) -> None:
        X, y = collinear(n, p)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        weights, intercept = solve_absolute(X, y, np.array([beta]))
        svr = SVR(kernel="linear", C=1 / (n * beta), epsilon=0.0, tol=1e-8).fit(X, y)
        ours = objective(X, y, weights[0], intercept[0], l2=beta)
        theirs = objective(X, y, svr.coef_[0], svr.intercept_[0], l2=beta)
        assert ours <= theirs + 1e-12
        assert ours == pytest.approx(theirs, rel=1e-4)
        # Strong convexity: 0.5 beta |difference|^2 <= difference of the objectives.
        assert 0.5 * beta * np.sum((weights[0] - svr.coef_[0]) ** 2) <= theirs - ours + 1e-12

    def test_a_strong_penalty_leaves_the_median(self) -> None:
        y = np.array([0.0, 1.0, 3.0, 100.0])
        X = np.random.default_rng(0).normal(size=(4, 2))
        weights, intercept = solve_absolute(X, y, np.array([1e6]))
        np.testing.assert_allclose(weights, 0, atol=1e-5)
        assert intercept[0] == pytest.approx(2.0, abs=1e-4), "the middle of the interval of medians"

    def test_copies_of_all_rows_change_nothing(self) -> None:
        X, y = collinear(p=4)
        betas = np.array([0.0, 1e-2, 1.0])
        weights, intercept = solve_absolute(X, y, betas)
        doubled, base = solve_absolute(np.vstack([X, X]), np.append(y, y), betas)
        np.testing.assert_allclose(doubled, weights, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(base, intercept, rtol=1e-6, atol=1e-7)

    def test_scales_with_the_target(self) -> None:
        X, y = collinear()
        betas = np.array([1e-3, 1e-1])
        weights, intercept = solve_absolute(X, y, betas)
        scaled, base = solve_absolute(X, 1000 * y, betas / 1000)
        np.testing.assert_allclose(scaled, 1000 * weights, rtol=1e-7)
        np.testing.assert_allclose(base, 1000 * intercept, rtol=1e-7)


class TestL1:
    @pytest.mark.parametrize("beta", [1e-3, 1e-2, 1e-1, 1.0])
    def test_is_the_linear_program_and_sklearns_quantile_regression(self, beta: float) -> None:
        X, y = collinear()
        weights, intercept = solve_absolute_l1(X, y, np.array([beta]))
        ours = objective(X, y, weights[0], intercept[0], l1=beta)
        assert ours == pytest.approx(best_by_linear_programming(X, y, beta), rel=1e-10)
        # Its loss is half the absolute residual.
        sklearn = QuantileRegressor(quantile=0.5, alpha=beta / 2, solver="highs").fit(X, y)
        np.testing.assert_allclose(weights[0], sklearn.coef_, atol=1e-5 * np.abs(sklearn.coef_).max())
        np.testing.assert_array_equal(weights[0] == 0, np.abs(sklearn.coef_) < 1e-8)

    @pytest.mark.parametrize("beta", [0.01, 0.1, 0.3])
    def test_one_slope_is_a_weighted_median_with_zero_among_the_ratios(self, beta: float) -> None:
        rng = np.random.default_rng(1)
        x, y = rng.normal(size=(41, 1)), rng.normal(size=41) + 0.5
        weights, _ = solve_absolute_l1(x, y, np.array([beta]), intercept=False)
        expected = weighted_median(np.append(y / x[:, 0], 0.0), np.append(np.abs(x[:, 0]), 41 * beta))
        assert weights[0, 0] == pytest.approx(expected, rel=1e-12)

    def test_scales_with_the_target_at_the_same_beta(self) -> None:
        X, y = collinear()
        weights, intercept = solve_absolute_l1(X, y, np.array([0.1]))
        scaled, base = solve_absolute_l1(X, 1000 * y, np.array([0.1]))
        np.testing.assert_allclose(scaled, 1000 * weights, rtol=1e-9)
        np.testing.assert_allclose(base, 1000 * intercept, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 25),
    p=st.integers(1, 8),
    beta=st.sampled_from([0.0, 1e-3, 1e-1, 1.0]),
    grid=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_no_linear_program_does_better(n: int, p: int, beta: float, grid: bool, seed: int) -> None:
    """On a grid many rows coincide and many vertices are degenerate."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, p)), rng.normal(size=n)
    if grid:
        X, y = np.round(X), np.round(y)
    solve = solve_absolute_l1 if beta else solve_absolute
    weights, intercept = solve(X, y, np.array([beta]))
    best = best_by_linear_programming(X, y, beta)
    assert objective(X, y, weights[0], intercept[0], l1=beta) <= best + 1e-8 * (1 + best)


def test_the_loss_at_a_known_point() -> None:
    value, slope = loss_absolute(np.array([[1.0], [2.0], [3.0]]), np.array([0.0, 2.0, 7.0]))
    assert value == pytest.approx(5 / 3)
    np.testing.assert_allclose(slope[:, 0], [1 / 3, 0, -1 / 3])
