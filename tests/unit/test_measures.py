"""Measures of predictions against scikit-learn and hand calculation, one model at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import brier_score_loss, log_loss, r2_score, root_mean_squared_error, zero_one_loss

from l2audit.measures import MEASURES, Evaluation, Part
from l2audit.measures.risks import cross_entropy, error_rate, half_squared, nrmse
from measured import evaluation, part


def of(name: str, given: Evaluation) -> np.ndarray:
    return MEASURES[name].compute(given)


def test_classification_measures_are_scikit_learns() -> None:
    given = part("classification")
    p = softmax(given.outputs.astype(float), axis=2)
    brier = of("test_brier", replace(evaluation("classification"), test=given))
    for model in range(3):
        y = given.y[model]
        assert error_rate(given)[model] == pytest.approx(zero_one_loss(y, given.outputs[model].argmax(axis=1)))
        assert cross_entropy(given)[model] == pytest.approx(log_loss(y, p[model], labels=range(4)))
        assert brier[model] == pytest.approx(brier_score_loss(y, p[model], labels=range(4), scale_by_half=False))


def test_regression_measures_are_scikit_learns() -> None:
    given = part("regression")
    mse = of("test_mse", replace(evaluation("regression"), test=given))
    for model in range(3):
        rmse = root_mean_squared_error(given.y[model], given.outputs[model, :, 0])
        assert nrmse(given)[model] == pytest.approx(rmse / given.y[model].std(), rel=1e-6)
        assert half_squared(given)[model] == pytest.approx(rmse**2 / 2, rel=1e-5)
        assert mse[model] == pytest.approx(1 - r2_score(given.y[model], given.outputs[model, :, 0]), rel=1e-5)


def test_the_mean_predictor_scores_one() -> None:
    y = np.random.default_rng(0).standard_normal((1, 50)).astype(np.float32)
    constant = np.broadcast_to(y.mean(axis=1, keepdims=True)[:, :, None], (1, 50, 1)).astype(np.float32)
    assert nrmse(Part(constant, y))[0] == pytest.approx(1.0, abs=1e-6)


def test_huge_logits_are_survived() -> None:
    logits = Part(np.array([[[1e4, 0.0], [0.0, 1e4]]] * 3, np.float32), np.zeros((3, 2), np.int32))
    assert cross_entropy(logits)[0] == pytest.approx(5e3)
    assert of("test_brier", replace(evaluation("classification"), test=logits))[0] == pytest.approx(1.0)


ROWS_OF = {
    "test_risk": "test",
    "test_risk_noise": "test_noise",
    "test_risk_fgsm": "test_fgsm",
    "train_risk": "train",
    "validation_risk": "validation",
    "validation_risk_contaminated": "validation_contaminated",
}


@pytest.mark.parametrize("name", ROWS_OF)
def test_each_risk_reads_its_own_rows(name: str) -> None:
    for task, risk in (("classification", error_rate), ("regression", nrmse)):
        given = evaluation(task)
        assert np.array_equal(of(name, given), risk(getattr(given, ROWS_OF[name])))


def test_memorised_fraction_counts_relabelled_rows_only() -> None:
    relabelled = np.zeros((3, 40), bool)
    relabelled[:2, :10] = True
    given = replace(evaluation("classification"), relabelled=relabelled)
    predicted = given.train.outputs.argmax(axis=2)
    expected = (predicted[:, :10] == given.train.y[:, :10]).mean(axis=1)
    assert np.allclose(of("memorised_fraction", given)[:2], expected[:2])
    assert np.isnan(of("memorised_fraction", given)[2])


@pytest.mark.parametrize("name", ["memorised_fraction", "test_mse", "prediction_shift_relative"])
def test_what_a_classification_does_not_have(name: str) -> None:
    assert np.isnan(of(name, evaluation("classification"))).all()


@pytest.mark.parametrize("name", ["memorised_fraction", "test_brier"])
def test_what_a_regression_does_not_have(name: str) -> None:
    assert np.isnan(of(name, evaluation("regression"))).all()


def test_shift_of_classes_is_the_share_that_changed() -> None:
    given = evaluation("classification")  # model 1 was trained on contaminated rows, model 0 is its clean run
    changed = [a.argmax() != b.argmax() for a, b in zip(given.test.outputs[1], given.test.outputs[0], strict=True)]
    assert of("prediction_shift", given)[1] == pytest.approx(np.mean(changed))
    assert np.isnan(of("prediction_shift", given)[[0, 2]]).all()


def test_shift_of_values_by_hand() -> None:
    given = evaluation("regression")
    y = np.tile(given.test.y[0], (3, 1))
    given = replace(given, test=Part(given.test.outputs, y))
    clean, shifted = given.test.outputs[:2, :, 0].astype(float)
    squared = ((shifted - clean) ** 2).mean()
    assert of("prediction_shift", given)[1] == pytest.approx(squared / y[0].var(), rel=1e-5)
    assert of("prediction_shift_relative", given)[1] == pytest.approx(squared / clean.var(), rel=1e-5)
    for name in ("prediction_shift", "prediction_shift_relative"):
        assert np.isnan(of(name, given)[[0, 2]]).all()


def test_shift_does_not_depend_on_how_a_runs_targets_were_scaled() -> None:
    given = evaluation("regression")
    outputs, y = given.test.outputs.copy(), np.tile(given.test.y[0], (3, 1))
    same = replace(given, test=Part(outputs, y))
    outputs, y = outputs.copy(), y.copy()
    outputs[1], y[1] = 3 * outputs[1] - 7, 3 * y[1] - 7
    other = replace(given, test=Part(outputs, y))
    for name in ("prediction_shift", "prediction_shift_relative"):
        assert of(name, other)[1] == pytest.approx(of(name, same)[1], rel=1e-5)


def test_shift_relative_to_a_constant_model_is_not_there() -> None:
    given = evaluation("regression")
    outputs = given.test.outputs.copy()
    outputs[0] = 0.5
    assert np.isnan(of("prediction_shift_relative", replace(given, test=Part(outputs, given.test.y)))).all()


PARTS = ("train", "validation", "validation_contaminated", "test", "test_noise", "test_fgsm")


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("where", [*PARTS, "finite_fit"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_measure_of_a_diverged_run_is_a_number(task: str, where: str, value: float) -> None:
    """Nor is one that rests on a diverged run; all others stay as they are to the bit."""
    sound = replace(evaluation(task), relabelled=np.ones((3, 40), bool))  # models: clean, contaminated, penalised
    for diverged in range(3):
        if where == "finite_fit":
            broken = replace(sound, finite_fit=np.arange(3) != diverged)
        else:
            outputs = getattr(sound, where).outputs.copy()
            outputs[diverged, 3, -1] = value
            broken = replace(sound, **{where: Part(outputs, getattr(sound, where).y)})
        assert broken.finite.tolist() == [model != diverged for model in range(3)]
        for name in MEASURES.names():
            lost = {diverged}
            if diverged == 0:
                lost |= {1} if "clean" in MEASURES[name].rests_on else set()
                lost |= {2} if "unpenalised" in MEASURES[name].rests_on else set()
            expected = of(name, sound)
            expected[list(lost)] = np.nan
            assert of(name, broken).tobytes() == expected.tobytes(), name


def test_a_measure_that_looks_at_another_run_says_so() -> None:
    resting = {name: MEASURES[name].rests_on for name in MEASURES.names() if MEASURES[name].rests_on}
    assert resting == {
        "prediction_shift": ("clean",),
        "prediction_shift_relative": ("clean",),
        "selectivity": ("unpenalised",),
    }


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("risk", [error_rate, cross_entropy, nrmse, half_squared])
def test_a_risk_of_outputs_that_are_not_finite_is_not_a_number(
    risk: Callable[[Part], np.ndarray], value: float
) -> None:
    given = part("classification" if risk in (error_rate, cross_entropy) else "regression")
    outputs = given.outputs.copy()
    outputs[1, 7, 0] = value
    with np.errstate(all="ignore"):
        found = risk(Part(outputs, given.y))
    assert np.isnan(found).tolist() == [False, True, False]
    assert found[[0, 2]].tobytes() == risk(given)[[0, 2]].tobytes()


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("name", MEASURES.names())
def test_every_measure_gives_one_number_a_model_and_says_what_it_is(task: str, name: str) -> None:
    assert of(name, evaluation(task)).shape == (3,)
    assert of(name, replace(evaluation(task), kernels=evaluation(task).kernels[:1], hidden=[])).shape == (3,)
    assert MEASURES[name].formula and MEASURES[name].unit


COMPARES = {"prediction_shift", "prediction_shift_relative", "selectivity"}
"""Measures that look at a second run."""


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("name", MEASURES.names())
def test_a_models_measures_do_not_depend_on_the_others(task: str, name: str) -> None:
    given = evaluation(task)
    both, alone = of(name, given), of(name, first(given, 2))
    assert both[:2].tobytes() == alone.tobytes()
    if name not in COMPARES:
        assert both[:1].tobytes() == of(name, first(given, 1)).tobytes()


def first(given: Evaluation, models: int) -> Evaluation:
    """The same of the first models only."""
    cut = {name: value[:models] for name, value in vars(given).items() if isinstance(value, np.ndarray)}
    parts = {
        name: Part(value.outputs[:models], value.y[:models])
        for name, value in vars(given).items()
        if isinstance(value, Part)
    }
    hidden = [replace(one, **{key: value[:models] for key, value in vars(one).items()}) for one in given.hidden]
    return replace(given, **cut, **parts, kernels=[one[:models] for one in given.kernels], hidden=hidden)
