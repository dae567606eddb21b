"""The difference that the penalty makes to any measure, which the claim names in YAML.

Your own claims can use these estimands. Registered claims use the other modules, some of which are special cases.
"""

from __future__ import annotations

from l2audit.effects.contrast import Contrast
from l2audit.effects.estimands.base import CLEAN_ROWS, CONTAMINATED, MEASURE, estimand
from l2audit.effects.grid import Array

CLEAN = {"levels": CLEAN_ROWS, "takes": (MEASURE,), "from_zero": True}
DIRTY = {**CLEAN, "levels": CONTAMINATED}


@estimand("clean_fall", formula="m(0) - m(b), clean", falls=True, **CLEAN)
@estimand("contaminated_fall", formula="m(0, c) - m(b, c)", falls=True, **DIRTY)
def fall(runs: Contrast) -> Array:
    """By how much the measure is lower with the penalty than without it, both models trained at the same level."""
    measure = runs.parameters[MEASURE]
    return runs.unpenalised(measure) - runs.penalised(measure)


@estimand("clean_rise", formula="m(b) - m(0), clean", **CLEAN)
@estimand("contaminated_rise", formula="m(b, c) - m(0, c)", **DIRTY)
def rise(runs: Contrast) -> Array:
    """By how much it is higher: `fall`, claimed the other way round."""
    return -fall(runs)
