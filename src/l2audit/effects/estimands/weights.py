"""What the penalty does to weights and units: their size, how evenly they are spread, how many are at work."""

from __future__ import annotations

import numpy as np

from l2audit.effects.contrast import Contrast
from l2audit.effects.estimands.base import BOTH, CLEAN_ROWS, estimand
from l2audit.effects.estimands.differences import CLEAN, fall_of, opposite
from l2audit.effects.grid import Array


@estimand(
    "shrinkage",
    formula="log(|w(0)| / |w(b)|), clean",
    levels=CLEAN_ROWS,
    judged_band=False,
    display="share left",
)
def shrinkage(runs: Contrast) -> Array:
    """Log ratio of the norms of all kernels without and with the penalty."""
    return np.asarray(np.log(runs.unpenalised("weight_norm") / runs.penalised("weight_norm")))


@estimand(
    "selectivity",
    formula="minus the slope of log|w_b / w_0| on log|w_0| over weights, clean",
    levels=CLEAN_ROWS,
    judged_band=False,
    display="tenfold weights",
)
def selectivity(runs: Contrast) -> Array:
    """How much more the penalty shrinks larger weights: one ten times larger, by a further factor of 10^theta."""
    return runs.penalised("selectivity")


estimand("evenness", formula="m(0) - m(b), clean", falls=True, **CLEAN)(fall_of())


@estimand(
    "matched_evenness",
    formula="m(other arm) - m(b), clean, the other arm at the beta that fits the training rows as well",
    levels=CLEAN_ROWS,
    takes=("against", "match", "measure"),
    falls=True,
)
def matched_evenness(runs: Contrast) -> Array:
    """Unevenness under another penalty, less that under this one, where both fit equally well.

    At equal beta, or at each arm's best, the two would differ in how much they shrink, too.
    """
    measure = runs.parameters["measure"]
    other = runs.against_same_fit(runs.parameters["match"])
    return other.penalised(measure) - runs.penalised(measure)


# Rise of the effective share of the hidden units.
estimand("effective_neurons", formula="N(b, c) - N(0, c), N the effective share", levels=BOTH)(
    opposite(fall_of("effective_neurons"))
)
# Fall of the share of explanatory power (loss that silencing a unit costs) that the top tenth of units holds.
estimand("ablation_share", formula="A(0, c) - A(b, c), A the top tenth's share", levels=BOTH)(fall_of("ablation_share"))


@estimand(
    "sparsity_against",
    formula="m(b) - m(other arm, b'), clean, each arm at its own beta",
    levels=CLEAN_ROWS,
    takes=("against", "measure"),
)
def sparsity_against(runs: Contrast) -> Array:
    """A measure of sparsity, less what it is in another arm."""
    measure = runs.parameters["measure"]
    return runs.penalised(measure) - runs.against().penalised(measure)
