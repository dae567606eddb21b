"""Measures of what a model predicts: risks, losses, memorised labels, and how far contamination moves predictions."""

from __future__ import annotations

from functools import partial

import numpy as np

from l2audit.measures.evaluation import CLEAN_RUN, MEASURES, Array, Evaluation, Measure, Part, measure, not_there

CLASSIFICATION = "classification"


def where_finite(part: Part, values: Array) -> Array:
    """`values` (M,), NaN where an output of the model is not finite: the class of largest logit, say, always exists."""
    return np.where(part.finite, values, np.nan)


def error_rate(part: Part) -> Array:
    """Share of rows whose largest logit is not the target class, (M,) in [0, 1]; ties go to the lowest class."""
    return where_finite(part, (part.outputs.argmax(axis=2) != part.y).mean(axis=1))


def nrmse(part: Part) -> Array:
    """RMSE / SD(y) over the part's own rows, (M,) >= 0; 1 is what the part's mean would score."""
    y = part.y.astype(np.float64)
    residual = part.outputs[:, :, 0].astype(np.float64) - y
    return where_finite(part, np.sqrt((residual**2).mean(axis=1)) / y.std(axis=1))


def cross_entropy(part: Part) -> Array:
    """Mean negative log-probability of the target class under softmax, natural log, (M,) >= 0."""
    logits = part.outputs.astype(np.float64)
    top = logits.max(axis=2, keepdims=True)
    log_total = np.log(np.exp(logits - top).sum(axis=2)) + top[:, :, 0]
    chosen = np.take_along_axis(logits, part.y[:, :, None].astype(np.int64), axis=2)[:, :, 0]
    return where_finite(part, (log_total - chosen).mean(axis=1))


def half_squared(part: Part) -> Array:
    """Mean of half the squared residual, (M,) >= 0, in squared units of the scaled target."""
    residual = part.outputs[:, :, 0].astype(np.float64) - part.y
    return where_finite(part, 0.5 * (residual**2).mean(axis=1))


RISK = {"classification": error_rate, "regression": nrmse}
LOSS = {"classification": cross_entropy, "regression": half_squared}
_RISK = "share of rows misclassified (classification); RMSE / SD(y) (regression)"
_LOSS = "mean cross-entropy in nats (classification); mean half squared residual of the scaled target (regression)"

RISKS = {
    "test_risk": ("test", "on clean test rows"),
    "train_risk": ("train", "on the rows fitted, contaminated ones included"),
    "validation_risk": ("validation", "on clean validation rows; chooses beta"),
    "validation_risk_contaminated": ("validation_contaminated", "on the contaminated copy of them"),
    "test_risk_noise": ("test_noise", "on test rows with Gaussian noise of .3 SD a feature"),
    "test_risk_fgsm": (
        "test_fgsm",
        "on test rows moved by .3 sqrt(features) SD against the model (L2-FGSM, Goodfellow et al. 2015)",
    ),
}
"""Name of a measure -> the part of an `Evaluation` whose risk it is, and what rows these are."""


def risk(runs: Evaluation, part: str) -> Array:
    """The risk on a part, (M,)."""
    return RISK[runs.task](getattr(runs, part))


for _name, (_part, _rows) in RISKS.items():
    MEASURES.add(_name, Measure(partial(risk, part=_part), f"{_RISK}, {_rows}"))


@measure(
    "trivial_risk",
    "risk of the best constant prediction on the clean test rows: share of rows outside the largest class; 1 (regression)",
)
def trivial_risk(runs: Evaluation) -> Array:
    """What a model without features would score, (M,): one that scores worse has learnt nothing of use."""
    y = runs.test.y
    if runs.task != CLASSIFICATION:
        return np.ones(len(y))
    return np.array([1.0 - np.bincount(one).max() / len(one) for one in y])


@measure("test_loss", _LOSS + ", on clean test rows", "nats or squared SD")
def loss_on_test_rows(runs: Evaluation) -> Array:
    """The loss that a model is trained by, without the penalty, (M,); squared error for every regression."""
    return LOSS[runs.task](runs.test)


@measure("test_mse", "mean squared residual / variance of y, on clean test rows; null for classification")
def relative_squared_error(runs: Evaluation) -> Array:
    """Squared `nrmse`: linear in added variance, where nRMSE is concave and favours the model that is worse already."""
    return not_there(len(runs.test.y)) if runs.task == CLASSIFICATION else nrmse(runs.test) ** 2


@measure(
    "test_brier",
    "mean over clean test rows of sum over classes of (p - 1 if the target class)^2, in [0, 2]; null for regression "
    "(Brier 1950)",
)
def brier(runs: Evaluation) -> Array:
    """Squared distance of the softmax probabilities from the target class, (M,)."""
    if runs.task != CLASSIFICATION:
        return not_there(len(runs.test.y))
    p = runs.test.outputs.transpose(2, 0, 1).astype(np.float64)  # classes first: many short sums are slow
    p = np.exp(p - p.max(axis=0))
    p /= p.sum(axis=0)
    chosen = np.take_along_axis(p, runs.test.y[None].astype(np.int64), axis=0)[0]
    return np.asarray(((p**2).sum(axis=0) - 2 * chosen + 1).mean(axis=1))


@measure("memorised_fraction", "share of flipped training labels that the model predicts; null if none")
def memorised_fraction(runs: Evaluation) -> Array:
    """Share of the replaced training labels that a model predicts, (M,); NaN where none was replaced."""
    replaced = runs.relabelled.sum(axis=1)
    if runs.task != CLASSIFICATION or not replaced.any():
        return not_there(len(replaced))
    hits = (runs.train.outputs.argmax(axis=2) == runs.train.y) & runs.relabelled
    return np.asarray(np.divide(hits.sum(axis=1), replaced, out=not_there(len(replaced)), where=replaced > 0))


@measure(
    "input_gradient",
    "mean over clean test rows of the norm of the gradient of the row's test loss in its scaled features",
    "nats or squared SD, an SD of a feature",
)
def input_gradient(runs: Evaluation) -> Array:
    """How fast the loss rises with the smallest perturbation of a row, (M,) >= 0."""
    return runs.input_gradient


@measure(
    "prediction_shift",
    "mean (f - f_clean)^2 / variance of y (regression), share of rows given another class (classification), on clean "
    "test rows, f_clean the same run trained on clean rows; null for that run itself",
    rests_on=(CLEAN_RUN,),
)
def prediction_shift(runs: Evaluation) -> Array:
    """How far contamination of the training rows moved the predictions, (M,) >= 0."""
    if runs.task == CLASSIFICATION:
        classes = runs.test.outputs.argmax(axis=2)
        moved = (classes != classes[runs.clean_run]).mean(axis=1)
    else:
        values = _standardised(runs.test)
        moved = ((values - values[runs.clean_run]) ** 2).mean(axis=1)
    return np.where(runs.clean_run >= 0, moved, np.nan)


@measure(
    "prediction_shift_relative",
    "mean (f - f_clean)^2 / variance of f_clean, on clean test rows, as prediction_shift; null for classification",
    rests_on=(CLEAN_RUN,),
)
def prediction_shift_relative(runs: Evaluation) -> Array:
    """`prediction_shift` in units of what the clean model does at all, (M,); NaN where that is nothing (constant)."""
    if runs.task == CLASSIFICATION:
        return not_there(len(runs.clean_run))
    spread = _standardised(runs.test).var(axis=1)[runs.clean_run]
    return np.asarray(np.divide(prediction_shift(runs), spread, out=not_there(len(spread)), where=spread > 0))


def _standardised(part: Part) -> Array:
    """Predictions (M, n) in units in which each model's targets have mean 0 and SD 1.

    Runs whose targets were scaled differently can then be compared.
    """
    y = part.y.astype(np.float64)
    predicted = part.outputs[:, :, 0].astype(np.float64)
    return np.asarray((predicted - y.mean(axis=1, keepdims=True)) / y.std(axis=1, keepdims=True))
