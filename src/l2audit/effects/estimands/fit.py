"""What the penalty does for clean rows and for perturbed ones: where it helps, and how much of it is best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from l2audit.contamination import CLEAN
from l2audit.effects.contrast import Contrast
from l2audit.effects.estimands.base import ACROSS, CLEAN_ROWS, CONTAMINATED, estimand
from l2audit.effects.grid import Array


@estimand(
    "benefit",
    formula="R(0, clean) - R(b, clean), where overfit",
    levels=CLEAN_ROWS,
    judged_band=False,
    takes=("gap",),
)
def benefit(runs: Contrast) -> Array:
    """Fall of clean test risk, over the seeds whose validation gap at beta = 0 shows overfitting.

    The gap is taken on validation rows: a test gap would share its noise with theta (a useless L2 then gets a slope
    of .4).
    """
    gap = runs.unpenalised("validation_risk") - runs.unpenalised("train_risk")
    runs.require("not overfit", gap > runs.parameters["gap"][runs.primary.task])
    return runs.unpenalised("test_risk") - runs.penalised("test_risk")


@estimand(
    "interaction",
    formula="slope of R(0, c) - R(b, c) on the gap at beta = 0 over all levels c, clean included",
    levels=ACROSS,
    judged_band=False,
)
def interaction(runs: Contrast) -> Array:
    """How much of each further unit of overfitting the penalty wins back: least squares over the levels of a dataset.

    The gap is validation risk minus training risk at beta = 0; its validation rows are contaminated like the training
    rows. The benefit is measured on clean test rows, so gap and benefit share no noise.
    """

    def over_levels(read: Callable[..., Array], measure: str) -> Array:
        return np.array([read(measure, level) for level in runs.primary.levels])

    benefit = over_levels(runs.unpenalised, "test_risk") - over_levels(runs.penalised, "test_risk")
    gap = over_levels(runs.unpenalised, "validation_risk_contaminated") - over_levels(runs.unpenalised, "train_risk")
    runs.require("the gap does not vary over the levels", np.ptp(gap, axis=0) > 0)
    away = gap - gap.mean(axis=0)  # a level that is missing makes the seed's slope NaN: it is not the planned one
    return np.asarray((away * benefit).sum(axis=0) / (away**2).sum(axis=0))


@estimand(
    "optimal_beta",
    formula="log10 b(c) - log10 b(clean), b(c) the best beta of the models trained at level c",
    levels=CONTAMINATED,
    judged_band=False,
    display="times the beta",
    has_slope=False,
)
def optimal_beta(runs: Contrast) -> Array:
    """How many decades further up the best beta lies under contamination; clean validation rows say what is best."""
    return np.asarray(np.log10(runs.best_beta()) - np.log10(runs.best_beta(CLEAN)))


@estimand(
    "input_gradient",
    formula="log(g(0) / g(b)), g the mean norm of the loss's gradient in the features, clean",
    levels=CLEAN_ROWS,
    display="gradient left",
)
def input_gradient(runs: Contrast) -> Array:
    """Log ratio of the sensitivity of the loss to small changes of a test row, without and with the penalty."""
    return np.asarray(np.log(runs.unpenalised("input_gradient") / runs.penalised("input_gradient")))


@estimand(
    "perturbed_risk",
    formula="P(0) - P(b), P = R on perturbed test rows - R on clean ones, clean",
    levels=CLEAN_ROWS,
)
def perturbed_risk(runs: Contrast) -> Array:
    """Fall of the damage that rows moved against the model do at test time."""
    without = runs.unpenalised("test_risk_fgsm") - runs.unpenalised("test_risk")
    return without - (runs.penalised("test_risk_fgsm") - runs.penalised("test_risk"))
