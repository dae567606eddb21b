"""What measures look at, and the registry that they stand in."""

from __future__ import annotations

from collections.abc import Callable
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


@dataclass(frozen=True)
class Hidden:
    """The units of one hidden layer, (M, units) each; a convolution's channel is a unit.

    live: whether the unit does anything on the rows that its model was fitted to (see `l2audit.training.probes`)
    scale: what a normalisation between the kernel and the activation multiplies by; 1 where there is none
    increase: loss on clean validation rows with the unit's activation set to 0, less the loss with it
    """

    live: Mask
    scale: NDArray[np.floating[Any]]
    increase: NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Evaluation:
    """All that measures may look at, for M models of one task, architecture and loss.

    train: the rows that the model was fitted to, contaminated ones included
    validation, test: clean; validation_contaminated: the contaminated copy
    test_noise, test_fgsm: the test rows with perturbed features (see `l2audit.training.evaluate`), same targets
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


@dataclass(frozen=True)
class Measure:
    """A registered measure: what it computes, (M,), and how to read it. NaN: it does not apply to the run.

    `formula` ends with its source where it is not this project's own.
    """

    compute: Callable[[Evaluation], Array]
    formula: str
    unit: str = "1"


MEASURES: Registry[Measure] = Registry("measure")


def measure(name: str, formula: str, unit: str = "1") -> Callable[[Callable[[Evaluation], Array]], Any]:
    """Register a function of an evaluation as the measure `name`; see `Measure`."""

    def register(compute: Callable[[Evaluation], Array]) -> Callable[[Evaluation], Array]:
        MEASURES.add(name, Measure(compute, formula, unit))
        return compute

    return register


def not_there(models: int) -> Array:
    """(models,) of NaN: for a measure that does not apply."""
    return np.full(models, np.nan)
