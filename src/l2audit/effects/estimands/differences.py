"""The difference that the penalty makes to any measure: for claims of one's own, which name the measure in YAML.

The estimands of the other modules are what registered claims mean; some of them are cases of these.
"""

from __future__ import annotations

from l2audit.effects.contrast import Contrast
from l2audit.effects.estimands.base import CLEAN_ROWS, CONTAMINATED, MEASURE, estimand
from l2audit.effects.grid import Array


@estimand("clean_fall", formula="m(0) - m(b), clean", levels=CLEAN_ROWS, judged_band=True, takes=(MEASURE,), falls=True)
@estimand(
    "contaminated_fall",
    formula="m(0, c) - m(b, c)",
    levels=CONTAMINATED,
    judged_band=True,
    takes=(MEASURE,),
    falls=True,
)
def fall(runs: Contrast) -> Array:
    """By how much the measure is lower with the penalty than without it, both models trained at the same level."""
    measure = runs.parameters[MEASURE]
    return runs.unpenalised(measure) - runs.penalised(measure)


@estimand("clean_rise", formula="m(b) - m(0), clean", levels=CLEAN_ROWS, judged_band=True, takes=(MEASURE,))
@estimand("contaminated_rise", formula="m(b, c) - m(0, c)", levels=CONTAMINATED, judged_band=True, takes=(MEASURE,))
def rise(runs: Contrast) -> Array:
    """By how much it is higher: `fall`, claimed the other way round."""
    return -fall(runs)
