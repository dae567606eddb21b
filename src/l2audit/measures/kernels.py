"""Measures of weights: their size, how evenly they are spread within and across layers, and which of them shrink.

The Gini index does not change with the scale of the weights, since shrinkage alone must not count as spreading. It is
taken for every layer and averaged over the layers, in three accountings. `all` counts all entries. `live_inputs` leaves
out of the first kernel what is multiplied by features that (nearly) never vary. `live` also leaves out of every kernel
what leads into or out of a dead unit. What dead inputs and units carry are initial weights that only the penalty ever
moves: most of an apparent effect on the spread can be theirs (docs/results.md).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l2audit.measures.evaluation import (
    MEASURES,
    UNPENALISED_RUN,
    Array,
    Evaluation,
    Mask,
    Measure,
    measure,
    not_there,
)

Values = NDArray[np.floating[Any]]

VANISHING = 1e-8
"""An unpenalised weight below this is not one that a penalty could be said to shrink."""

ALIKE = 1e-6
"""SD of log |w| up to which weights are all alike: ten times what rounding to float32 leaves of equal ones."""

ALL, LIVE_INPUTS, LIVE = "all", "live_inputs", "live"
ACCOUNTINGS = {
    ALL: "all entries",
    LIVE_INPUTS: "the first kernel's at live inputs only",
    LIVE: "only those at live inputs and between live units",
}


def layer_norms(runs: Evaluation) -> Array:
    """Frobenius norm of each kernel, (M, layers)."""
    flat = [kernel.reshape(len(kernel), -1).astype(np.float64) for kernel in runs.kernels]
    return np.stack([np.sqrt((layer**2).sum(axis=1)) for layer in flat], axis=1)


@measure("weight_norm", "sqrt of the summed squares of all kernels, biases left out")
def weight_norm(runs: Evaluation) -> Array:
    """Norm of all kernels together, (M,)."""
    return np.asarray(np.sqrt((layer_norms(runs) ** 2).sum(axis=1)))


@measure("layer_spread", "SD over the kernels of log Frobenius norm; null for a single kernel")
def layer_spread(runs: Evaluation) -> Array:
    """How unevenly the layers share the weights, (M,) >= 0; 0 where all norms are equal."""
    if len(runs.kernels) == 1:
        return not_there(len(runs.kernels[0]))
    norms = layer_norms(runs)
    logs = np.log(norms, out=np.full_like(norms, np.nan), where=norms > 0)
    return np.asarray(logs.std(axis=1))


def gini(values: Values) -> float:
    """Gini index of |values| (N,): 0 where all are equal, 1 - 1/N where one holds everything; NaN where all are 0.

    sum_i (2 i - N - 1) |v|_(i) / (N sum |v|), |v|_(1) the smallest. Expected 1/3 of a uniform distribution about 0,
    sqrt(2) - 1 of a Gaussian. Hurley & Rickard (2009), IEEE Trans. Inf. Theory 55(10), equation 7.
    """
    size = len(values)
    ordered = np.sort(np.abs(values)).astype(np.float64)
    total = ordered.sum()
    if not total > 0:
        return np.nan
    return float((ordered * np.arange(1 - size, size, 2)).sum() / (size * total))


def entries(runs: Evaluation, model: int, layer: int, accounting: str) -> Values:
    """The entries (N,) of one kernel of one model that an accounting counts; N may be 0."""
    kernel: Values = runs.kernels[layer][model]
    if accounting != ALL and layer == 0:
        kernel = _kept(kernel, runs.live_inputs[model], -2)
    if accounting == LIVE and layer > 0:
        kernel = _kept(kernel, runs.hidden[layer - 1].live[model], -2)
    if accounting == LIVE and layer < len(runs.hidden):
        kernel = _kept(kernel, runs.hidden[layer].live[model], -1)
    return np.ravel(kernel)


def _kept(kernel: Values, units: Mask, axis: int) -> Values:
    """A kernel without the entries of the units that are not kept; behind `flatten` a channel has several inputs."""
    if units.all():
        return kernel
    kept: Values = np.compress(np.tile(units, kernel.shape[axis] // len(units)), kernel, axis=axis)
    return kept


def mean_gini(runs: Evaluation, accounting: str) -> Array:
    """Mean over the kernels of the Gini index of their entries, (M,); NaN where one of them has none."""
    layers = range(len(runs.kernels))
    return np.array(
        [
            np.mean([gini(entries(runs, model, layer, accounting)) for layer in layers])
            for model in range(len(runs.kernels[0]))
        ]
    )


for _accounting, _counted in ACCOUNTINGS.items():
    MEASURES.add(
        f"gini_{_accounting}",
        Measure(
            partial(mean_gini, accounting=_accounting),
            f"Gini index of |W| (Hurley and Rickard 2009), mean over kernels, {_counted}",
        ),
    )


@measure(
    "feature_gini",
    "Gini index of the norms of the first kernel's rows, one a live input; null where a convolution comes first",
)
def feature_gini(runs: Evaluation) -> Array:
    """How unevenly the features are weighted, (M,) in [0, 1)."""
    kernel = runs.kernels[0]
    if kernel.ndim != 3:
        return not_there(len(kernel))
    norms = np.sqrt((kernel.astype(np.float64) ** 2).sum(axis=2))
    return np.array([gini(one[live]) for one, live in zip(norms, runs.live_inputs, strict=True)])


@measure(
    "selectivity",
    "minus the least-squares slope of log |w / w_0| on log |w_0|, w_0 the weight of the same run at beta = 0, over the"
    " entries at live inputs, pooled over kernels after centring in each; entries with w = 0 or |w_0| < 1e-8 left out;"
    " null at beta = 0 and where all |w_0| are alike",
    rests_on=(UNPENALISED_RUN,),
)
def selectivity(runs: Evaluation) -> Array:
    """How much more the penalty shrinks larger weights, (M,): one s times larger by a further factor of s^selectivity.

    0 where all shrink by one factor, which may be another in each kernel; below 0 where the smaller ones shrink more.
    The slope within groups of an analysis of covariance, groups the kernels. What a run at beta > 0 has lost of its
    relation to the run at beta = 0 for other reasons counts too, as regression to the mean: 1 where it has lost all.
    """
    return np.array([_selectivity(runs, model, int(twin)) for model, twin in enumerate(runs.unpenalised_run)])


def _selectivity(runs: Evaluation, model: int, twin: int) -> float:
    if twin < 0:
        return np.nan
    sizes, changes = [], []
    for layer in range(len(runs.kernels)):
        before, after = (np.abs(entries(runs, one, layer, LIVE_INPUTS)).astype(np.float64) for one in (twin, model))
        counted = ~((before < VANISHING) | (after == 0))  # a diverged weight stays, and leaves no number
        if counted.any():
            size = np.log(before[counted])
            change = np.log(after[counted]) - size
            sizes.append(size - size.mean())
            changes.append(change - change.mean())
    if not sizes:
        return np.nan
    size, change = np.concatenate(sizes), np.concatenate(changes)
    spread = size @ size
    return float(-(size @ change) / spread) if spread > len(size) * ALIKE**2 else np.nan
