"""Every oracle holds for the pipeline's own parts and for independent ones, and fails for a part that is spoilt."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from l2audit.facts import logistic, networks, published, ridge
from l2audit.facts.fact import CLAIMS, FACTS, Check, Fact, holds
from l2audit.facts.lists import oracles
from l2audit.linear.cross_entropy import solve_cross_entropy
from l2audit.linear.huber import solve_huber
from l2audit.linear.squared import solve_squared


@pytest.fixture(scope="module")
def entries() -> dict[str, Check]:
    return {entry["name"]: entry for entry in oracles()}


def test_all_hold(entries: dict[str, Check]) -> None:
    assert [entry for entry in entries.values() if not entry["holds"]] == []


def test_entries_have_the_published_form(entries: dict[str, Check]) -> None:
    for entry in entries.values():
        assert set(entry) == {"name", "about", "statement", "expected", "obtained", "tolerance", "holds", "source"}
        assert entry["source"].strip()
    assert {entry["about"] for entry in entries.values()} == ABOUT
    assert json.loads(json.dumps(list(entries.values()), allow_nan=False)) == list(entries.values())
    assert len({entry["statement"] for entry in entries.values()}) == len(entries)


def test_they_are_the_same_every_time(entries: dict[str, Check]) -> None:
    assert oracles() == list(entries.values())


# Spoilt parts: each is wrong in one way that a pipeline could be wrong in.


def twice_beta(X: Any, y: Any, beta: Any) -> Any:
    """Keras' convention, without the half."""
    return solve_squared(X, y, 2 * beta)


def least_squares(X: Any, y: Any, beta: Any) -> Any:
    """The penalty is not in the objective."""
    return solve_squared(X, y, 0 * beta)


def upside_down(X: Any, y: Any, beta: Any) -> Any:
    """scikit-learn's C in place of beta."""
    return solve_squared(X, y, 1 / beta)


def penalised_intercept(X: Any, y: Any, beta: Any) -> Any:
    design = np.column_stack([X, np.ones(len(y))])
    alike = [np.linalg.solve(design.T @ design + len(y) * b * np.eye(design.shape[1]), design.T @ y) for b in beta]
    return np.array(alike)[:, :-1], np.array(alike)[:, -1]


def uneven(X: Any, y: Any, beta: Any) -> Any:
    """Each column is penalised by a strength of its own."""
    scale = 1 + np.arange(X.shape[1])
    weights, intercept = solve_squared(X / scale, y, beta)
    return weights / scale, intercept


def scaled(factor: float) -> Callable[..., Any]:
    """Logistic regression whose beta is wrong by a factor."""
    return lambda X, y, beta, classes: solve_cross_entropy(X, y, factor * beta, classes)


def without_intercept(X: Any, y: Any, beta: Any, classes: int) -> Any:
    return solve_cross_entropy(*logistic.mirrored(X, y), beta, classes)


def strengthened(X: Any, y: Any, beta: Any, classes: int) -> Any:
    return solve_cross_entropy(X, y, beta + 1, classes)


def enlarged(layers: slice, factor: float) -> Callable[[], Any]:
    """A network some of whose kernels came out too large."""

    def fitted() -> Any:
        kernels = list(networks.train().kernels)
        kernels[layers] = [factor * kernel for kernel in kernels[layers]]
        return replace(networks.train(), kernels=kernels)

    return fitted


def squared_length(residual: float, rho: float, length: float) -> float:
    return residual + rho * length**2


SPOILT = {
    "ridge_deletion": twice_beta,
    "ridge_leave_one_out": penalised_intercept,
    "ridge_influence": twice_beta,
    "ridge_gain_falls": least_squares,
    "variance_theorem": twice_beta,
    "noise_costs_less_with_beta": upside_down,
    "intercept_shift": penalised_intercept,
    "isotropic_optimum": twice_beta,
    "worst_feature_perturbation": squared_length,
    "ridge_is_robust_optimisation": twice_beta,
    "duplicated_column": uneven,
    "collinear_leverage": least_squares,
    "flip_bound": scaled(0.5),
    "flip_bound_is_tight": scaled(2),
    "flip_bound_free_intercept": scaled(0.5),
    "flip_bound_needs_no_intercept": without_intercept,
    "replaced_rows_bound": scaled(0.1),
    "norm_bound": scaled(1e-3),
    "long_servedio_weak_l2": strengthened,
    "long_servedio_strong_l2": scaled(1e-6),
    "layer_balance": enlarged(slice(0, 1), 1.1),
    "unit_balance": enlarged(slice(2, 3), 1.1),
    "network_norm_bound": enlarged(slice(0, 3), 2.0),
    "stackloss_least_squares": solve_huber,
    "stackloss_residual_error": solve_huber,
    "stackloss_huber": solve_squared,
    "stackloss_huber_scale": solve_squared,
    "stackloss_without_outliers": solve_huber,
    "longley_ridge": twice_beta,
    "longley_lambda": solve_huber,
    "longley_cross_validation": twice_beta,
    "ridge_of_the_user_guide": twice_beta,
    "stars_least_squares": solve_huber,
    "stars_main_sequence": solve_huber,
    "stars_ridge_does_not_resist": twice_beta,
    "stars_two_readings_of_sensitivity": twice_beta,
}


SETTLED = {name for names in CLAIMS.values() for name in names}
ABOUT = {"ridge", "logistic", "networks", "published"}


@pytest.mark.parametrize("name", [name for name, fact in FACTS.items() if fact.about in ABOUT and name not in SETTLED])
def test_a_spoilt_part_fails(name: str) -> None:
    assert FACTS[name](SPOILT[name])["holds"] is False


# Independent implementations: what an oracle says is true of the method and not of one program.


def normal_equations(X: Any, y: Any, beta: Any) -> Any:
    centre, target = X.mean(axis=0), y.mean()
    covariance, moment = (X - centre).T @ (X - centre) / len(y), (X - centre).T @ (y - target) / len(y)
    weights = np.array([np.linalg.solve(covariance + b * np.eye(len(centre)), moment) for b in beta])
    return weights, target - weights @ centre


def statsmodels_huber(X: Any, y: Any, beta: Any) -> Any:
    assert not np.any(beta)
    fit = sm.RLM(y, sm.add_constant(X), M=sm.robust.norms.HuberT()).fit(maxiter=1000, tol=1e-12)
    return fit.params[None, 1:], fit.params[:1]


def gradient_descent(X: Any, y: Any, beta: Any, classes: int) -> Any:
    """Nesterov's method on softmax regression, every beta at once, in place of Newton's."""
    design, truth = np.column_stack([X, np.ones(len(y))]), np.eye(classes)[y]
    pull = beta[:, None, None] * np.append(np.ones(X.shape[1]), 0.0)[None, :, None]
    rate = 1 / (0.5 * np.linalg.norm(design, 2) ** 2 / len(y) + beta)[:, None, None]
    state = ahead = np.zeros((len(beta), design.shape[1], classes))
    for step in range(3000):
        odds = np.exp(design @ ahead - (design @ ahead).max(axis=2, keepdims=True))
        slope = design.T @ (odds / odds.sum(axis=2, keepdims=True) - truth) / len(y) + pull * ahead
        state, before = ahead - rate * slope, state
        ahead = state + step / (step + 3) * (state - before)
    return state[:, :-1], state[:, -1]


RIDGE = [
    name
    for name in FACTS
    if getattr(ridge, name, None) and name != "huber_shift_is_bounded" and name != "worst_feature_perturbation"
]
LEAST_SQUARES = [name for name in FACTS if name.startswith(("longley", "stars", "ridge_of"))]


@pytest.mark.parametrize("name", [*RIDGE, *LEAST_SQUARES, "stackloss_least_squares", "stackloss_without_outliers"])
def test_an_independent_ridge_regression_passes(name: str) -> None:
    assert FACTS[name](normal_equations)["holds"] is True


@pytest.mark.parametrize("check", [published.stackloss_huber, published.stackloss_huber_scale])
def test_an_independent_huber_regression_passes(check: Fact) -> None:
    assert check(statsmodels_huber)["holds"] is True


def test_an_independent_logistic_regression_shows_the_bound_and_its_limit() -> None:
    """The flip that breaks the bound of models without an intercept, by another method, at beta = 0.1 and 1."""
    X, y = logistic.lonely_row()
    betas = np.array([0.1, 1.0])
    flipped = np.where(np.arange(len(y)) == 0, 1 - y, y)
    kernels = [gradient_descent(X, labels, 2 * betas, 2)[0] for labels in (y, flipped)]
    exact = [logistic.one_column(solve_cross_entropy, X, labels, betas) for labels in (y, flipped)]
    shift = np.linalg.norm(np.diff(np.subtract(kernels[1], kernels[0]), axis=2)[:, :, 0], axis=1)
    np.testing.assert_allclose(shift, np.linalg.norm(exact[1] - exact[0], axis=1), rtol=1e-4)
    assert 1 < (shift * betas * len(y))[1] <= 2


def test_the_table_of_stars_is_whole() -> None:
    X, y = published.stars()
    assert X.shape == (47, 1)
    assert y.shape == (47,)
    giants = np.array([11, 20, 30, 34]) - 1
    assert set(np.flatnonzero(X[:, 0] < 3.6)) == set(giants)


def test_facts_hold_at_their_limit_and_not_beyond() -> None:
    assert holds([1.0, 2.0], [1.0, 2.5], 0.5)
    assert not holds([1.0, 2.0], [1.0, 2.6], 0.5)
    assert not holds(1.0, np.nan, 0.5)
    assert holds("at most 1", 1.0, 0.0)
    assert holds("at most 1", 1.1, 0.2)
    assert not holds("at most 1", 1.1, 0.0)
    assert not holds("below 1", 1.0, 0.0)
    assert not holds("above 1", 1.0, 0.0)
    assert not holds("above 1", np.nan, 0.0)
    with pytest.raises(ValueError, match="numbers of shape"):
        holds([1.0, 2.0], [1.0], 0.5)
