"""Networks on larger images: one model at a time, the whole schedule in one graph with oneDNN's convolutions.

Stacking loses here, though not on small images: XLA has no fast convolution on a CPU. Trained alone, a run's numbers
cannot depend on its company.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from l2audit.models.problem import Array, Problem
from l2audit.networks.batches import order
from l2audit.networks.program import program
from l2audit.networks.recipe import Recipe

logger = logging.getLogger(__name__)


def train_one_by_one(problem: Problem, recipe: Recipe, steps: Array) -> Iterator[dict[str, Array]]:
    """Train the models of `problem` one after the other; yields what `program` returns, with an axis of one model.

    steps: (M,), how many each model takes, at most the schedule's.
    """
    rows, network = problem.X.shape[1], recipe.network
    run = program(recipe, rows, stacked=False)
    everything = tf.range(rows)
    each = zip(problem.data, problem.beta, problem.seed, steps, strict=True)
    for model, (data, beta, seed, own) in enumerate(each):
        logger.info("%s: model %d of %d", network.name, model + 1, len(problem.data))
        trained = run(
            tf.constant(network.initial(int(seed))),
            tf.constant(problem.X[data]),
            tf.constant(problem.y[data]),
            everything,
            tf.constant(order(recipe.schedule, rows, problem.dataset, int(seed), int(own))),
            tf.constant(np.float32(beta)),
            tf.constant(np.float32(own)),
        )
        yield {name: value.numpy()[None] for name, value in trained.items()}
