"""Which loss goes with which penalty, what a penalty reaches, and certificates that no solver has a hand in."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import Lasso, LogisticRegression

from benchmarks.conventions import logistic_c
from l2audit.linear import fit_linear, supports
from l2audit.linear.certificate import gradient_ratio
from l2audit.linear.fit import LINEAR_LOSSES
from l2audit.linear.huber import TUNING, residual_scale
from l2audit.models.penalties import WORDS, read_penalty
from l2audit.models.problem import Problem
from l2audit.registry import UnknownName
from linear_problems import BETAS, classes, collinear, problem, same_bits, select

ACTING = ["l2", "l1", "l2 with biases", "l1 with biases"]
WITHOUT_EFFECT = ["none", "placebo", "l2 except output", "l1 except 1", "l2 except output with biases"]
FEW = np.array([0, 1e-5, 1e-2, 0.3, 3])
LOSSES = [("regression", "squared"), ("regression", "huber"), ("classification", "cross_entropy")]


def pairs(texts: list[str]) -> list[tuple[str, str, str]]:
    """Task, loss and penalty of all that is solved: Huber's loss has no solver under L1."""
    return [(task, loss, text) for task, loss in LOSSES for text in texts if not (loss == "huber" and "l1" in text)]


class TestSupports:
    @pytest.mark.parametrize("loss", LINEAR_LOSSES.names())
    def test_every_penalty_but_decay(self, loss: str) -> None:
        for _, _, text in [one for one in pairs([*ACTING, *WITHOUT_EFFECT]) if one[1] == loss]:
            supports(loss, read_penalty(text))
        refused = {word for word in WORDS if word not in ("l2", "l1", "none", "placebo")}
        assert refused == {"decay"}
        with pytest.raises(
            ValueError, match=r"'decay' is a way of training networks.*: use l2, .*none, placebo, or give"
        ):
            supports(loss, read_penalty("decay"))

    def test_huber_under_l1(self) -> None:
        with pytest.raises(
            ValueError, match=r"'l1' has no exact solver under loss 'huber'.*: use l2, none, placebo, or"
        ):
            supports("huber", read_penalty("l1 with biases"))

    def test_a_kernel_that_is_not_there(self) -> None:
        with pytest.raises(ValueError, match=r"no kernel 2.*a linear model has one kernel"):
            supports("squared", read_penalty("l2 except 2"))

    def test_an_unknown_loss(self) -> None:
        with pytest.raises(UnknownName, match="did you mean 'huber'"):
            supports("hubert", read_penalty("l2"))
        with pytest.raises(UnknownName, match="'absolute': known are cross_entropy, huber, squared"):
            supports("absolute", read_penalty("l2"))

    def test_fitting_asks_first(self) -> None:
        with pytest.raises(ValueError, match="'decay'"):
            fit_linear(problem("regression"), "squared", read_penalty("decay"))


class TestEveryLoss:
    @pytest.mark.parametrize(("task", "loss", "text"), pairs(WITHOUT_EFFECT))
    def test_a_penalty_on_nothing_makes_every_beta_zero(self, task: str, loss: str, text: str) -> None:
        whole = problem(task, betas=FEW)
        fitted = fit_linear(whole, loss, read_penalty(text))
        zero = fit_linear(dataclasses.replace(whole, beta=np.zeros_like(whole.beta)), loss, read_penalty("l2"))
        same_bits(zero, fitted, np.arange(len(whole.beta)))
        assert (fitted.certificates["gradient_ratio"] == 1).all()
        assert (fitted.certificates["decay_exposure"] == 0).all()

    @pytest.mark.parametrize(("task", "loss", "text"), pairs(ACTING))
    def test_at_beta_zero_all_penalties_are_the_same(self, task: str, loss: str, text: str) -> None:
        whole = problem(task, betas=FEW)
        free = np.flatnonzero(whole.beta == 0)
        l2 = fit_linear(select(whole, free), loss, read_penalty("l2"))
        same_bits(fit_linear(whole, loss, read_penalty(text)), l2, free)

    @pytest.mark.parametrize(("task", "loss", "text"), pairs(ACTING))
    def test_a_run_does_not_depend_on_its_company(self, task: str, loss: str, text: str) -> None:
        whole = problem(task, betas=FEW)
        penalty = read_penalty(text)
        together = fit_linear(whole, loss, penalty)
        order = np.arange(len(whole.beta))[::-1]
        same_bits(together, fit_linear(select(whole, order), loss, penalty), order)
        for model in (0, 1, 3, len(order) - 1):
            same_bits(together, fit_linear(select(whole, np.array([model])), loss, penalty), np.array([model]))

    @pytest.mark.parametrize(("task", "loss", "text"), pairs(ACTING))
    def test_certificates_are_met(self, task: str, loss: str, text: str) -> None:
        ratio = fit_linear(problem(task), loss, read_penalty(text)).certificates["gradient_ratio"]
        assert ratio[np.tile(BETAS > 0, 2)].max() < 1e-5

    @pytest.mark.parametrize(("task", "loss", "text"), pairs(ACTING))
    def test_the_certificate_sees_weights_and_biases_that_are_off(
        self, task: str, loss: str, text: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        honest, penalty = LINEAR_LOSSES[loss], read_penalty(text)
        for factor, shift in ((0.99, 0.0), (1.0, 0.3)):

            def spoilt(*given: Any, factor: float = factor, shift: float = shift, **named: Any) -> Any:
                kernel, bias = honest.solvers[penalty.word](*given, **named)
                kernel = factor * kernel
                off = shift * np.arange(bias.shape[1])[::-1] if bias.ndim > 1 else shift
                if penalty.biases:
                    kernel[:, -1] += off
                return kernel, bias + off

            solvers = {**honest.solvers, penalty.word: spoilt}
            monkeypatch.setitem(LINEAR_LOSSES._items, loss, dataclasses.replace(honest, solvers=solvers))
            fitted = fit_linear(problem(task, betas=np.array([1e-3, 1e-2])), loss, penalty)
            assert (fitted.certificates["gradient_ratio"] > 1e-3).all()

    @pytest.mark.parametrize(("task", "loss", "text"), pairs(["l1"]))
    def test_l1_zeros_are_exact_in_what_is_handed_on(self, task: str, loss: str, text: str) -> None:
        whole = problem(task, betas=np.array([1e-4, 1e-2, 100.0]))
        kernel = fit_linear(whole, loss, read_penalty(text)).kernels[0].reshape(2, 3, -1)
        zeros = (kernel == 0).sum(axis=2)
        assert (zeros[:, 2] == kernel.shape[2]).all()
        assert (zeros[:, 1] < zeros[:, 2]).all()
        small = np.abs(kernel[kernel != 0]).min()
        assert small > 1e-9, "what is not 0 is not round-off"


class TestPenalisedBias:
    def test_squared_is_ridge_on_a_column_of_ones(self) -> None:
        whole = problem("regression", datasets=1, betas=FEW[1:])
        fitted = fit_linear(whole, "squared", read_penalty("l2 with biases"))
        X = np.column_stack([whole.X[0].astype(float), np.ones(whole.X.shape[1])])
        for model, beta in enumerate(whole.beta.astype(float)):
            normal = X.T @ X / len(X) + beta * np.eye(X.shape[1])
            expected = np.linalg.solve(normal, X.T @ whole.y[0].astype(float) / len(X))
            found = np.append(fitted.kernels[0][model, :, 0], fitted.biases[0][model, 0])
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())

    @pytest.mark.parametrize("shift", [0.0, 100.0])
    def test_a_shifted_target_meets_a_constant_bias(self, shift: float) -> None:
        """Claim A7: with centred features b = mean(y) / (1 + beta) under L2, its soft threshold under L1."""
        X, y = collinear()
        X, y = (X - X.mean(axis=0)).astype(np.float32), (y - y.mean() + shift + 1).astype(np.float32)
        X -= X.mean(axis=0)
        betas = np.array([1e-2, 0.1, 1.0])
        made = made_of(X, y, betas)
        l2 = fit_linear(made, "squared", read_penalty("l2 with biases"))
        np.testing.assert_allclose(l2.biases[0][:, 0], y.mean() / (1 + betas), rtol=1e-5)
        l1 = fit_linear(made, "squared", read_penalty("l1 with biases"))
        np.testing.assert_allclose(l1.biases[0][:, 0], np.maximum(y.mean() - betas, 0), atol=1e-4)
        free = fit_linear(made, "squared", read_penalty("l2"))
        np.testing.assert_allclose(free.biases[0][:, 0], y.mean(), rtol=1e-5)

    def test_cross_entropy_is_scikit_learns_on_a_column_of_ones(self) -> None:
        whole = problem("classification", datasets=1, betas=FEW[1:])
        fitted = fit_linear(whole, "cross_entropy", read_penalty("l2 with biases"))
        X = np.column_stack([whole.X[0].astype(float), np.ones(whole.X.shape[1])])
        for model, beta in enumerate(whole.beta.astype(float)):
            reference = LogisticRegression(
                C=logistic_c(len(X), beta), fit_intercept=False, solver="newton-cg", tol=1e-10, max_iter=1000
            ).fit(X, whole.y[0])
            found = np.vstack([fitted.kernels[0][model], fitted.biases[0][model]])
            np.testing.assert_allclose(found.T, reference.coef_, atol=1e-5 * np.abs(reference.coef_).max())

    def test_huber_minimises_the_objective_at_its_own_scale(self) -> None:
        X, y = collinear(p=3)
        beta = 0.1
        fitted = fit_linear(made_of(X, y, np.array([beta])), "huber", read_penalty("l2 with biases"))
        X, y = X.astype(np.float32).astype(float), y.astype(np.float32).astype(float)
        here = np.append(fitted.kernels[0][0, :, 0], fitted.biases[0][0, 0]).astype(float)
        k = TUNING * float(residual_scale(y - here[-1] - X @ here[:-1]))

        def objective(state: np.ndarray) -> float:
            size = np.abs(y - state[-1] - X @ state[:-1])
            loss = np.where(size <= k, 0.5 * size**2, k * size - 0.5 * k**2).mean()
            return float(loss + beta * 0.5 * np.sum(state**2))

        found = minimize(objective, here, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14})
        assert objective(here) <= found.fun + 1e-6 * abs(found.fun)


class TestCertificate:
    def test_is_the_least_norm_over_all_subgradients(self) -> None:
        """Two weights at 0: the least norm over a grid of their pulls."""
        rng = np.random.default_rng(3)
        design, theta = rng.normal(size=(12, 4)), np.array([[0.7], [0.0], [-0.4], [0.0]])
        slope = np.sign(rng.normal(size=(12, 1))) / 12
        strength = np.array([[0.15], [0.15], [0.15], [0.03]])
        g, grid = design.T @ slope, np.linspace(-1, 1, 201)
        pulls = [np.array([[0.15], [0.15 * a], [-0.15], [0.03 * b]]) for a in grid for b in grid]
        pull = min(pulls, key=lambda one: float(np.linalg.norm(g + one)))
        least = np.linalg.norm(g + pull) / (np.linalg.norm(g) + np.linalg.norm(pull))
        assert 0 < least < 1
        assert gradient_ratio("l1", design, slope, theta, strength) == pytest.approx(least, abs=0.01)

    def test_of_a_lasso_that_another_solver_found(self) -> None:
        """scikit-learn solves by coordinate descent, the certificate confirms, and sees every weight that is off."""
        X, y = collinear(60, 4)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        lasso = Lasso(alpha=0.05, tol=1e-14, max_iter=1_000_000).fit(X, y)
        design, strength = np.column_stack([X, np.ones(60)]), np.append(np.full(4, 0.05), 0.0)[:, None]
        theta = np.append(lasso.coef_, lasso.intercept_)[:, None]

        def ratio(theta: np.ndarray) -> float:
            return gradient_ratio("l1", design, (design @ theta - y[:, None]) / 60, theta, strength)

        assert ratio(theta) < 1e-6
        for parameter in range(5):
            moved = theta.copy()
            moved[parameter] += 0.1
            assert ratio(moved) > 0.05

    def test_one_where_nothing_is_penalised(self) -> None:
        zero = np.zeros((2, 1))
        assert gradient_ratio("l2", np.ones((3, 2)), np.ones((3, 1)), zero, zero) == 1

    def test_nothing_where_everything_has_vanished(self) -> None:
        zero = np.zeros((2, 1))
        assert gradient_ratio("l2", np.ones((3, 2)), np.zeros((3, 1)), zero, zero + 1) == 0


def made_of(X: np.ndarray, y: np.ndarray, betas: np.ndarray) -> Problem:
    zeros = np.zeros(len(betas), int)
    return Problem(
        "regression", 1, X[None].astype(np.float32), y[None].astype(np.float32), zeros, betas, zeros, "made up", None
    )


@settings(max_examples=12, deadline=None)
@given(
    n=st.integers(1, 12),
    p=st.integers(1, 8),
    k=st.integers(2, 4),
    text=st.sampled_from(["l1", "l1 with biases", "l2 with biases"]),
    shape=st.sampled_from(["plain", "constant column", "copied column", "grid", "one value"]),
    seed=st.integers(0, 10_000),
)
def test_degenerate_training_sets_give_finite_models(n: int, p: int, k: int, text: str, shape: str, seed: int) -> None:
    """Single rows, fewer rows than columns, constant and copied columns, ties, absent classes, one class alone."""
    rng = np.random.default_rng(seed)
    X, y, labels = rng.normal(size=(n, p)), rng.normal(size=n), rng.integers(k, size=n)
    if shape == "constant column":
        X[:, 0] = 0.1
    if shape == "copied column":
        X[:, 0] = X[:, -1]
    if shape == "grid":
        X, y = np.round(X), np.round(y)
    if shape == "one value":
        y, labels = np.full(n, 2.0), np.zeros(n, int)
    made = made_of(X, y, np.array([0, 1e-5, 1e-2, 1.0], np.float32))
    for task, loss, _ in pairs([text]):
        if task == "classification":
            made = dataclasses.replace(made, task=task, outputs=k, y=labels[None].astype(np.int32))
        fitted = fit_linear(made, loss, read_penalty(text))
        assert fitted.certificates["finite"].all()
        assert np.isfinite(fitted.predict(made.X, made.data)).all()


def test_ten_classes_that_nearly_separate() -> None:
    """The hardest case met in practice: flipped labels, weak L1. Newton steps must not run away."""
    X, y = classes(120, 20, 10, spread=3.0)
    flipped = np.where(np.arange(120) % 6 == 0, (y + 3) % 10, y)
    whole = problem("classification", datasets=1, betas=np.array([1e-5, 1e-4, 1e-3]), k=10)
    made = dataclasses.replace(whole, X=X[None].astype(np.float32), y=flipped[None].astype(np.int32))
    ratio = fit_linear(made, "cross_entropy", read_penalty("l1")).certificates["gradient_ratio"]
    assert ratio.max() < 1e-6
