"""The difference that the penalty makes to any measure, which the claim names in YAML.

Your own claims can use these estimands. Registered claims use the other modules, some of which are special cases.
"""

from __future__ import annotations

from l2audit.effects.contrast import Contrast
from l2audit.effects.estimands.base import CLEAN_ROWS, CONTAMINATED, MEASURE, Theta, estimand
from l2audit.effects.grid import Array

CLEAN = {"levels": CLEAN_ROWS, "takes": (MEASURE,), "from_zero": True}
DIRTY = {**CLEAN, "levels": CONTAMINATED}


def fall_of(measure: str = "") -> Theta:
    """By how much `measure`, or the one that the part names, is lower with the penalty than without it.

    Both models are trained at the same level.
    """

    def fall(runs: Contrast) -> Array:
        name = measure or runs.parameters[MEASURE]
        return runs.unpenalised(name) - runs.penalised(name)

    return fall


def opposite(of: Theta) -> Theta:
    """The same, claimed the other way round."""
    return lambda runs: 0.0 - of(runs)  # not -0.0 where nothing changes


estimand("contaminated_fall", formula="m(0, c) - m(b, c)", falls=True, **DIRTY)(fall_of())
estimand("clean_fall", formula="m(0) - m(b), clean", falls=True, **CLEAN)(fall_of())
estimand("contaminated_rise", formula="m(b, c) - m(0, c)", **DIRTY)(opposite(fall_of()))
estimand("clean_rise", formula="m(b) - m(0), clean", **CLEAN)(opposite(fall_of()))
