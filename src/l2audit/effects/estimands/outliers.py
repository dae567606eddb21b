"""What outliers in the training rows do to a model, with the penalty and without it, and against other arms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from l2audit.contamination import CLEAN
from l2audit.effects.contrast import Contrast
from l2audit.effects.estimands.base import CONTAMINATED, estimand
from l2audit.effects.estimands.differences import fall_of, opposite
from l2audit.effects.grid import Array


@estimand("sensitivity", formula="D(b, c) - D(0, c) with D(b, c) = R(b, c) - R(b, clean)", levels=CONTAMINATED)
def sensitivity(runs: Contrast) -> Array:
    """How much more the outliers cost in clean test risk with the penalty than without it."""
    without = runs.unpenalised("test_risk") - runs.unpenalised("test_risk", CLEAN)
    return _damage(runs) - without


# How much less the outliers cost with the penalty.
estimand("insensitivity", formula="D(0, c) - D(b, c)", levels=CONTAMINATED)(opposite(sensitivity))
# Clean test risk after training on outliers, with the penalty against without it.
estimand("robustness", formula="R(b, c) - R(0, c)", levels=CONTAMINATED)(opposite(fall_of("test_risk")))
# How much further the outliers move the predictions on clean test rows with the penalty, and how much less far.
estimand("shift", formula="S(b, c) - S(0, c), S the shift of predictions", levels=CONTAMINATED)(
    opposite(fall_of("prediction_shift"))
)
estimand("steadiness", formula="S(0, c) - S(b, c)", levels=CONTAMINATED)(fall_of("prediction_shift"))


@estimand(
    "loss_against_penalty",
    formula="log(D(squared, 0) / D(huber, 0)) - log(D(squared, 0) / D(squared, b)), each D at least the floor",
    levels=CONTAMINATED,
    losses=("huber",),
    takes=("floor",),
    display="times the damage",
)
def loss_against_penalty(runs: Contrast) -> Array:
    """Share of the damage that the robust loss removes against the share that the penalty removes, in log units.

    Damage can be zero or less, so each D is floored (a quarter of the task's delta) inside the logarithm.
    """
    floor = runs.parameters["floor"]

    def log_damage(read: Callable[..., Array], loss: str) -> Array:
        return np.asarray(np.log(np.maximum(read("test_risk", None, loss) - read("test_risk", CLEAN, loss), floor)))

    return log_damage(runs.penalised, "squared") - log_damage(runs.unpenalised, "huber")


@estimand(
    "sensitivity_against",
    formula="D(b, c) - D(other arm, b', c), each arm at its own beta",
    levels=CONTAMINATED,
    takes=("against",),
)
def sensitivity_against(runs: Contrast) -> Array:
    """How much more the outliers cost under this penalty than in another arm."""
    return _damage(runs) - _damage(runs.against())


@estimand(
    "omission",
    formula="M(other arm, b, c) - M(b, c), M the memorised share of flipped labels, both at the same beta",
    levels=CONTAMINATED,
    takes=("against",),
)
def omission(runs: Contrast) -> Array:
    """How many more of the flipped labels are memorised where the penalty leaves something out."""
    return runs.against_same_beta().penalised("memorised_fraction") - runs.penalised("memorised_fraction")


def _damage(runs: Contrast) -> Array:
    """D(b, c): what the outliers cost in clean test risk with the penalty."""
    return runs.penalised("test_risk") - runs.penalised("test_risk", CLEAN)
