"""Measures against scikit-learn and hand calculation, one model at a time."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, root_mean_squared_error, zero_one_loss

from l2audit.measures import MEASURES, Evaluation, Part, cross_entropy, error_rate, half_squared, layer_norms, nrmse


def part(task: str, n: int = 40, models: int = 3, seed: int = 0) -> Part:
    random = np.random.default_rng(seed)
    if task == "classification":
        return Part(
            random.standard_normal((models, n, 4)).astype(np.float32),
            random.integers(0, 4, (models, n)).astype(np.int32),
        )
    return Part(
        random.standard_normal((models, n, 1)).astype(np.float32),
        random.standard_normal((models, n)).astype(np.float32),
    )


def evaluation(task: str, flipped: np.ndarray | None = None) -> Evaluation:
    kernels = [np.full((3, 2, 5), 2.0, np.float32), np.ones((3, 5, 1), np.float32)]
    mask = np.zeros((3, 40), bool) if flipped is None else flipped
    return Evaluation(
        task, part(task, seed=1), part(task, seed=2), part(task, seed=3), part(task, seed=4), mask, kernels
    )


def test_classification_measures_are_scikit_learns() -> None:
    given = part("classification")
    softmax = np.exp(given.outputs.astype(float))
    softmax /= softmax.sum(axis=2, keepdims=True)
    for model in range(3):
        y = given.y[model]
        assert error_rate(given)[model] == pytest.approx(zero_one_loss(y, given.outputs[model].argmax(axis=1)))
        assert cross_entropy(given)[model] == pytest.approx(log_loss(y, softmax[model], labels=range(4)))


def test_regression_measures_are_scikit_learns() -> None:
    given = part("regression")
    for model in range(3):
        rmse = root_mean_squared_error(given.y[model], given.outputs[model, :, 0])
        assert nrmse(given)[model] == pytest.approx(rmse / given.y[model].std(), rel=1e-6)
        assert half_squared(given)[model] == pytest.approx(rmse**2 / 2, rel=1e-5)


def test_the_mean_predictor_scores_one() -> None:
    y = np.random.default_rng(0).standard_normal((1, 50)).astype(np.float32)
    constant = np.broadcast_to(y.mean(axis=1, keepdims=True)[:, :, None], (1, 50, 1)).astype(np.float32)
    assert nrmse(Part(constant, y))[0] == pytest.approx(1.0, abs=1e-6)


def test_cross_entropy_survives_huge_logits() -> None:
    logits = np.array([[[1e4, 0.0], [0.0, 1e4]]], np.float32)
    assert cross_entropy(Part(logits, np.array([[0, 0]], np.int32)))[0] == pytest.approx(5e3)


def test_memorised_fraction_counts_flipped_rows_only() -> None:
    flipped = np.zeros((3, 40), bool)
    flipped[:, :10] = True
    given = evaluation("classification", flipped)
    predicted = given.train.outputs.argmax(axis=2)
    expected = (predicted[:, :10] == given.train.y[:, :10]).mean(axis=1)
    assert np.allclose(MEASURES["memorised_fraction"].compute(given), expected)


def test_memorised_fraction_is_not_there_without_flips() -> None:
    assert np.isnan(MEASURES["memorised_fraction"].compute(evaluation("classification"))).all()
    assert np.isnan(MEASURES["memorised_fraction"].compute(evaluation("regression"))).all()


def test_norms() -> None:
    given = evaluation("regression")
    assert np.allclose(layer_norms(given), [[np.sqrt(40), np.sqrt(5)]] * 3)
    assert np.allclose(MEASURES["weight_norm"].compute(given), np.sqrt(45))


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("name", MEASURES.names())
def test_every_measure_gives_one_number_a_model(task: str, name: str) -> None:
    assert MEASURES[name].compute(evaluation(task)).shape == (3,)
