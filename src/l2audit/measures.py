"""Measures: numbers computed from runs, each with a written formula and a unit, one small function a measure.

A measure takes an `Evaluation` (the outputs of M models of one shard on the parts of their splits) and returns one
number a
model, (M,). Adding one is one function here; it becomes a column of `runs.parquet` and a line of `docs/results.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from l2audit.registry import Registry

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One part of the split as M models see it: `outputs` (M, n, K) logits or (M, n, 1) values, `y` (M, n) targets."""

    outputs: NDArray[np.float32]
    y: NDArray[np.float32] | NDArray[np.int32]


@dataclass(frozen=True)
class Evaluation:
    """All that measures may look at, for M models of one task, architecture and loss."""

    task: str
    train: Part  # the rows that the model was fitted to, contaminated ones included
    validation: Part  # clean
    validation_contaminated: Part
    test: Part  # clean, always
    labels_flipped: NDArray[np.bool_]  # (M, n) training rows whose label was replaced
    kernels: list[NDArray[np.float32]]  # per layer, (M, ...)


@dataclass(frozen=True)
class Measure:
    """A registered measure: what it computes and how to read it."""

    compute: Callable[[Evaluation], Array]
    formula: str
    unit: str


MEASURES: Registry[Measure] = Registry("measure")


def error_rate(part: Part) -> Array:
    """Share of rows whose largest logit is not the target class, (M,) in [0, 1]; ties go to the lowest class."""
    return np.asarray((part.outputs.argmax(axis=2) != part.y).mean(axis=1), dtype=np.float64)


def nrmse(part: Part) -> Array:
    """RMSE / SD(y) over the part's own rows, (M,) >= 0; 1 is what the part's mean would score."""
    y = part.y.astype(np.float64)
    residual = part.outputs[:, :, 0].astype(np.float64) - y
    return np.asarray(np.sqrt((residual**2).mean(axis=1)) / y.std(axis=1), dtype=np.float64)


def cross_entropy(part: Part) -> Array:
    """Mean negative log-probability of the target class under softmax, natural log, (M,) >= 0."""
    logits = part.outputs.astype(np.float64)
    top = logits.max(axis=2, keepdims=True)
    log_total = np.log(np.exp(logits - top).sum(axis=2)) + top[:, :, 0]
    chosen = np.take_along_axis(logits, part.y[:, :, None].astype(np.int64), axis=2)[:, :, 0]
    return np.asarray((log_total - chosen).mean(axis=1), dtype=np.float64)


def half_squared(part: Part) -> Array:
    """Mean of half the squared residual, (M,) >= 0, in squared units of the scaled target."""
    residual = part.outputs[:, :, 0].astype(np.float64) - part.y
    return np.asarray(0.5 * (residual**2).mean(axis=1), dtype=np.float64)


RISK = {"classification": error_rate, "regression": nrmse}
LOSS = {"classification": cross_entropy, "regression": half_squared}
_RISK = "share of rows misclassified (classification); RMSE / SD(y) (regression)"
_LOSS = "mean cross-entropy in nats (classification); mean half squared residual of the scaled target (regression)"


def memorised_fraction(runs: Evaluation) -> Array:
    """Share of the flipped training labels that a model predicts, (M,); NaN where none was flipped."""
    flipped = runs.labels_flipped.sum(axis=1)
    if runs.task != "classification" or not flipped.any():
        return np.full(len(flipped), np.nan)
    hits = (runs.train.outputs.argmax(axis=2) == runs.train.y) & runs.labels_flipped
    return np.asarray(np.divide(hits.sum(axis=1), flipped, out=np.full(len(flipped), np.nan), where=flipped > 0))


def weight_norm(runs: Evaluation) -> Array:
    """Norm of all kernels together, (M,)."""
    return np.asarray(np.sqrt((layer_norms(runs) ** 2).sum(axis=1)))


def layer_norms(runs: Evaluation) -> Array:
    """Frobenius norm of each kernel, (M, layers)."""
    flat = [kernel.reshape(len(kernel), -1).astype(np.float64) for kernel in runs.kernels]
    return np.stack([np.sqrt((layer**2).sum(axis=1)) for layer in flat], axis=1)


MEASURES.add("test_risk", Measure(lambda runs: RISK[runs.task](runs.test), _RISK + ", on clean test rows", "1"))
MEASURES.add(
    "test_loss",
    Measure(lambda runs: LOSS[runs.task](runs.test), _LOSS + ", on clean test rows", "nats or squared SD"),
)
MEASURES.add(
    "train_risk",
    Measure(lambda runs: RISK[runs.task](runs.train), _RISK + ", on the rows fitted, contaminated ones included", "1"),
)
MEASURES.add(
    "validation_risk",
    Measure(lambda runs: RISK[runs.task](runs.validation), _RISK + ", on clean validation rows; chooses beta", "1"),
)
MEASURES.add(
    "validation_risk_contaminated",
    Measure(
        lambda runs: RISK[runs.task](runs.validation_contaminated), _RISK + ", on the contaminated copy of them", "1"
    ),
)
MEASURES.add(
    "memorised_fraction",
    Measure(memorised_fraction, "share of flipped training labels that the model predicts; null if none", "1"),
)
MEASURES.add("weight_norm", Measure(weight_norm, "sqrt of the summed squares of all kernels, biases left out", "1"))
