"""The exact linear solvers: agreement with independent implementations, certificates, independence of company."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from benchmarks.conventions import binary_logistic_c, logistic_c, mlp_alpha, ridge_alpha
from l2audit.linear import fit_linear
from l2audit.linear.cross_entropy import loss_cross_entropy, solve_cross_entropy
from l2audit.linear.fit import LINEAR_LOSSES
from l2audit.linear.huber import TUNING, loss_huber, residual_scale, solve_huber
from l2audit.linear.squared import loss_squared, solve_squared
from l2audit.models.penalties import read_penalty
from l2audit.models.problem import Problem
from l2audit.registry import UnknownName
from linear_problems import BETAS, classes, collinear, problem, same_bits, select

L2 = read_penalty("l2")

LOSSES = [
    ("regression", "squared"),
    ("regression", "huber"),
    ("classification", "cross_entropy"),
]


class TestSquared:
    @pytest.mark.parametrize("shape", [(120, 8), (20, 40)])
    def test_is_scikit_learns_ridge(self, shape: tuple[int, int]) -> None:
        X, y = collinear(*shape)
        weights, intercept = solve_squared(X, y, BETAS[1:])
        for k, beta in enumerate(BETAS[1:]):
            ridge = Ridge(alpha=ridge_alpha(len(y), beta), solver="svd").fit(X, y)
            np.testing.assert_allclose(weights[k], ridge.coef_, rtol=1e-8, atol=1e-10 * np.abs(ridge.coef_).max())
            assert intercept[k] == pytest.approx(ridge.intercept_, rel=1e-8)

    @pytest.mark.parametrize("shape", [(120, 8), (20, 40)])
    def test_without_penalty_is_least_squares_of_minimum_norm(self, shape: tuple[int, int]) -> None:
        X, y = collinear(*shape)
        weights, _ = solve_squared(X, y, np.zeros(1))
        expected = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0]
        np.testing.assert_allclose(weights[0], expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())

    def test_round_off_of_float32_is_not_a_feature(self) -> None:
        X, y = collinear(p=4)
        X = np.column_stack([X, X.sum(axis=1)]).astype(np.float32).astype(np.float64)
        assert 0 < np.linalg.svd(X - X.mean(axis=0))[1][-1] < 1e-3, "the dependence is exact but for rounding"
        rounded, _ = solve_squared(X, y, np.zeros(1))
        exact = np.linalg.pinv(X - X.mean(axis=0), rcond=1e-6) @ y
        np.testing.assert_allclose(rounded[0], exact, rtol=1e-8)
        naive = np.linalg.lstsq(X - X.mean(axis=0), y, rcond=None)[0]
        assert np.linalg.norm(naive) > 100 * np.linalg.norm(exact), "what the rule is there to prevent"


class TestHuber:
    @pytest.mark.parametrize("seed", [0, 1, 2, 17, 24, 36])
    def test_without_penalty_is_statsmodels_rlm(self, seed: int) -> None:
        X, y = collinear(seed=seed)
        weights, intercept = solve_huber(X, y, np.zeros(1))
        reference = sm.RLM(y, sm.add_constant(X), M=sm.robust.norms.HuberT(TUNING)).fit(maxiter=2000, tol=1e-12)
        residual = y - intercept[0] - X @ weights[0]
        np.testing.assert_allclose(residual, reference.resid, atol=1e-6)
        assert residual_scale(residual) == pytest.approx(reference.scale, rel=1e-6)

    def test_with_penalty_minimises_the_objective_at_its_own_scale(self) -> None:
        X, y = collinear(p=4)
        betas = np.array([1e-3, 1e-1, 1.0])
        weights, intercept = solve_huber(X, y, betas)
        for w, b, beta in zip(weights, intercept, betas, strict=True):
            k = TUNING * float(residual_scale(y - b - X @ w))

            def objective(state: np.ndarray, beta: float = beta, k: float = k) -> float:
                size = np.abs(y - state[0] - X @ state[1:])
                loss = np.where(size <= k, 0.5 * size**2, k * size - 0.5 * k**2)
                return float(loss.mean() + 0.5 * beta * np.sum(state[1:] ** 2))

            here = np.r_[b, w]
            found = minimize(objective, np.r_[np.median(y), np.zeros(4)], method="BFGS", options={"gtol": 1e-9})
            assert objective(here) <= found.fun + 1e-12
            np.testing.assert_allclose(X @ w + b, found.x[0] + X @ found.x[1:], atol=1e-4)

    def test_an_exact_fit_of_most_rows_stays_finite(self) -> None:
        X, y = collinear(20, 40)
        weights, intercept = solve_huber(X, y, np.array([0.0, 1e-3]))
        assert np.isfinite(weights).all()
        np.testing.assert_allclose(X @ weights[0] + intercept[0], y, atol=1e-6)


class TestCrossEntropy:
    def test_is_scikit_learns_multinomial_logistic_regression(self) -> None:
        X, y = classes(k=4)
        kernel, bias = solve_cross_entropy(X, y, BETAS[1:], 4)
        for k, beta in enumerate(BETAS[1:]):
            reference = LogisticRegression(C=logistic_c(len(y), beta), solver="newton-cg", tol=1e-10, max_iter=1000)
            reference.fit(X, y)
            np.testing.assert_allclose(kernel[k].T, reference.coef_, atol=1e-5 * np.abs(reference.coef_).max())
            shift = reference.intercept_ - reference.intercept_.mean()
            np.testing.assert_allclose(bias[k], shift, atol=1e-5 * (1 + np.abs(shift).max()))
        np.testing.assert_allclose(kernel.sum(axis=2), 0, atol=1e-10)

    def test_two_classes_convert_to_one_column(self) -> None:
        X, y = classes(k=2)
        kernel, bias = solve_cross_entropy(X, y, BETAS[1:], 2)
        for k, beta in enumerate(BETAS[1:]):
            reference = LogisticRegression(C=binary_logistic_c(len(y), beta), solver="newton-cg", tol=1e-10).fit(X, y)
            np.testing.assert_allclose(kernel[k, :, 1] - kernel[k, :, 0], reference.coef_[0], rtol=2e-5, atol=1e-8)
            assert bias[k, 1] - bias[k, 0] == pytest.approx(reference.intercept_[0], rel=2e-5, abs=1e-8)

    def test_without_penalty_is_the_maximum_likelihood_estimate_where_it_exists(self) -> None:
        X, y = classes(spread=0.5)
        kernel, bias = solve_cross_entropy(X, y, np.zeros(1), 3)
        reference = sm.MNLogit(y, sm.add_constant(X)).fit(disp=False, method="newton", maxiter=100, tol=1e-12)
        estimate = np.vstack([bias[0], kernel[0]])
        np.testing.assert_allclose(estimate[:, 1:] - estimate[:, :1], reference.params, rtol=1e-4, atol=1e-6)

    def test_without_penalty_separable_classes_get_the_maximum_margin_direction(self) -> None:
        X, y = classes(k=2, spread=4.0)
        kernel, _ = solve_cross_entropy(X, y, np.zeros(1), 2)
        found = kernel[0, :, 1] - kernel[0, :, 0]
        margin = SVC(kernel="linear", C=1e6).fit(X, y)
        assert margin.score(X, y) == 1, "separable"
        assert np.isfinite(found).all()
        cosine = found @ margin.coef_[0] / np.linalg.norm(found) / np.linalg.norm(margin.coef_)
        assert cosine > 0.99

    def test_two_descriptions_of_the_loss_agree(self) -> None:
        X, y = classes()
        logits = X @ np.random.default_rng(0).normal(size=(5, 3)) * 20
        value, _ = loss_cross_entropy(logits, y)
        assert value == pytest.approx(-log_softmax(logits, axis=1)[np.arange(len(y)), y].mean(), rel=1e-12)


@pytest.mark.parametrize(("task", "loss"), LOSSES)
class TestFitLinear:
    def test_a_run_does_not_depend_on_its_company(self, task: str, loss: str) -> None:
        whole = problem(task)
        together = fit_linear(whole, loss, L2)
        order = np.arange(len(whole.beta))[::-1]
        reversed_ = fit_linear(select(whole, order), loss, L2)
        same_bits(together, reversed_, order)
        for model in (0, 1, 6, len(order) - 1):
            same_bits(together, fit_linear(select(whole, np.array([model])), loss, L2), np.array([model]))

    def test_certificates(self, task: str, loss: str) -> None:
        certificates = fit_linear(problem(task), loss, L2).certificates
        free = np.tile(BETAS == 0, 2)
        assert set(certificates) == {"train_loss", "gradient_ratio", "balance", "decay_exposure", "finite"}
        assert certificates["finite"].all()
        assert np.isnan(certificates["balance"]).all()
        np.testing.assert_array_equal(certificates["decay_exposure"], np.where(free, 0, np.inf))
        np.testing.assert_array_equal(certificates["gradient_ratio"][free], 1)
        assert certificates["gradient_ratio"][~free].max() < 1e-5
        assert (np.diff(certificates["train_loss"].reshape(2, -1), axis=1) > -1e-12).all() or loss == "huber"

    def test_the_certificate_sees_a_solution_that_is_off(
        self, task: str, loss: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        honest = LINEAR_LOSSES[loss]

        def shrunk(*given: Any, **named: Any) -> tuple[np.ndarray, np.ndarray]:
            kernel, bias = honest.solvers["l2"](*given, **named)
            return 0.9 * kernel, bias

        monkeypatch.setitem(LINEAR_LOSSES._items, loss, dataclasses.replace(honest, solvers={"l2": shrunk}))
        ratio = fit_linear(problem(task, betas=np.array([1e-2, 1.0])), loss, L2).certificates["gradient_ratio"]
        assert (ratio > 0.05).all()

    def test_predictions_are_those_of_the_kernel_on_the_rows_asked_for(self, task: str, loss: str) -> None:
        whole = problem(task)
        fitted = fit_linear(whole, loss, L2)
        which = 1 - whole.data
        predicted = fitted.predict(whole.X, which)
        assert predicted.dtype == fitted.kernels[0].dtype == fitted.biases[0].dtype == np.float32
        for model, index in enumerate(which):
            kernel = fitted.kernels[0][model].astype(float)
            expected = whole.X[index] @ kernel + fitted.biases[0][model]
            round_off = 1e-6 * (np.abs(whole.X[index]) @ np.abs(kernel) + np.abs(fitted.biases[0][model]))
            assert (np.abs(predicted[model] - expected) <= round_off).all()

    def test_the_gradient_of_the_loss_is_its_derivative(self, task: str, loss: str) -> None:
        whole = problem(task, datasets=1)
        y = whole.y[0].astype(int if task == "classification" else float)
        predicted = np.random.default_rng(0).normal(size=(len(y), whole.outputs)) * 3
        value, gradient = LINEAR_LOSSES[loss].loss(predicted, y)
        assert np.isfinite(value)
        if loss == "huber":  # its scale is an estimate, at which the gradient is taken
            size = np.abs(predicted[:, 0] - y)
            k = TUNING * residual_scale(size)
            np.testing.assert_allclose(np.abs(gradient[:, 0]) * len(y), np.minimum(size, k), rtol=1e-12)
            return
        for row, column in ((0, 0), (7, whole.outputs - 1)):
            up, down = predicted.copy(), predicted.copy()
            up[row, column] += 1e-5
            down[row, column] -= 1e-5
            slope = (LINEAR_LOSSES[loss].loss(up, y)[0] - LINEAR_LOSSES[loss].loss(down, y)[0]) / 2e-5
            assert gradient[row, column] == pytest.approx(slope, rel=1e-5, abs=1e-9)

    def test_another_task_is_refused(self, task: str, loss: str) -> None:
        other = "classification" if task == "regression" else "regression"
        with pytest.raises(ValueError, match=f"is for {task}, not for {other}"):
            fit_linear(problem(other), loss, L2)


@pytest.mark.parametrize(("task", "loss"), [one for one in LOSSES if one[1] != "huber"])
def test_weights_never_grow_with_beta(task: str, loss: str) -> None:
    """True of any loss at its minimum (exchange argument); Huber's scale moves with beta, so it is not covered."""
    fitted = fit_linear(problem(task), loss, L2)
    norms = np.linalg.norm(fitted.kernels[0].reshape(2, len(BETAS), -1), axis=2)
    assert (np.diff(norms, axis=1) < 0).all()
    assert (norms[:, -1] < norms[:, 0]).all()


def test_an_unknown_loss_says_what_is_known() -> None:
    with pytest.raises(UnknownName, match="did you mean 'squared'"):
        fit_linear(problem("regression"), "square", L2)


def test_two_outputs_of_a_regression_are_refused() -> None:
    with pytest.raises(ValueError, match="1 output"):
        fit_linear(dataclasses.replace(problem("regression"), outputs=2), "squared", L2)


@pytest.mark.parametrize(("task", "loss"), LOSSES)
def test_a_training_set_that_is_not_finite_is_a_row_and_harms_no_other(task: str, loss: str) -> None:
    whole = problem(task)
    clean = fit_linear(whole, loss, L2)
    whole.X[0, 0, 0] = np.inf
    fitted = fit_linear(whole, loss, L2)
    spoilt = whole.data == 0
    np.testing.assert_array_equal(fitted.certificates["finite"], ~spoilt)
    assert np.isnan(fitted.kernels[0][spoilt]).all()
    np.testing.assert_array_equal(fitted.kernels[0][~spoilt], clean.kernels[0][~spoilt])


@settings(max_examples=60)
@given(
    n=st.integers(1, 12),
    p=st.integers(1, 8),
    k=st.integers(2, 4),
    constant=st.booleans(),
    one_class=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_degenerate_training_sets_give_finite_models(
    n: int, p: int, k: int, constant: bool, one_class: bool, seed: int
) -> None:
    """Single rows, fewer rows than columns, constant columns, absent classes, one class alone."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(1, n, p))
    X[:, :, : 1 + (p - 1) * (seed % 2)] = 0.1 if constant else X[:, :, : 1 + (p - 1) * (seed % 2)]
    beta = np.array([0, 1e-5, 1.0], np.float32)
    shared: dict[str, Any] = {"data": np.zeros(3, int), "beta": beta, "seed": np.zeros(3, int), "dataset": "d"}
    labels = np.zeros((1, n), np.int32) if one_class else rng.integers(k, size=(1, n)).astype(np.int32)
    values = np.full((1, n), 2.0, np.float32) if one_class else rng.normal(size=(1, n)).astype(np.float32)
    for task, outputs, y, losses in (
        ("classification", k, labels, ("cross_entropy",)),
        ("regression", 1, values, ("squared", "huber")),
    ):
        for loss in losses:
            fitted = fit_linear(Problem(task, outputs, X.astype(np.float32), y, image=None, **shared), loss, L2)
            assert fitted.certificates["finite"].all()
            assert np.isfinite(fitted.predict(X, np.zeros(3, int))).all()


def test_asking_what_can_be_solved_imports_neither_tensorflow_nor_scikit_learn() -> None:
    program = "import sys, l2audit.linear; sys.exit(bool({'tensorflow', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


class TestBeta:
    """Conversions that no other test covers, each against the library's own arithmetic."""

    def test_mlp_alpha(self) -> None:
        X, y = classes()
        beta = 0.03
        net = MLPClassifier((7,), solver="lbfgs", alpha=mlp_alpha(len(y), beta), max_iter=20, random_state=0)
        with pytest.warns(Warning):
            net.fit(X, y)
        loss = -np.mean(np.log(net.predict_proba(X)[np.arange(len(y)), y]))
        penalty = sum(0.5 * np.sum(kernel**2) for kernel in net.coefs_)
        assert net.loss_ == pytest.approx(loss + beta * penalty, rel=1e-6)

    def test_sgd_alpha_is_beta(self) -> None:
        X, y = classes(k=2)
        beta, rate = 0.25, 0.125
        model = SGDClassifier("log_loss", alpha=beta, learning_rate="constant", eta0=rate, fit_intercept=False)
        w = np.zeros(X.shape[1])
        for x, label in zip(X[:5], y[:5], strict=True):
            model.partial_fit(x[None], [label], classes=[0, 1])
            w = w - rate * ((1 / (1 + np.exp(-x @ w)) - label) * x + beta * w)
        np.testing.assert_allclose(model.coef_[0], w, rtol=1e-10)

    def test_no_penalty_is_an_infinite_c(self) -> None:
        assert logistic_c(10, 0.0) == float("inf")
        assert logistic_c(10, 0.01) == pytest.approx(10.0)


def test_losses_at_a_known_point() -> None:
    y = np.array([0.0, 0.0, 0.0, 10.0])
    predicted = np.array([[1.0], [-1.0], [1.0], [0.0]])
    assert loss_squared(predicted, y)[0] == pytest.approx((0.5 * 3 + 50) / 4)
    k = TUNING / 0.6744897501960817
    assert loss_huber(predicted, y)[0] == pytest.approx((0.5 * 3 + 10 * k - 0.5 * k**2) / 4)
