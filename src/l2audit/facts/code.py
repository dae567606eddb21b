"""Claims a, b1 and b2: what the code of the thread computes, how its penalty grows, and when it is weight decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from l2audit.facts.fact import fact, farthest, largest
from l2audit.seeds import generator

Penalty = Callable[[Any], Any]
Objective = Callable[[Any, Any, float], Any]

SOURCE = "computed; the code is that of question 53354, Data Science Stack Exchange, CC BY-SA 4.0"
HOMOGENEOUS = "computed; the penalty is a sum of squares, so it is homogeneous of degree 2"
CONVEX = "computed; the penalty is convex and symmetric (Hardy, Littlewood and Polya 1934, chapter 3)"
DECOUPLED = "computed; Loshchilov and Hutter (2019), Decoupled Weight Decay Regularization, propositions 1 and 2"

SCALES = np.logspace(-2, 2, 81)
# Powers of two: Keras passes its hyperparameters through float32, which holds these exactly.
BETA, LEARNING_RATE = 2.0**-4, 2.0**-3

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


def quoted_objective(loss: Any, reg: Any, beta: float) -> Any:
    """The last line of the quoted code: `loss` is a scalar or one value per example, `reg` a scalar."""
    return tf.reduce_mean(loss + reg * beta)


def pulls(kernels: list[Any], l2_loss: Penalty) -> list[Any]:
    """The gradients of the quoted sum in its kernels."""
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        penalty = tf.add_n([l2_loss(kernel) for kernel in kernels])
    return list(tape.gradient(penalty, kernels))


def kernels_of_the_code() -> list[np.ndarray]:
    """Kernels of the shapes that the quoted code sums over: five convolutions and a dense layer, of different scale."""
    rng = generator("identity weights")
    shapes = [(3, 3, 1, 4), (3, 3, 4, 4), (3, 3, 4, 8), (3, 3, 8, 8), (3, 3, 8, 8), (32, 16)]
    return [rng.normal(scale=0.5 + layer, size=shape) for layer, shape in enumerate(shapes)]


@fact(SOURCE, 0.5)
def l2_loss_is_half_the_sum_of_squares(l2_loss: Penalty = tf.nn.l2_loss) -> Any:
    """tf.nn.l2_loss(w) is half the sum of the squared weights: the quotient of the two, over six kernels."""
    ratios = [float(l2_loss(tf.constant(w))) / float(np.sum(w**2)) for w in kernels_of_the_code()]
    return farthest(ratios, 0.5)


@fact(SOURCE)
def gradient_is_the_weight(l2_loss: Penalty = tf.nn.l2_loss) -> Any:
    """The gradient of tf.nn.l2_loss at w is w itself: largest difference over six kernels."""
    kernels = [tf.constant(w) for w in kernels_of_the_code()]
    return max(largest(pull - w) for pull, w in zip(pulls(kernels, l2_loss), kernels, strict=True))


@fact(SOURCE)
def penalty_adds_to_a_vector_loss(objective: Objective = quoted_objective) -> Any:
    """mean(loss + reg·beta) is mean(loss) + beta·reg, with one loss per example (relative difference)."""
    return excess(generator("identity losses").exponential(size=64), objective)


@fact(SOURCE)
def penalty_adds_to_a_scalar_loss(objective: Objective = quoted_objective) -> Any:
    """mean(loss + reg·beta) is mean(loss) + beta·reg, with one loss for the batch (relative difference)."""
    return excess(generator("identity losses").exponential(size=64).mean(), objective)


def excess(loss: Any, objective: Objective) -> float:
    """Relative difference between the quoted line and mean(loss) + beta * reg."""
    kernels = kernels_of_the_code()
    expected = np.mean(loss) + BETA * sum(0.5 * np.sum(w**2) for w in kernels)
    obtained = float(objective(tf.constant(loss), tf.add_n([tf.nn.l2_loss(w) for w in kernels]), BETA))
    return float(abs(obtained - expected) / expected)


@fact(SOURCE)
def evaluating_leaves_the_weights(l2_loss: Penalty = tf.nn.l2_loss, objective: Objective = quoted_objective) -> Any:
    """Evaluating the quoted lines adds nothing to the weights: largest change of a weight."""
    kernels = kernels_of_the_code()
    variables = [tf.Variable(w) for w in kernels]
    objective(tf.constant(1.0, tf.float64), tf.add_n([l2_loss(variable) for variable in variables]), BETA)
    return max(largest(variable.numpy() - w) for variable, w in zip(variables, kernels, strict=True))


@fact(SOURCE)
def quoted_code_step_by_step(l2_loss: Penalty = tf.nn.l2_loss) -> Any:
    """One step of the quoted code moves each weight by -rate·(gradient of the mean loss + beta·w): largest difference
    between the step and this sum.

    The trace has every intermediate number. By kernel name, flattened: weights, l2_loss, gradient_loss (of mean_loss),
    gradient_penalty (what the gradient of the objective has beyond it), updated (after one step of plain gradient
    descent). One per example: loss, penalised_loss (loss + reg * beta). The objective is the mean of penalised_loss.
    """
    weights = {name: tf.Variable(np.array(value)) for name, value in TRACED_KERNELS.items()}
    with tf.GradientTape(persistent=True) as tape:
        hidden = tf.reshape(tf.constant(TRACED_INPUTS, tf.float64), (-1, 1, 1, 1))
        *convolutions, dense = weights.values()
        for kernel in convolutions:
            hidden = tf.nn.relu(tf.nn.conv2d(hidden, kernel, strides=1, padding="SAME"))
        logits = tf.reshape(hidden, (len(TRACED_INPUTS), -1)) @ dense
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant(TRACED_LABELS), logits)
        mean_loss = tf.reduce_mean(loss)
        penalties = {name: l2_loss(weight) for name, weight in weights.items()}
        reg = tf.add_n(list(penalties.values()))
        objective = quoted_objective(loss, reg, BETA)
    of_loss, whole = tape.gradient(mean_loss, weights), tape.gradient(objective, weights)
    updated = {name: weights[name] - LEARNING_RATE * whole[name] for name in weights}

    def flat(tensors: Mapping[str, Any]) -> dict[str, list[float]]:
        return {name: np.asarray(tensor).ravel().tolist() for name, tensor in tensors.items()}

    trace = {
        "weights": flat(weights),
        "l2_loss": {name: float(value) for name, value in penalties.items()},
        "reg": float(reg),
        "beta": BETA,
        "loss": loss.numpy().tolist(),
        "penalised_loss": (loss + reg * BETA).numpy().tolist(),
        "mean_loss": float(mean_loss),
        "objective": float(objective),
        "learning_rate": LEARNING_RATE,
        "gradient_loss": flat(of_loss),
        "gradient_penalty": flat({name: whole[name] - of_loss[name] for name in weights}),
        "updated": flat(updated),
    }
    by_hand = {name: w - LEARNING_RATE * (of_loss[name] + BETA * w) for name, w in weights.items()}
    return {"obtained": max(largest(updated[name] - by_hand[name]) for name in weights), "trace": trace}


def penalties_along_the_scale(l2_loss: Penalty) -> np.ndarray:
    """P(s * w) for the six kernels of `kernels_of_the_code` together, s in SCALES."""
    kernels = kernels_of_the_code()
    return np.array([float(tf.add_n([l2_loss(tf.constant(s * w)) for w in kernels])) for s in SCALES])


@fact(HOMOGENEOUS, 2.0, tolerance=0.01)
def penalty_is_quadratic(l2_loss: Penalty = tf.nn.l2_loss) -> Any:
    """The penalty of s·w grows as s²: its log-log slope is 2 everywhere from s = 0.01 to s = 100.

    The local slope farthest from 2 is judged, not the fitted one: a curve can have slope 2 on average only.
    """
    penalty = penalties_along_the_scale(l2_loss)
    slopes = np.diff(np.log(penalty)) / np.diff(np.log(SCALES))
    points = {"scale": SCALES.tolist(), "penalty": penalty.tolist()}
    return {"obtained": farthest(slopes, 2.0), "points": points}


@fact(HOMOGENEOUS)
def pull_is_linear(l2_loss: Penalty = tf.nn.l2_loss) -> Any:
    """The penalty pulls on each weight in proportion to it, beta·w: largest relative difference."""
    kernels = [tf.constant(s * w) for s in SCALES[::10] for w in kernels_of_the_code()]
    return max(largest(pull / w - 1) for pull, w in zip(pulls(kernels, l2_loss), kernels, strict=True))


@fact(HOMOGENEOUS, 1.0, tolerance=0.01)
def penalty_is_exponential(l2_loss: Penalty = tf.nn.l2_loss) -> Any:
    """The penalty of s·w grows as an exponential: the slope of log P against s is constant (smallest slope / largest
    slope, s from 0.01 to 100).
    """
    penalty = penalties_along_the_scale(l2_loss)
    slopes = np.diff(np.log(penalty)) / np.diff(SCALES)
    return slopes.min() / slopes.max()


@fact(CONVEX)
def equal_weights_have_the_least_penalty(l2_loss: Penalty = tf.nn.l2_loss) -> Any:
    """Of weights with one sum, equal ones have the least penalty: all others exceed it by half their squared distance.

    The largest relative departure from that over six kernels.
    """
    departures = []
    for w in kernels_of_the_code():
        equal = np.full_like(w, w.mean())
        excess = float(l2_loss(tf.constant(w))) - float(l2_loss(tf.constant(equal)))
        departures.append(excess / (0.5 * float(((w - equal) ** 2).sum())) - 1)
    return largest(departures)


@fact(CONVEX, "above 0")
def concentrating_weights_raises_the_penalty(l2_loss: Penalty = tf.nn.l2_loss) -> Any:
    """Moving weight from a smaller to a larger one, their sum kept, raises the penalty: the least rise of 200 moves."""
    rng = generator("identity moves")
    rises = []
    for _ in range(200):
        w = rng.exponential(size=20)
        small, large = np.argsort(w)[sorted(rng.choice(20, 2, replace=False))]
        moved = w.copy()
        step = rng.uniform(0.1, 1.0) * w[small]
        moved[small], moved[large] = w[small] - step, w[large] + step
        rises.append(float(l2_loss(tf.constant(moved))) - float(l2_loss(tf.constant(w))))
    return min(rises)


@fact(DECOUPLED)
def plain_sgd_equals_weight_decay(l2_loss: Penalty = tf.nn.l2_loss) -> Any:
    """Plain gradient descent on the penalised loss is weight decay: largest difference after 50 steps."""
    return l2_against_decay(keras.optimizers.SGD, {}, l2_loss)


@fact(DECOUPLED, "above 0.001")
def momentum_departs_from_weight_decay(l2_loss: Penalty = tf.nn.l2_loss) -> Any:
    """With momentum 0.9 the two differ visibly: largest difference of a weight after 50 steps."""
    return l2_against_decay(keras.optimizers.SGD, {"momentum": 0.9}, l2_loss)


@fact(DECOUPLED, "above 0.001")
def adam_departs_from_weight_decay(l2_loss: Penalty = tf.nn.l2_loss) -> Any:
    """With Adam the two differ visibly: largest difference of a weight after 50 steps."""
    return l2_against_decay(keras.optimizers.Adam, {}, l2_loss)


def l2_against_decay(optimizer: Callable[..., Any], settings: Mapping[str, float], l2_loss: Penalty) -> float:
    """Largest difference of a weight between L2 in the loss and decay by the optimizer, after 50 full batches."""
    kernels = []
    for beta, decay in ((BETA, None), (0.0, BETA)):
        rng = generator("identity training")  # a softmax model of 40 rows of noise, in float64
        X, labels = tf.constant(rng.normal(size=(40, 5))), tf.constant(rng.integers(3, size=40))
        kernel = keras.Variable(rng.normal(size=(5, 3)), dtype="float64")
        steps = optimizer(learning_rate=LEARNING_RATE, weight_decay=decay, **settings)
        for _ in range(50):
            with tf.GradientTape() as tape:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, X @ kernel.value)
                objective = tf.reduce_mean(losses) + beta * l2_loss(kernel.value)
            steps.apply([tape.gradient(objective, kernel.value)], [kernel])
        kernels.append(np.asarray(kernel.value))
    return largest(kernels[0] - kernels[1])
