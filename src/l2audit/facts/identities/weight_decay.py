"""Claim a, its consequence: L2 in the loss is weight decay, for plain gradient descent and for nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from l2audit.facts.checks import Check, above, largest
from l2audit.facts.identities.entries import agrees, of_claim
from l2audit.facts.identities.quoted_code import BETA, LEARNING_RATE, Penalty
from l2audit.seeds import generator

STEPS = 50

VISIBLE = 1e-3
"""A difference between two trained weights above this is no round-off."""

SOURCE = "computed; Loshchilov and Hutter (2019), Decoupled Weight Decay Regularization, propositions 1 and 2"


@of_claim("a")
def plain_sgd_equals_weight_decay(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """Keras SGD on the penalised loss, against Keras SGD(weight_decay=beta) on the loss alone."""
    statement = f"Plain gradient descent on the penalised loss is weight decay: largest difference after {STEPS} steps"
    return agrees(statement, SOURCE, expected=0.0, obtained=l2_against_decay(keras.optimizers.SGD, {}, l2_loss))


@of_claim("a")
def momentum_departs_from_weight_decay(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """The same with momentum 0.9: a boundary of the identity, which holds where the two differ."""
    return _departs("With momentum 0.9", l2_against_decay(keras.optimizers.SGD, {"momentum": 0.9}, l2_loss))


@of_claim("a")
def adam_departs_from_weight_decay(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """The same with Adam, whose decoupled form is AdamW: a boundary of the identity."""
    return _departs("With Adam", l2_against_decay(keras.optimizers.Adam, {}, l2_loss))


def _departs(condition: str, obtained: float) -> Check:
    """A check that holds where two things that might have been the same are visibly not."""
    statement = f"{condition} the two differ visibly: largest difference of a weight after {STEPS} steps"
    return above(statement, SOURCE, limit=VISIBLE, obtained=obtained)


def l2_against_decay(optimizer: Callable[..., Any], settings: Mapping[str, float], l2_loss: Penalty) -> float:
    """Largest difference of a weight between L2 in the loss and decay by the optimizer, after the same full batches."""
    penalised = _trained(optimizer(learning_rate=LEARNING_RATE, **settings), lambda w: BETA * l2_loss(w))
    decayed = _trained(optimizer(learning_rate=LEARNING_RATE, weight_decay=BETA, **settings), lambda w: 0.0)
    return largest(penalised - decayed)


def _trained(optimizer: Any, penalty: Penalty) -> np.ndarray:
    """Kernel (5, 3) of a softmax model after STEPS full-batch steps on 40 rows of noise, in float64."""
    rng = generator("identity training")
    X, labels = tf.constant(rng.normal(size=(40, 5))), tf.constant(rng.integers(3, size=40))
    kernel = keras.Variable(rng.normal(size=(5, 3)), dtype="float64")
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, X @ kernel.value)
            objective = tf.reduce_mean(losses) + penalty(kernel.value)
        optimizer.apply([tape.gradient(objective, kernel.value)], [kernel])
    return np.asarray(kernel.value)
