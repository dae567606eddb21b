"""Networks as one program: a chunk of models along a leading axis, compiled by XLA.

Every chunk of a network has the same number of models, at least two; the last chunk is padded with copies. So a run is
always part of the same program, and its numbers are the same to the last bit whatever is trained beside it. (A program
that is compiled for a single model takes other kernels.)
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from l2audit.models.architectures import Network
from l2audit.models.problem import Array, Problem
from l2audit.networks.batches import order
from l2audit.networks.program import program
from l2audit.networks.recipe import Recipe

logger = logging.getLogger(__name__)

WORKING_SET = 10e6
"""Bytes that the models of a chunk may work on together; chosen by measurement (docs/training.md)."""

LARGEST = 16


def chunk_of(network: Network, batch: int) -> int:
    """How many models a chunk has: a power of two from 2 to 16 whose working set fits into WORKING_SET.

    A model works on its parameters with their gradients and an optimizer's two moments. It also works on the batch at
    each layer, forward and backward; a convolution sees each of its inputs nine times.
    """
    widths = [math.prod(shape) for shape in network.shapes]
    patches = [
        math.prod(layer.output_shape(inputs)[:2]) * math.prod(kernel[:-1])
        for layer, inputs in zip(network.layers, network.shapes, strict=False)
        if (kernel := layer.kernel_shape(inputs)) is not None and len(kernel) == 4
    ]
    numbers = 4 * sum(network.sizes) + 2 * batch * (sum(widths) + sum(patches))
    return 1 << int(np.clip(math.log2(WORKING_SET / (4 * numbers)), 1, math.log2(LARGEST)))


def train_stacked(
    problem: Problem, recipe: Recipe, steps: Array, chunk: int | None = None
) -> Iterator[dict[str, Array]]:
    """Train the models of `problem`, `chunk` (>= 2) at a time; yields what `program` returns, models along axis 0.

    steps: (M,), how many each model takes, at most the schedule's.
    Memory is that of one chunk: its training sets, its batch order and four numbers a parameter.
    """
    network = recipe.network
    chunk = chunk_of(network, recipe.schedule.batch) if chunk is None else chunk
    if chunk < 2:
        raise ValueError(f"a program of {chunk} models would take other kernels than one of many: use 2 or more")
    run = program(recipe, problem.X.shape[1], stacked=True)
    starts = range(0, len(problem.data), chunk)
    for number, start in enumerate(starts, 1):
        models = np.arange(start, min(start + chunk, len(problem.data)))
        logger.info("%s: chunk %d of %d, %d models", network.name, number, len(starts), len(models))
        padded = np.concatenate([models, np.repeat(models[:1], chunk - len(models))])
        trained = run(*_inputs(problem, recipe, steps, padded))
        yield {name: value.numpy()[: len(models)] for name, value in trained.items()}


def _inputs(problem: Problem, recipe: Recipe, steps: Array, models: Array) -> tuple[tf.Tensor, ...]:
    """The program's arguments for `models`, whose shapes depend on nothing but their number.

    Models that share a training set share its rows, which keeps them in the cache. There is room for as many sets as
    models, so the shape does not depend on how many are shared.
    """
    rows, features = problem.X.shape[1:]
    sets, slot = np.unique(problem.data[models], return_inverse=True)
    X = np.zeros((len(models), rows, features), np.float32)
    y = np.zeros((len(models), rows), problem.y.dtype)
    X[: len(sets)], y[: len(sets)] = problem.X[sets], problem.y[sets]
    first = (slot * rows).astype(np.int32)[:, None]
    keys = np.stack([problem.seed[models], steps[models]], axis=1)
    ways, which = np.unique(keys, axis=0, return_inverse=True)
    taken = [order(recipe.schedule, rows, problem.dataset, int(seed), int(own)) for seed, own in ways]
    orders = np.stack(taken, axis=1)
    initial = np.stack([recipe.network.initial(int(seed)) for seed, _ in ways])
    return (
        tf.constant(initial[which]),
        tf.constant(X.reshape(-1, features)),
        tf.constant(y.ravel()),
        tf.constant(first + np.arange(rows, dtype=np.int32)),
        tf.constant(orders[:, which] + first),
        tf.constant(problem.beta[models].astype(np.float32)),
        tf.constant(steps[models].astype(np.float32)),
    )
