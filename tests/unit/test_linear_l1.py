"""L1 penalties: scikit-learn, closed forms, optimality conditions, exact zeros."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.linear_model import Lasso, LogisticRegression

from l2audit.linear.cross_entropy import middle, solve_cross_entropy, solve_cross_entropy_l1
from l2audit.linear.squared import solve_squared, solve_squared_l1
from linear_problems import classes, collinear

BETAS = np.array([1e-4, 1e-3, 1e-2, 0.1, 1.0])


def sklearn_logistic(X: np.ndarray, y: np.ndarray, c: float, solver: str) -> LogisticRegression:
    """L1-penalised; its spelling differs between versions of scikit-learn, and one of them warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # An elastic net of nothing but L1, spelt alike in all versions; liblinear knows no elastic net.
        kind = {"penalty": "l1"} if solver == "liblinear" else {"penalty": "elasticnet", "l1_ratio": 1.0}
        model = LogisticRegression(C=c, solver=solver, tol=1e-9, max_iter=50_000, random_state=0, **kind)
        return model.fit(X, y)


class TestLasso:
    @pytest.mark.parametrize("shape", [(120, 8), (20, 40)])
    def test_is_scikit_learns(self, shape: tuple[int, int]) -> None:
        X, y = collinear(*shape)
        X = X / X.std(axis=0)
        weights, intercept = solve_squared_l1(X, y, BETAS[2:])
        for k, beta in enumerate(BETAS[2:]):
            lasso = Lasso(alpha=beta, tol=1e-13, max_iter=1_000_000).fit(X, y)
            np.testing.assert_allclose(weights[k], lasso.coef_, atol=1e-6 * np.abs(lasso.coef_).max())
            assert intercept[k] == pytest.approx(lasso.intercept_, rel=1e-6)
            np.testing.assert_array_equal(weights[k] == 0, lasso.coef_ == 0)

    def test_one_feature_is_the_soft_threshold(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(50, 1)) + 3
        y = 2 * x[:, 0] + rng.normal(size=50)
        centred = x[:, 0] - x.mean()
        inner, square = centred @ y / 50, centred @ centred / 50
        betas = np.array([0.1, 0.5, 0.9 * abs(inner), 1.1 * abs(inner)])
        weights, intercept = solve_squared_l1(x, y, betas)
        expected = np.sign(inner) * np.maximum(abs(inner) - betas, 0) / square
        np.testing.assert_allclose(weights[:, 0], expected, rtol=1e-12)
        np.testing.assert_allclose(intercept, y.mean() - expected * x.mean(), rtol=1e-12)

    def test_the_first_weight_appears_at_the_largest_correlation(self) -> None:
        X, y = collinear()
        edge = np.max(np.abs((X - X.mean(axis=0)).T @ y)) / len(y)
        weights, intercept = solve_squared_l1(X, y, edge * np.array([2, 1 + 1e-9, 1 - 1e-6]))
        assert (weights[:2] == 0).all()
        np.testing.assert_allclose(intercept[:2], y.mean(), rtol=1e-12)
        assert np.sum(weights[2] != 0) == 1

    def test_a_copy_of_a_column_changes_no_prediction(self) -> None:
        X, y = collinear()
        weights, intercept = solve_squared_l1(X, y, BETAS)
        doubled, base = solve_squared_l1(np.column_stack([X, X[:, 0]]), y, BETAS)
        merged = doubled[:, :-1].copy()
        merged[:, 0] += doubled[:, -1]
        np.testing.assert_allclose(merged, weights, atol=1e-6 * np.abs(weights).max())
        np.testing.assert_allclose(base, intercept, rtol=1e-6)
        assert (doubled[:, 0] * doubled[:, -1] >= 0).all(), "opposite signs would cost more"

    def test_scales_with_target_and_beta(self) -> None:
        X, y = collinear()
        weights, _ = solve_squared_l1(X, y, BETAS)
        scaled, _ = solve_squared_l1(X, 1000 * y, 1000 * BETAS)
        np.testing.assert_allclose(scaled, 1000 * weights, rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize(
        "shape", ["more columns than rows", "rounded dependence", "scales apart", "nothing varies"]
    )
    def test_is_optimal_where_the_path_of_scikit_learn_ends_early(self, shape: str) -> None:
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(40, 60)), rng.normal(size=40)
        if shape == "rounded dependence":
            X = np.column_stack([X[:, :6], X[:, :6].sum(axis=1)]).astype(np.float32).astype(float)
        if shape == "scales apart":
            X = X[:, :6] * np.logspace(-4, 2, 6)
        if shape == "nothing varies":
            X = np.ones((40, 3))
        weights, intercept = solve_squared_l1(X, y, BETAS)
        for w, b, beta in zip(weights, intercept, BETAS, strict=True):
            slope = (X @ w + b - y) / len(y)
            meets(X.T @ slope, w, slope.sum(), beta)

    def test_a_constant_column_gets_no_weight(self) -> None:
        X, y = collinear()
        X[:, 2] = 0.1
        assert (solve_squared_l1(X, y, BETAS)[0][:, 2] == 0).all()


class TestCrossEntropy:
    @pytest.mark.parametrize("k", [3, 4])
    def test_is_scikit_learns_multinomial_regression(self, k: int) -> None:
        X, y = classes(k=k)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        kernel, bias = solve_cross_entropy_l1(X, y, np.array([0.01, 0.1]), k)
        for model, beta in enumerate((0.01, 0.1)):
            reference = sklearn_logistic(X, y, 1 / (len(y) * beta), "saga")
            np.testing.assert_allclose(
                softmax(X @ kernel[model] + bias[model], axis=1), reference.predict_proba(X), atol=1e-6
            )
            ours, theirs = kernel[model].T, reference.coef_
            # The loss does not see a shift common to all classes, so only differences are determined.
            np.testing.assert_allclose(ours - ours.mean(axis=0), theirs - theirs.mean(axis=0), atol=1e-5)
            assert np.abs(ours).sum() == pytest.approx(np.abs(theirs).sum(), rel=1e-5)

    def test_two_classes_are_one_column_under_the_same_beta(self) -> None:
        X, y = classes(k=2)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        kernel, bias = solve_cross_entropy_l1(X, y, np.array([0.01, 0.1]), 2)
        np.testing.assert_array_equal(kernel[:, :, 0], -kernel[:, :, 1])
        for model, beta in enumerate((0.01, 0.1)):
            reference = sklearn_logistic(X, y, 1 / (len(y) * beta), "saga")
            np.testing.assert_allclose(2 * kernel[model, :, 1], reference.coef_[0], atol=1e-6)
            assert bias[model, 1] - bias[model, 0] == pytest.approx(reference.intercept_[0], abs=1e-6)
            np.testing.assert_array_equal(kernel[model, :, 1] == 0, np.abs(reference.coef_[0]) < 1e-9)

    def test_a_penalised_bias_is_liblinears(self) -> None:
        X, y = classes(k=2)
        ones = np.column_stack([X, np.ones(len(y))])
        kernel, _ = solve_cross_entropy_l1(ones, y, np.array([0.01]), 2, intercept=False)
        reference = sklearn_logistic(X, y, 1 / (len(y) * 0.01), "liblinear")
        found = 2 * kernel[0, :, 1]
        np.testing.assert_allclose(found[:-1], reference.coef_[0], atol=1e-4)
        assert found[-1] == pytest.approx(reference.intercept_[0], abs=1e-4)

    @pytest.mark.parametrize("k", [2, 3, 4])
    def test_the_first_weight_appears_at_the_largest_gradient(self, k: int) -> None:
        X, y = classes(k=k)
        residual = np.eye(k)[y] - np.bincount(y) / len(y)
        edge = np.max(np.abs((X - X.mean(axis=0)).T @ residual)) / len(y)
        kernel, bias = solve_cross_entropy_l1(X, y, edge * np.array([2, 1 + 1e-9, 1 - 1e-5]), k)
        assert (kernel[:2] == 0).all()
        np.testing.assert_allclose(softmax(bias[:2], axis=1), np.tile(np.bincount(y) / len(y), (2, 1)), rtol=1e-9)
        assert (kernel[2] != 0).any()

    @pytest.mark.parametrize("k", [2, 3, 4])
    def test_the_order_of_the_classes_does_not_matter(self, k: int) -> None:
        X, y = classes(k=k)
        kernel, bias = solve_cross_entropy_l1(X, y, np.array([1e-4, 0.02]), k)
        turned, base = solve_cross_entropy_l1(X, (y + 1) % k, np.array([1e-4, 0.02]), k)
        np.testing.assert_allclose(np.roll(turned, -1, axis=2), kernel, atol=1e-7)
        np.testing.assert_allclose(np.roll(base, -1, axis=1), bias, atol=1e-6)

    def test_tends_to_the_fit_without_penalty(self) -> None:
        X, y = classes(spread=0.5)
        kernel, bias = solve_cross_entropy_l1(X, y, np.array([1e-8]), 3)
        free, base = solve_cross_entropy(X, y, np.zeros(1), 3)
        np.testing.assert_allclose(
            softmax(X @ kernel[0] + bias[0], axis=1), softmax(X @ free[0] + base[0], axis=1), atol=1e-5
        )

    def test_separable_classes_are_solved_at_every_beta(self) -> None:
        X, y = classes(k=2, spread=6.0)
        betas = np.array([1e-6, 1e-5, 1e-4, 1e-3])
        kernel, bias = solve_cross_entropy_l1(X, y, betas, 2)
        for model, beta in enumerate(betas):
            g = X.T @ (softmax(X @ kernel[model] + bias[model], axis=1) - np.eye(2)[y]) / len(y)
            live = kernel[model] != 0
            assert live.any()
            np.testing.assert_allclose(g[live], -beta * np.sign(kernel[model][live]), rtol=1e-6)
            assert (np.abs(g[~live]) <= beta * (1 + 1e-6)).all()

    @pytest.mark.parametrize("k", [2, 3, 4, 5])
    def test_the_middle_is_the_shortest_among_the_cheapest(self, k: int) -> None:
        weights = np.random.default_rng(k).normal(size=(1, k, 6))
        weights[0, :2, 0] = 0.0
        shifts = np.linspace(-3, 3, 6001)
        cost = np.abs(weights[0, :, :, None] - shifts).sum(axis=0)
        length = ((weights[0, :, :, None] - shifts) ** 2).sum(axis=0)
        for column, shift in enumerate(middle(weights)[0, 0]):
            assert np.abs(weights[0, :, column] - shift).sum() <= cost[column].min() + 1e-9
            cheapest = cost[column] <= cost[column].min() + 1e-3
            assert np.sum((weights[0, :, column] - shift) ** 2) <= length[column][cheapest].min() + 0.02


@pytest.mark.parametrize("seed", range(12))
def test_collinear_columns_of_classes_that_separate(seed: int) -> None:
    """Logits of hundreds along directions that four decades lie between: Newton steps must neither creep nor run."""
    rng = np.random.default_rng(seed)
    n, p, k = rng.integers(8, 40), rng.integers(3, 12), rng.integers(2, 6)
    X = rng.normal(size=(n, p)) @ rng.normal(size=(p, p)) @ np.diag(np.logspace(0, -4, p)) @ rng.normal(size=(p, p))
    y = rng.permutation(n) % k
    kernel, bias = solve_cross_entropy_l1(X, y, np.array([1e-5, 1e-3]), k)
    for W, b, beta in zip(kernel, bias, (1e-5, 1e-3), strict=True):
        rows = (softmax(X @ W + b, axis=1) - np.eye(k)[y]) / n
        meets((X - X.mean(axis=0)).T @ rows, W, np.abs(rows.sum(axis=0)).max(), beta)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 30),
    p=st.integers(1, 10),
    k=st.integers(2, 4),
    beta=st.sampled_from([1e-3, 1e-2, 0.1, 1.0]),
    copied=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_optimality_conditions(n: int, p: int, k: int, beta: float, copied: bool, seed: int) -> None:
    """|gradient| <= beta everywhere, and = -beta * sign(w) where w is not 0; the intercept's is 0."""
    rng = np.random.default_rng(seed)
    X, values, labels = rng.normal(size=(n, p)), rng.normal(size=n), rng.integers(k, size=n)
    if copied:
        X[:, -1] = X[:, 0]
    weights, intercept = solve_squared_l1(X, values, np.array([beta]))
    slope = (X @ weights[0] + intercept[0] - values) / n
    meets(X.T @ slope, weights[0], slope.sum(), beta)
    if len(np.unique(labels)) < k:
        return  # the bias of an absent class has no minimum
    kernel, bias = solve_cross_entropy_l1(X, labels, np.array([beta]), k)
    rows = (softmax(X @ kernel[0] + bias[0], axis=1) - np.eye(k)[labels]) / n
    meets(X.T @ rows, kernel[0], np.abs(rows.sum(axis=0)).max(), beta)


def meets(gradient: np.ndarray, weights: np.ndarray, of_intercept: float, beta: float) -> None:
    assert (np.abs(gradient) <= beta * (1 + 1e-6) + 1e-12).all()
    live = weights != 0
    np.testing.assert_allclose(gradient[live], -beta * np.sign(weights[live]), rtol=1e-5, atol=1e-12)
    assert abs(of_intercept) < 1e-8


def test_a_stronger_penalty_leaves_fewer_and_smaller_weights() -> None:
    X, y = collinear()
    weights, _ = solve_squared_l1(X / X.std(axis=0), y, np.array([1e-4, 1e-2, 1e-1, 100.0]))
    sizes, live = np.abs(weights).sum(axis=1), np.sum(weights != 0, axis=1)
    assert (np.diff(sizes) < 0).all()
    assert live[0] > live[2] > live[3] == 0


def test_the_objective_of_cross_entropy_is_below_that_of_neighbours() -> None:
    X, y = classes(k=4)
    kernel, bias = solve_cross_entropy_l1(X, y, np.array([0.02]), 4)

    def objective(W: np.ndarray, b: np.ndarray) -> float:
        return float(-log_softmax(X @ W + b, axis=1)[np.arange(len(y)), y].mean() + 0.02 * np.abs(W).sum())

    rng, here = np.random.default_rng(0), objective(kernel[0], bias[0])
    for size in (1e-1, 1e-3, 1e-5):
        for _ in range(20):
            step = size * rng.normal(size=kernel[0].shape)
            assert objective(kernel[0] + step, bias[0] + size * rng.normal(size=4)) >= here - 1e-15


def test_lasso_tends_to_least_squares() -> None:
    X, y = collinear(p=4)
    weights, _ = solve_squared_l1(X, y, np.array([1e-9]))
    np.testing.assert_allclose(weights, solve_squared(X, y, np.zeros(1))[0], rtol=1e-4)
