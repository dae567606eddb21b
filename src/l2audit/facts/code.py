"""Claims a, b1 and b2: what the code of the thread computes, how its penalty grows, and when it is weight decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from l2audit.facts.fact import Check, above, agrees, farthest, largest, of_claim
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


# How the penalty grows with the weights: claims b1 and b2.

HOMOGENEOUS = "computed; the penalty is a sum of squares, so it is homogeneous of degree 2"

SCALES = np.logspace(-2, 2, 81)


def _penalties_along_the_scale(l2_loss: Penalty) -> np.ndarray:
    """P(s * w) for the six kernels of `kernels_of_the_code` together, s in SCALES."""
    kernels = kernels_of_the_code()
    return np.array([float(quoted_sum([tf.constant(s * w) for w in kernels], l2_loss)) for s in SCALES])


@of_claim("b1")
def penalty_is_quadratic(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """Log-log slope of P(s * w); the entry carries the curve as `points`: scale and penalty.

    The local slope farthest from 2 is judged, not the fitted one: a curve can have slope 2 on average only.
    """
    penalty = _penalties_along_the_scale(l2_loss)
    slopes = np.diff(np.log(penalty)) / np.diff(np.log(SCALES))
    statement = "The penalty of s·w grows as s²: its log-log slope is 2 everywhere from s = 0.01 to s = 100"
    found = agrees(statement, HOMOGENEOUS, expected=2.0, obtained=farthest(slopes, 2.0), tolerance=0.01)
    return {**found, "points": {"scale": SCALES.tolist(), "penalty": penalty.tolist()}}


@of_claim("b1")
def pull_is_linear(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """Gradient of beta * P at s * w, against beta * s * w: the pull on a weight is in proportion to the weight."""
    worst = 0.0
    for s in SCALES[::10]:
        kernels = [tf.constant(s * w) for w in kernels_of_the_code()]
        with tf.GradientTape() as tape:
            tape.watch(kernels)
            penalty = BETA * quoted_sum(kernels, l2_loss)
        for kernel, pull in zip(kernels, tape.gradient(penalty, kernels), strict=True):
            worst = max(worst, largest(pull / (BETA * kernel) - 1))
    statement = "The penalty pulls on each weight in proportion to it, beta·w: largest relative difference"
    return agrees(statement, HOMOGENEOUS, expected=0.0, obtained=worst)


@of_claim("b2")
def penalty_is_exponential(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """What an exponential would show: the slope of log P(s * w) against s is the same at every s."""
    penalty = _penalties_along_the_scale(l2_loss)
    slopes = np.diff(np.log(penalty)) / np.diff(SCALES)
    statement = (
        "The penalty of s·w grows as an exponential: the slope of log P against s is constant"
        " (smallest slope / largest slope, s from 0.01 to 100)"
    )
    return agrees(statement, HOMOGENEOUS, expected=1.0, obtained=slopes.min() / slopes.max(), tolerance=0.01)


# L2 in the loss is weight decay for plain gradient descent, and for nothing else.

STEPS = 50

VISIBLE = 1e-3
"""A difference between two trained weights above this is no round-off."""

DECOUPLED = "computed; Loshchilov and Hutter (2019), Decoupled Weight Decay Regularization, propositions 1 and 2"


@of_claim("a")
def plain_sgd_equals_weight_decay(l2_loss: Penalty = tf.nn.l2_loss) -> Check:
    """Keras SGD on the penalised loss, against Keras SGD(weight_decay=beta) on the loss alone."""
    statement = f"Plain gradient descent on the penalised loss is weight decay: largest difference after {STEPS} steps"
    return agrees(statement, DECOUPLED, expected=0.0, obtained=l2_against_decay(keras.optimizers.SGD, {}, l2_loss))


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
    return above(statement, DECOUPLED, limit=VISIBLE, obtained=obtained)


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
