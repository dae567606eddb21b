"""Degenerate inputs, and the certificates and predictions recomputed in numpy from the weights that came back."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from l2audit.config.study import Schedule
from l2audit.models.architectures import Architecture
from l2audit.models.penalties import Penalty
from l2audit.models.problem import Fitted, Problem
from l2audit.runs.engines import balance, fit
from made_up import problem

L2 = Penalty("l2")

SMALL = Architecture("small", ["dense 5", "relu", "dense 4", "relu"])
ONE_ROW = {
    "task": "classification",
    "rows": 1,
    "features": 1,
    "batch": 7,
    "steps": 1,
    "constant": False,
    "one_class": True,
}
FEWER_ROWS = {
    "task": "regression",
    "rows": 3,
    "features": 4,
    "batch": 8,
    "steps": 3,
    "constant": True,
    "one_class": False,
}
ONE_CLASS = {
    "task": "classification",
    "rows": 9,
    "features": 2,
    "batch": 4,
    "steps": 5,
    "constant": True,
    "one_class": True,
}


def slopes(fitted: Fitted, m: int, x: np.ndarray, y: np.ndarray) -> tuple[float, list[np.ndarray], np.ndarray]:
    """Mean loss of model m, its gradient in every kernel, and the outputs, by hand in float64."""
    kernels = [one[m].astype(np.float64) for one in fitted.kernels]
    biases = [one[m].astype(np.float64) for one in fitted.biases]
    inputs = [x.astype(np.float64)]
    for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
        inputs.append(np.maximum(inputs[-1] @ kernel + bias, 0))
    outputs = inputs[-1] @ kernels[-1] + biases[-1]
    if y.dtype == np.int32:
        loss = -log_softmax(outputs, axis=1)[np.arange(len(y)), y].mean()
        back = (softmax(outputs, axis=1) - np.eye(outputs.shape[1])[y]) / len(y)
    else:
        loss = 0.5 * np.mean((outputs[:, 0] - y) ** 2)
        back = (outputs - y[:, None]) / len(y)
    found: list[np.ndarray] = []
    for kernel, entering in zip(kernels[::-1], inputs[::-1], strict=True):
        found.insert(0, entering.T @ back)
        back = back @ kernel.T * (entering > 0)
    return float(loss), found, outputs


def assert_recomputed(fitted: Fitted, of: Problem) -> None:
    """Loss, ratio at the last point, balance and predictions follow from the weights."""
    predicted = fitted.predict(of.X, of.data)
    assert predicted.dtype == np.float32
    assert predicted.shape == (len(of.data), of.X.shape[1], of.outputs)
    for m, (data, beta) in enumerate(zip(of.data, of.beta.astype(np.float64), strict=True)):
        loss, gradients, outputs = slopes(fitted, m, of.X[data], of.y[data])
        np.testing.assert_allclose(predicted[m], outputs, rtol=1e-4, atol=1e-5)
        assert fitted.certificates["train_loss"][m] == pytest.approx(loss, rel=1e-4, abs=1e-6)
        slope = np.concatenate([one.ravel() for one in gradients])
        pull = beta * np.concatenate([one[m].ravel() for one in fitted.kernels])
        size = np.linalg.norm(slope) + np.linalg.norm(pull)
        expected = np.linalg.norm(slope + pull) / size if beta > 0 else 1.0
        assert fitted.certificates["point_gradient_ratio"][m] == pytest.approx(expected, rel=2e-3, abs=1e-4)
        norms = [np.linalg.norm(one[m]) for one in fitted.kernels]
        assert fitted.certificates["balance"][m] == pytest.approx(np.abs(np.diff(np.log(norms))).max(), rel=1e-4)


@pytest.mark.parametrize(("task", "loss"), [("classification", "cross_entropy"), ("regression", "squared")])
def test_certificates_follow_from_the_weights(task: str, loss: str) -> None:
    of = problem(task, rows=40, features=6, seeds=1)
    fitted = fit(of, SMALL, loss, L2, "adam", Schedule(0.02, 60, 16), 4)
    assert_recomputed(fitted, of)
    assert fitted.certificates["finite"].all()
    assert set(fitted.certificates) == {
        "train_loss",
        "gradient_ratio",
        "point_gradient_ratio",
        "balance",
        "decay_exposure",
        "train_loss_half",
        "finite",
    }


@settings(max_examples=4)
@given(
    task=st.sampled_from(["classification", "regression"]),
    rows=st.integers(1, 12),
    features=st.integers(1, 5),
    batch=st.integers(1, 16),
    steps=st.integers(1, 6),
    constant=st.booleans(),
    one_class=st.booleans(),
)
@example(**ONE_ROW)
@example(**FEWER_ROWS)
@example(**ONE_CLASS)
def test_degenerate_inputs_train(constant: bool, one_class: bool, batch: int, steps: int, **shape: Any) -> None:
    of = problem(**shape, seeds=1, betas=(0.0, 0.01), outputs=3)
    X, y = of.X.copy(), of.y.copy()
    if constant:
        X[:, :, 0] = 0
    if one_class:
        y[:] = y[0, 0]
    of = dataclasses.replace(of, X=X, y=y)
    loss = "cross_entropy" if of.task == "classification" else "squared"
    fitted = fit(of, SMALL, loss, L2, "adam", Schedule(0.01, steps, batch), 2)
    assert fitted.certificates["finite"].all()
    assert_recomputed(fitted, of)
    for name in ("gradient_ratio", "point_gradient_ratio"):
        assert ((fitted.certificates[name] >= 0) & (fitted.certificates[name] <= 1.0001)).all()


def test_longer_training_converges_and_memorises() -> None:
    of = problem("classification", rows=60, features=9, seeds=1, betas=(0.0, 0.03))
    long = fit(of, SMALL, "cross_entropy", L2, "adam", Schedule(0.02, 3000, 32), 4).certificates
    short = fit(of, SMALL, "cross_entropy", L2, "adam", Schedule(0.02, 100, 32), 4).certificates
    penalised = of.beta > 0
    assert (long["gradient_ratio"][penalised] < 0.02).all()
    assert (long["balance"][penalised] < 0.05).all()
    assert (long["gradient_ratio"] < short["gradient_ratio"])[penalised].all()
    assert (long["decay_exposure"] > short["decay_exposure"])[penalised].all()
    assert (long["train_loss"] < short["train_loss"])[~penalised].all()


def test_balance() -> None:
    kernels = [np.ones((3, 4, 1), np.float32), np.ones((3, 1, 1), np.float32)]
    kernels[1][1] = 2
    assert balance(kernels) == pytest.approx([np.log(2), 0, np.log(2)])
    assert np.isnan(balance(kernels[:1])).all()


def test_a_loss_for_the_other_task_is_refused() -> None:
    with pytest.raises(ValueError, match="'squared' is for regression, not for classification"):
        fit(problem("classification"), SMALL, "squared", L2, "adam", Schedule(0.1, 1, 8), 2)


def test_each_chunk_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "l2audit")
    fit(problem("regression", rows=8), SMALL, "squared", L2, "adam", Schedule(0.1, 2, 8), 5)
    assert [record.getMessage() for record in caplog.records if "chunk" in record.getMessage()] == [
        "small: chunk 1 of 3, 5 models",
        "small: chunk 2 of 3, 5 models",
        "small: chunk 3 of 3, 4 models",  # two of them for half the steps: beta = 0 and seed 0 on two training sets
    ]
