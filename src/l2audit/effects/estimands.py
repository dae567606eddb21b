"""Estimands: what each claim means as a paired contrast, one small function each.

An estimand gets a `Contrast`, which holds the runs of one (dataset, arm) at one contamination level. The contrast reads
any measure at beta = 0 or at the beta tuned on validation rows, one number per seed. The estimand returns theta, (S,);
theta > 0 agrees with the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l2audit.contamination import CLEAN
from l2audit.effects.contrast import Contrast
from l2audit.effects.grid import Array, Grid
from l2audit.measures import MEASURES, UNPENALISED_RUN
from l2audit.registry import Registry, nearest

CLEAN_ROWS, CONTAMINATED, BOTH, ACROSS = "clean", "contaminated", "both", "across"
"""Where an estimand lives: one row at the clean level; one a contaminated level; both; one at the clean level for which
every level is read."""

KINDS = "kinds"
"""The parameter, open to every estimand with contaminated rows, that keeps a part to some kinds of contamination."""
MEASURE = "measure"
"""The parameter that names the measure which an estimand is about."""

TOLD_BY_MEASURE = {"layer_spread": "layers closer"}
"""Measures whose falls are told in a way of their own, whatever estimand takes them."""

Theta = Callable[[Contrast], Array]


@dataclass(frozen=True)
class Estimand:
    """A registered estimand: theta as a function of a contrast, where it lives and what it asks of a run.

    levels        clean | contaminated | both | across.
    judged_band   The chosen beta must lie in the judged band.
    losses        Those needed beside the primary one.
    takes         Parameters that a part must give.
    display       How an effect is shown: a name in l2audit.wording.display.
    has_slope     Theta can be taken at any beta in place of the chosen one.
    falls         Theta is the fall of the measure that the part names.
    from_zero     That measure is read at beta = 0, too.
    as_tuned      Beta is chosen on contaminated validation rows, the ones that whoever has outliers would have.
    """

    theta: Theta
    formula: str
    levels: str
    judged_band: bool = True
    losses: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    display: str = "plain"
    has_slope: bool = True
    falls: bool = False
    from_zero: bool = False
    as_tuned: bool = False

    def at(self, grid: Grid, level: str) -> NDArray[np.int64] | None:
        """(S,): index of the beta to read at `level` in place of the registered choice; None for that choice."""
        return grid.best(level, "validation_risk_contaminated") if self.as_tuned else None

    def told(self, parameters: Mapping[str, Any]) -> str:
        """The display of an effect of a part with these parameters."""
        return TOLD_BY_MEASURE.get(parameters.get(MEASURE, ""), self.display) if self.falls else self.display


ESTIMANDS: Registry[Estimand] = Registry("estimand")


def estimand(name: str, **says: Any) -> Callable[[Theta], Theta]:
    """Register a function as the estimand `name`; `says`: the other fields of `Estimand`."""

    def register(theta: Theta) -> Theta:
        ESTIMANDS.add(name, Estimand(theta, **says))
        return theta

    return register


def parameter_faults(name: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(parameter, what is wrong with it, fix) of a part with the estimand `name`; UnknownName: no such estimand."""
    known = ESTIMANDS[name]
    open_to_it = {*known.takes, *([KINDS] if known.levels in (CONTAMINATED, BOTH) else [])}
    for missing in sorted(set(known.takes) - set(parameters)):
        yield missing, f"the estimand '{name}' needs this parameter", f"add `{missing}:`"
    for extra in sorted(set(parameters) - open_to_it):
        fix = nearest(extra, open_to_it) if open_to_it else "remove it"
        yield extra, f"the estimand '{name}' has no such parameter", fix
    measure = parameters.get(MEASURE)
    if MEASURE in known.takes and measure is not None and measure not in MEASURES:
        yield MEASURE, f"unknown measure '{measure}'", nearest(str(measure), MEASURES.names())
    elif known.from_zero and measure is not None and UNPENALISED_RUN in MEASURES[measure].rests_on:
        problem = f"'{measure}' compares a run with beta = 0, where it has no value, but '{name}' needs one"
        yield MEASURE, problem, "name another measure, or an estimand that reads it at the chosen beta alone"


# --- The difference that the penalty makes to any measure, which a claim of your own names in YAML.

AT_CLEAN = {"levels": CLEAN_ROWS, "takes": (MEASURE,), "from_zero": True}
AT_DIRTY = {**AT_CLEAN, "levels": CONTAMINATED}


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


estimand("contaminated_fall", formula="m(0, c) - m(b, c)", falls=True, **AT_DIRTY)(fall_of())
estimand("clean_fall", formula="m(0) - m(b), clean", falls=True, **AT_CLEAN)(fall_of())
estimand("contaminated_rise", formula="m(b, c) - m(0, c)", **AT_DIRTY)(opposite(fall_of()))
estimand("clean_rise", formula="m(b) - m(0), clean", **AT_CLEAN)(opposite(fall_of()))


# --- Weights and units: their size, how evenly they are spread, how many are at work.


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


estimand("evenness", formula="m(0) - m(b), clean", falls=True, **AT_CLEAN)(fall_of())


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


def beyond_other_arm(of: Theta) -> Theta:
    """How much larger an effect is here than in the arm that the part names, each arm at its own beta."""
    return lambda runs: of(runs) - of(runs.against())


# How much further the penalty lowers a measure of unevenness here than in another arm.
estimand(
    "evenness_lost",
    formula="(m(0) - m(b)) - the same in the other arm, clean, each arm at its own beta",
    levels=CLEAN_ROWS,
    takes=("against", "measure"),
)(beyond_other_arm(fall_of()))
# How many more units the penalty puts to work here than in another arm.
estimand(
    "neurons_lost",
    formula="(N(b, c) - N(0, c)) - the same in the other arm, N the effective share, each arm at its own beta",
    levels=BOTH,
    takes=("against",),
)(beyond_other_arm(opposite(fall_of("effective_neurons"))))


# --- Clean and perturbed rows: where the penalty helps, and how much of it is best.


@estimand("gap_fall", formula="G(0) - G(b), G = R - train risk, clean", levels=CLEAN_ROWS, judged_band=False)
def gap_fall(runs: Contrast) -> Array:
    """Fall of the gap between clean test risk and training risk.

    The gap alone is a poor judge: a penalty that spoils the fit closes it too. `benefit` asks what is gained.
    """

    def gap(read: Callable[..., Array]) -> Array:
        return read("test_risk") - read("train_risk")

    return gap(runs.unpenalised) - gap(runs.penalised)


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
    """How much of each further unit of overfitting the penalty wins back: one slope a dataset.

    It rests on all levels and seeds, each seed with its own intercept. The gap is validation risk minus training risk
    at beta = 0; its validation rows are contaminated like the training rows. The benefit is measured on clean test
    rows, so gap and benefit share no noise.
    """
    benefit = _at_levels(runs, runs.unpenalised, "test_risk") - _at_levels(runs, runs.penalised, "test_risk")
    held_out = _at_levels(runs, runs.unpenalised, "validation_risk_contaminated")
    gap = held_out - _at_levels(runs, runs.unpenalised, "train_risk")
    return _pooled_slope(runs, gap, benefit, over=0)


@estimand(
    "concentration",
    formula="slope of R(0, c) - train risk(0, c) on A(0, c), the top tenth's share, over seeds, an intercept a level",
    levels=ACROSS,
    judged_band=False,
    has_slope=False,
)
def concentration(runs: Contrast) -> Array:
    """By how much a network overfits more where few units do all the work: one slope a dataset, without any penalty.

    Each level has its own intercept, so seeds of one level are compared: other contamination moves both.
    """
    held = _at_levels(runs, runs.unpenalised, "ablation_share")
    gap = _at_levels(runs, runs.unpenalised, "test_risk") - _at_levels(runs, runs.unpenalised, "train_risk")
    return _pooled_slope(runs, held, gap, over=1)


def _at_levels(runs: Contrast, read: Callable[..., Array], measure: str) -> Array:
    """A measure at every level, (L, S)."""
    return np.array([read(measure, level) for level in runs.primary.levels])


def _pooled_slope(runs: Contrast, x: Array, y: Array, over: int) -> Array:
    """The least-squares slope of y on x, both (L, S), one for all levels and seeds of a copy, as (S,) shares of it.

    over: the axis along which x and y are centred, 0 the levels (an intercept a seed), 1 the seeds (an intercept a
    level). The slope is sum(A_s) / sum(B_s) over seeds, A and B their sums of products and of squares. A seed's share
    is slope + (A_s - slope B_s) / mean(B): the shares have the slope as their mean, and the spread of a ratio estimator
    (Cochran 1977, Sampling Techniques, equation 6.13). A seed with a level missing has none.
    """
    copies, levels = runs.primary.copies, len(x)
    x, y = (values.reshape(levels, copies, -1) for values in (x, y))
    whole = (np.isfinite(x) & np.isfinite(y)).all(axis=0)

    def centred(values: Array) -> Array:
        kept = np.where(whole, values, np.nan)
        if over == 0:
            return np.asarray(kept - kept.mean(axis=0))
        count = whole.sum(axis=-1, keepdims=True)
        return np.asarray(kept - np.nansum(kept, axis=-1, keepdims=True) / np.maximum(count, 1))

    x, y = centred(x), centred(y)
    products, squares = (x * y).sum(axis=0), (x**2).sum(axis=0)
    total = np.nansum(squares, axis=-1, keepdims=True)
    slope = np.nansum(products, axis=-1, keepdims=True) / total
    shares = slope + (products - slope * squares) * whole.sum(axis=-1, keepdims=True) / total
    varies = np.broadcast_to(total > 0, whole.shape) | ~whole
    runs.require("nothing varies that the slope could rest on", varies.reshape(-1))
    return np.asarray(shares.reshape(-1))


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


# --- Outliers in the training rows, with the penalty and without it, and against other arms.


@estimand("sensitivity", formula="D(b, c) - D(0, c) with D(b, c) = R(b, c) - R(b, clean)", levels=CONTAMINATED)
def sensitivity(runs: Contrast) -> Array:
    """How much more the outliers cost in clean test risk with the penalty than without it."""
    without = runs.unpenalised("test_risk") - runs.unpenalised("test_risk", CLEAN)
    return _damage(runs) - without


@estimand(
    "gain_as_tuned",
    formula="R(0, c) - R(b', c), b' the beta of least risk on contaminated validation rows",
    levels=CONTAMINATED,
    judged_band=False,
    as_tuned=True,
)
def gain_as_tuned(runs: Contrast) -> Array:
    """Fall of clean test risk for whoever has outliers in the training rows and in the rows that choose beta."""
    return fall_of("test_risk")(runs)


@estimand(
    "local_harm",
    formula="D(0, c) - D(0, other level)",
    levels=CONTAMINATED,
    takes=("than",),
    has_slope=False,
)
def local_harm(runs: Contrast) -> Array:
    """How much more contamination of this kind costs than that of another level, both without a penalty."""
    return _between_levels(runs, lambda level: runs.unpenalised("test_risk", level))


@estimand(
    "help_lost",
    formula="h(other level) - h(c) with h(c) = R(0, c) - R(b, c)",
    levels=CONTAMINATED,
    takes=("than",),
)
def help_lost(runs: Contrast) -> Array:
    """How much less the penalty helps against contamination of this kind than against that of another level."""
    return 0.0 - _between_levels(
        runs, lambda level: runs.unpenalised("test_risk", level) - runs.penalised("test_risk", level)
    )


def _between_levels(runs: Contrast, value: Callable[[str], Array]) -> Array:
    """`value` at this level less that at the level which the parameter `than` names."""
    other = runs.parameters["than"]
    if other not in runs.primary.levels:
        runs.require(f"{other} not planned", np.zeros(len(runs.primary.seeds), dtype=bool))
        return np.full(len(runs.primary.seeds), np.nan)
    return value(runs.level) - value(other)


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


# How much more the penalty adds to what outliers cost in another arm than here.
estimand(
    "sensitivity_gained",
    formula="(D(b, c) - D(0, c)) in the other arm - the same here, each arm at its own beta",
    levels=CONTAMINATED,
    takes=("against",),
)(opposite(beyond_other_arm(sensitivity)))


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
