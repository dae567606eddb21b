"""What measures look at, and the registry that they stand in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l2audit.registry import Registry

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """One part of the split as M models see it: `outputs` (M, n, K) logits or (M, n, 1) values, `y` (M, n) targets."""

    outputs: NDArray[np.float32]
    y: NDArray[np.float32] | NDArray[np.int32]

    @property
    def finite(self) -> Mask:
        """Whether all outputs of a model are finite, (M,)."""
        return np.asarray(np.isfinite(self.outputs).all(axis=(1, 2)))


@dataclass(frozen=True)
class Hidden:
    """The units of one hidden layer, (M, units) each; a convolution's channel is a unit.

    live: whether the unit does anything on the rows that its model was fitted to (see `l2audit.networks.probes`)
    scale: what a normalisation between the kernel and the activation multiplies by; 1 where there is none
    increase: loss on clean validation rows with the unit's activation set to 0, less the loss with it
    """

    live: Mask
    scale: NDArray[np.floating[Any]]
    increase: NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Evaluation:
    """All that measures may look at, for M models of one task, architecture and loss.

    finite_fit: (M,) whether all weights and the training loss are finite
    train: the rows that the model was fitted to, contaminated ones included
    validation, test: clean; validation_contaminated: the contaminated copy
    test_noise, test_fgsm: the test rows with perturbed features (see `l2audit.runs.evaluate`), same targets
    relabelled: (M, n) training rows whose label was replaced and whose features stayed
    clean_run: (M,) which of the M models differs in nothing but being trained on clean rows; -1 for one that is itself
        trained on clean rows, or where that run is not among the M
    unpenalised_run: (M,) which of the M models differs in nothing but beta = 0; -1 for one at beta = 0 itself, or where
        that run is not among the M
    input_gradient: (M,) mean over the test rows of the norm of the gradient of the row's loss in its features
    kernels: one a layer with weights, input to output, (M, inputs, outputs) or (M, 3, 3, channels in, channels out)
    live_inputs: (M, inputs of the first kernel)
    hidden: one a kernel but the last; none of a linear model
    """

    task: str
    finite_fit: Mask
    train: Part
    validation: Part
    validation_contaminated: Part
    test: Part
    test_noise: Part
    test_fgsm: Part
    relabelled: Mask
    clean_run: NDArray[np.int64]
    unpenalised_run: NDArray[np.int64]
    input_gradient: Array
    kernels: list[NDArray[np.float32]]
    live_inputs: Mask
    hidden: list[Hidden]

    @property
    def finite(self) -> Mask:
        """Which runs did not diverge, (M,): the fit and every output on every part is finite."""
        parts = (self.train, self.validation, self.validation_contaminated, self.test, self.test_noise, self.test_fgsm)
        return np.asarray(np.all([self.finite_fit, *(part.finite for part in parts)], axis=0))

    @property
    def others(self) -> Mapping[str, NDArray[np.int64]]:
        """What a measure may rest on beside the run itself -> which of the M models that is, (M,), -1 for none."""
        return {CLEAN_RUN: self.clean_run, UNPENALISED_RUN: self.unpenalised_run}


CLEAN_RUN, UNPENALISED_RUN = "clean", "unpenalised"
OK, DIVERGED = "ok", "diverged"
"""The status of a run in every table: whether it is finite, as above."""


@dataclass(frozen=True)
class Measure:
    """A registered measure: a function of an evaluation, (M,), and how to read it.

    `formula` ends with its source where it is not this project's own. `rests_on` names the other runs that the measure
    looks at (`Evaluation.others`): a contrast that reads the measure needs those runs, too.
    """

    function: Callable[[Evaluation], Array]
    formula: str
    unit: str = "1"
    rests_on: tuple[str, ...] = ()

    def compute(self, runs: Evaluation) -> Array:
        """The measure of each run, (M,); NaN where it does not apply, or the run or one that it rests on diverged."""
        finite = runs.finite
        there = finite.copy()
        for name in self.rests_on:
            other = runs.others[name]
            there &= (other < 0) | finite[other]
        with np.errstate(all="ignore"):  # a diverged model is a row, not a warning
            return np.where(there, self.function(runs), np.nan)


MEASURES: Registry[Measure] = Registry("measure")


def measure(
    name: str, formula: str, unit: str = "1", rests_on: tuple[str, ...] = ()
) -> Callable[[Callable[[Evaluation], Array]], Any]:
    """Register a function of an evaluation as the measure `name`; see `Measure`."""

    def register(function: Callable[[Evaluation], Array]) -> Callable[[Evaluation], Array]:
        MEASURES.add(name, Measure(function, formula, unit, rests_on))
        return function

    return register


def not_there(models: int) -> Array:
    """(models,) of NaN: for a measure that does not apply."""
    return np.full(models, np.nan)
