"""Claim a: the penalty is a number that is computed from the weights and added to the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from l2audit.facts.checks import Check, farthest, largest
from l2audit.facts.identities.entries import agrees, of_claim
from l2audit.seeds import generator

Penalty = Callable[[Any], Any]
Objective = Callable[[Any, Any, float], Any]

SOURCE = "computed; the code is that of question 53354, Data Science Stack Exchange, CC BY-SA 4.0"

# Powers of two: Keras passes its hyperparameters through float32, which holds these exactly.
BETA, LEARNING_RATE = 2.0**-4, 2.0**-3


def quoted_objective(loss: Any, reg: Any, beta: float) -> Any:
    """The last line of the quoted code: `loss` is a scalar or one value per example, `reg` a scalar."""
    return tf.reduce_mean(loss + reg * beta)


def quoted_sum(kernels: list[Any], l2_loss: Penalty) -> Any:
    """The quoted sum over the layers."""
    return tf.add_n([l2_loss(kernel) for kernel in kernels])


def kernels_of_the_code() -> list[np.ndarray]:
    """Kernels of the shapes that the quoted code sums over: five convolutions and a dense layer, of different scale."""
    rng = generator("identity weights")
    shapes = [(3, 3, 1, 4), (3, 3, 4, 4), (3, 3, 4, 8), (3, 3, 8, 8), (3, 3, 8, 8), (32, 16)]
    return [rng.normal(scale=0.5 + layer, size=shape) for layer, shape in enumerate(shapes)]


@of_claim("a")
def l2_loss_is_half_the_sum_of_squares(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """tf.nn.l2_loss(w) against 0.5 * sum(w^2) in NumPy."""
    ratios = [float(l2_loss(tf.constant(w))) / float(np.sum(w**2)) for w in kernels_of_the_code()]
    statement = "tf.nn.l2_loss(w) is half the sum of the squared weights: the quotient of the two, over six kernels"
    return agrees(statement, SOURCE, expected=0.5, obtained=farthest(ratios, 0.5))


@of_claim("a")
def gradient_is_the_weight(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """Automatic gradient of tf.nn.l2_loss at w, against w."""
    worst = 0.0
    for w in kernels_of_the_code():
        variable = tf.constant(w)
        with tf.GradientTape() as tape:
            tape.watch(variable)
            penalty = l2_loss(variable)
        worst = max(worst, largest(tape.gradient(penalty, variable) - w))
    statement = "The gradient of tf.nn.l2_loss at w is w itself: largest difference over six kernels"
    return agrees(statement, SOURCE, expected=0.0, obtained=worst)


@of_claim("a")
def penalty_adds_to_a_vector_loss(objective: Objective = quoted_objective) -> Check:
    """The quoted line with one loss per example, against mean(loss) + beta * reg."""
    statement = "mean(loss + reg·beta) is mean(loss) + beta·reg, with one loss per example (relative difference)"
    return _adds(statement, generator("identity losses").exponential(size=64), objective)


@of_claim("a")
def penalty_adds_to_a_scalar_loss(objective: Objective = quoted_objective) -> Check:
    """The quoted line with one loss for the whole batch, against mean(loss) + beta * reg."""
    statement = "mean(loss + reg·beta) is mean(loss) + beta·reg, with one loss for the batch (relative difference)"
    return _adds(statement, generator("identity losses").exponential(size=64).mean(), objective)


def _adds(statement: str, loss: Any, objective: Objective) -> Check:
    kernels = kernels_of_the_code()
    expected = np.mean(loss) + BETA * sum(0.5 * np.sum(w**2) for w in kernels)
    obtained = float(objective(tf.constant(loss), quoted_sum([tf.constant(w) for w in kernels], tf.nn.l2_loss), BETA))
    return agrees(statement, SOURCE, expected=0.0, obtained=abs(obtained - expected) / expected)


@of_claim("a")
def evaluating_leaves_the_weights(l2_loss: Penalty = tf.nn.l2_loss, objective: Objective = quoted_objective) -> Check:
    """The weights before and after the quoted lines are evaluated."""
    kernels = kernels_of_the_code()
    variables = [tf.Variable(w) for w in kernels]
    objective(tf.constant(1.0, tf.float64), quoted_sum(variables, l2_loss), BETA)
    moved = max(largest(variable.numpy() - w) for variable, w in zip(variables, kernels, strict=True))
    statement = "Evaluating the quoted lines adds nothing to the weights: largest change of a weight"
    return agrees(statement, SOURCE, expected=0.0, obtained=moved)


# For the comment that asked to see it on the written code.

TRACED_KERNELS = {
    "w_conv1": [[[[1.0, -0.5]]]],
    "w_conv2": [[[[0.8], [0.6]]]],
    "w_conv3": [[[[1.2]]]],
    "w_conv4": [[[[0.9]]]],
    "w_conv5": [[[[1.1]]]],
    "w_fc1": [[0.7, -0.4]],
}
"""The six kernels that the quoted code penalises, as small as their shapes allow: 1x1 filters, one or two channels."""

TRACED_INPUTS, TRACED_LABELS = (1.0, -2.0), (0, 1)
"""Two images of one pixel, and their classes."""


def trace_of_the_quoted_code(l2_loss: Penalty = tf.nn.l2_loss) -> dict[str, Any]:
    """The quoted code on two examples, every intermediate number.

    weights, l2_loss, gradient_loss, gradient_penalty, updated: by kernel name, flattened; reg, beta; loss and
    penalised_loss (loss + reg * beta), one per example; mean_loss; objective, the mean of penalised_loss;
    learning_rate. gradient_loss is the gradient of mean_loss, gradient_penalty what the gradient of the objective has
    beyond it, updated the weights after one step of plain gradient descent.
    """
    weights = {name: tf.Variable(np.array(value)) for name, value in TRACED_KERNELS.items()}
    with tf.GradientTape(persistent=True) as tape:
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant(TRACED_LABELS), _traced_logits(weights))
        mean_loss = tf.reduce_mean(loss)
        penalties = {name: l2_loss(weight) for name, weight in weights.items()}
        reg = tf.add_n(list(penalties.values()))
        objective = quoted_objective(loss, reg, BETA)
    of_loss = tape.gradient(mean_loss, weights)
    whole = tape.gradient(objective, weights)
    return {
        "weights": _flat(weights),
        "l2_loss": {name: float(value) for name, value in penalties.items()},
        "reg": float(reg),
        "beta": BETA,
        "loss": loss.numpy().tolist(),
        "penalised_loss": (loss + reg * BETA).numpy().tolist(),
        "mean_loss": float(mean_loss),
        "objective": float(objective),
        "learning_rate": LEARNING_RATE,
        "gradient_loss": _flat(of_loss),
        "gradient_penalty": _flat({name: whole[name] - of_loss[name] for name in weights}),
        "updated": _flat({name: weights[name] - LEARNING_RATE * whole[name] for name in weights}),
    }


@of_claim("a")
def quoted_code_step_by_step(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """The step of `trace_of_the_quoted_code`, which the entry carries, against the same step written out by hand."""
    trace = trace_of_the_quoted_code(l2_loss)
    worst = 0.0
    for name, weights in trace["weights"].items():
        before, slope = np.array(weights), np.array(trace["gradient_loss"][name])
        by_hand = before - LEARNING_RATE * (slope + BETA * before)
        worst = max(worst, largest(trace["updated"][name] - by_hand))
    statement = (
        "One step of the quoted code moves each weight by -rate·(gradient of the mean loss + beta·w):"
        " largest difference between the step and this sum"
    )
    return {**agrees(statement, SOURCE, expected=0.0, obtained=worst), "trace": trace}


def _traced_logits(weights: Mapping[str, Any]) -> Any:
    """Two logits for each traced input: five convolutions with ReLU, then the dense layer."""
    hidden = tf.reshape(tf.constant(TRACED_INPUTS, tf.float64), (-1, 1, 1, 1))
    *convolutions, dense = weights.values()
    for kernel in convolutions:
        hidden = tf.nn.relu(tf.nn.conv2d(hidden, kernel, strides=1, padding="SAME"))
    return tf.reshape(hidden, (len(TRACED_INPUTS), -1)) @ dense


def _flat(tensors: Mapping[str, Any]) -> dict[str, list[float]]:
    return {name: np.asarray(tensor).ravel().tolist() for name, tensor in tensors.items()}
