"""The identity checks themselves: all that are true hold, and each fails when its subject is spoilt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import yaml

from benchmarks.conventions import keras_l2
from l2audit.facts import code, normalisation, prior, ridge
from l2audit.facts.fact import CLAIMS, FACTS, Check
from l2audit.facts.lists import identities
from l2audit.linear.huber import solve_huber
from l2audit.linear.squared import solve_squared
from l2audit.models import layers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def entries() -> dict[str, Check]:
    found = identities()
    assert len({entry["check"] for entry in found}) == len(found)
    return {entry["check"]: entry for entry in found}


def test_every_fact_is_in_one_of_the_two_lists(entries: dict[str, Check]) -> None:
    of_oracles = {name for name, fact in FACTS.items() if fact.about in ("ridge", "logistic", "networks", "published")}
    assert set(entries) | of_oracles == set(FACTS)


def test_the_checker_knows_every_check_and_its_claim(entries: dict[str, Check]) -> None:
    assert {name: claim for claim, names in CLAIMS.items() for name in names} == {
        name: entry["claim"] for name, entry in entries.items()
    }


def test_what_holds_and_what_does_not(entries: dict[str, Check]) -> None:
    assert [name for name, entry in entries.items() if not entry["holds"]] == ["penalty_is_exponential"]


def test_every_registered_check_is_made(entries: dict[str, Check]) -> None:
    registration = yaml.safe_load((ROOT / "config" / "claims.yaml").read_text(encoding="utf-8"))
    registered = {
        check: claim["id"]
        for claim in registration["claims"]
        for part in claim["parts"]
        for check in part.get("checks", [])
    }
    assert registered
    assert registered == {check: entries[check]["claim"] for check in registered}


def test_entries_have_the_published_form(entries: dict[str, Check]) -> None:
    needed = {"claim", "check", "statement", "expected", "obtained", "tolerance", "holds", "source"}
    for entry in entries.values():
        assert needed <= set(entry) <= needed | {"points", "trace"}
    assert json.loads(json.dumps(list(entries.values()), allow_nan=False)) == list(entries.values())


def test_they_are_the_same_every_time(entries: dict[str, Check]) -> None:
    assert identities() == list(entries.values())


def whole(w: Any) -> Any:
    """l2_loss without the half."""
    return tf.reduce_sum(w**2)


def cubed(w: Any) -> Any:
    return tf.reduce_sum(tf.abs(w) ** 3)


def absolute(w: Any) -> Any:
    return tf.reduce_sum(tf.abs(w))


def exponential(w: Any) -> Any:
    """exp of a number that is proportional to the scale of w, small enough for float64."""
    return tf.exp(tf.reduce_max(tf.abs(w)) * 0.1)


def summed(loss: Any, reg: Any, beta: float) -> Any:
    """A summed loss: the batch size enters the effective beta."""
    return tf.reduce_sum(loss) + reg * beta


def doubled(loss: Any, reg: Any, beta: float) -> Any:
    return tf.reduce_mean(loss + 2 * reg * beta)


def evaluated_in_place(w: Any) -> Any:
    """What the asker's words say literally: something is added to the weights."""
    w.assign_add(tf.ones_like(w))
    return tf.nn.l2_loss(w)


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda: code.l2_loss_is_half_the_sum_of_squares(whole),
        lambda: code.gradient_is_the_weight(whole),
        lambda: code.penalty_adds_to_a_vector_loss(summed),
        lambda: code.penalty_adds_to_a_vector_loss(doubled),
        lambda: code.penalty_adds_to_a_scalar_loss(doubled),
        lambda: code.evaluating_leaves_the_weights(evaluated_in_place),
        lambda: code.plain_sgd_equals_weight_decay(whole),
        lambda: code.quoted_code_step_by_step(whole),
        lambda: code.quoted_code_step_by_step(absolute),
        lambda: code.penalty_is_quadratic(cubed),
        lambda: code.penalty_is_quadratic(exponential),
        lambda: code.pull_is_linear(cubed),
        lambda: prior.bayesian_ridge_is_ridge(lambda prior, noise: noise / prior),
        lambda: prior.ridge_maximises_the_posterior(lambda rows, beta: beta),
        lambda: prior.ridge_maximises_the_posterior(lambda rows, beta: rows * keras_l2(beta)),
        lambda: normalisation.batch_norm_ignores_scale("relu"),
        lambda: normalisation.layer_norm_ignores_scale("relu"),
        lambda: normalisation.scaled_kernel_gets_the_inverse_gradient([("relu", ("kernel",))]),
        lambda: ridge.ridge_shift_is_unbounded_at_every_beta(solve_huber),
        lambda: ridge.huber_shift_is_bounded(solve_squared),
        lambda: prior.penalised_intercept_is_biased("l2"),
        lambda: prior.free_intercept_is_not("l2 with biases"),
    ],
)
def test_a_spoilt_subject_fails(spoilt: Callable[[], Check]) -> None:
    assert spoilt()["holds"] is False


def test_boundaries_fail_where_there_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "l2_against_decay", lambda *_: 1e-9)
    assert code.momentum_departs_from_weight_decay()["holds"] is False
    assert code.adam_departs_from_weight_decay()["holds"] is False


def test_layer_norm_needs_the_bias_to_be_scaled_along() -> None:
    """Each unit has a bias of its own, and their mean over units is not what the kernel alone is scaled against."""
    assert normalisation.layer_norm_ignores_scale(scaled=("kernel",))["holds"] is False
    assert normalisation.layer_norm_ignores_scale()["holds"] is True


def test_a_large_epsilon_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "EPSILON", 0.1)
    assert normalisation.batch_norm_ignores_scale()["holds"] is False
    assert normalisation.layer_norm_ignores_scale()["holds"] is False
    assert normalisation.scaled_kernel_gets_the_inverse_gradient()["holds"] is False


def test_the_shortfall_by_the_normal_equations() -> None:
    """X'(y - Xw - b) = n beta w and 1'(y - Xw - b) = n beta b as one system: any centred X gives the formula."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 4))
    X -= X.mean(axis=0)
    y = rng.normal(size=30)
    design = np.column_stack([X, np.ones(30)])
    for beta, told in zip(prior.BETAS, prior.shortfall("l2 with biases"), strict=True):
        base = np.linalg.solve(design.T @ design + 30 * beta * np.eye(5), design.T @ y)[-1]
        assert 1 - base / y.mean() == pytest.approx(told, abs=prior.SINGLE)


def test_an_exponential_penalty_would_be_recognised() -> None:
    def of_scale(w: Any) -> Any:
        return tf.exp(tf.linalg.norm(tf.reshape(w, [-1])) * 1e-3)

    found = code.penalty_is_exponential(lambda w: of_scale(w) if tf.size(w) == 36 else tf.zeros([], tf.float64))
    assert found["holds"] is True


def test_the_trace_adds_up(entries: dict[str, Check]) -> None:
    trace = entries["quoted_code_step_by_step"]["trace"]
    assert list(trace["weights"]) == ["w_conv1", "w_conv2", "w_conv3", "w_conv4", "w_conv5", "w_fc1"]
    for name, weights in trace["weights"].items():
        w, rate = np.array(weights), trace["learning_rate"]
        assert trace["l2_loss"][name] == pytest.approx(0.5 * np.sum(w**2), rel=1e-12)
        np.testing.assert_allclose(trace["gradient_penalty"][name], trace["beta"] * w, rtol=1e-12)
        pulled = np.array(trace["gradient_loss"][name]) + trace["gradient_penalty"][name]
        np.testing.assert_allclose(trace["updated"][name], w - rate * pulled, rtol=1e-12)
    assert trace["reg"] == pytest.approx(sum(trace["l2_loss"].values()), rel=1e-12)
    assert trace["mean_loss"] == pytest.approx(np.mean(trace["loss"]), rel=1e-12)
    assert trace["penalised_loss"] == pytest.approx([one + trace["beta"] * trace["reg"] for one in trace["loss"]])
    assert trace["objective"] == pytest.approx(np.mean(trace["penalised_loss"]), rel=1e-12)
    assert trace["objective"] == pytest.approx(trace["mean_loss"] + trace["beta"] * trace["reg"], rel=1e-12)


def test_the_data_part_of_the_trace_is_the_derivative_of_the_loss(entries: dict[str, Check]) -> None:
    trace = entries["quoted_code_step_by_step"]["trace"]

    def mean_loss(weights: dict[str, list[float]]) -> float:
        """The traced network by hand: one pixel, so that a convolution is a product of matrices."""
        hidden = np.array(code.TRACED_INPUTS)[:, None]
        for name, shape in (
            ("w_conv1", (1, 2)),
            ("w_conv2", (2, 1)),
            ("w_conv3", (1, 1)),
            ("w_conv4", (1, 1)),
            ("w_conv5", (1, 1)),
        ):
            hidden = np.maximum(hidden @ np.reshape(weights[name], shape), 0)
        logits = hidden @ np.reshape(weights["w_fc1"], (1, 2))
        chosen = logits[[0, 1], code.TRACED_LABELS]
        return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - chosen))

    assert mean_loss(trace["weights"]) == pytest.approx(trace["mean_loss"], rel=1e-12)
    for name, slope in trace["gradient_loss"].items():
        for k, expected in enumerate(slope):
            ends = []
            for sign in (1, -1):
                moved = {other: list(values) for other, values in trace["weights"].items()}
                moved[name][k] += sign * 1e-6
                ends.append(mean_loss(moved))
            assert expected == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-8)


def test_keras_l2_is_half_of_beta() -> None:
    w = np.random.default_rng(0).normal(size=(4, 3))
    keras_penalty = float(tf.keras.regularizers.L2(keras_l2(0.3))(tf.constant(w)))
    assert keras_penalty == pytest.approx(0.3 * float(tf.nn.l2_loss(w)), rel=1e-6)
