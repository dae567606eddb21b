"""Claims that arithmetic settles: what the quoted code computes, how its penalty grows, what it means as a prior.

Every check compares two numbers that come by different ways, in float64, and says whether they agree; none looks at a
dataset of the study. The function under test is an argument, so that a test can hand over a wrong one and see the
check fail. Documented in docs/linear.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import BayesianRidge, Ridge

from l2audit.models.beta import ridge_alpha
from l2audit.seeds import generator

Identity = dict[str, Any]
"""claim, check, statement, expected, obtained, tolerance, holds, source; one carries the `trace`, one the `points`."""

EXACT = 1e-8
"""Tolerance of an identity in float64."""

VISIBLE = 1e-3
"""A difference between two trained weights above this is no round-off."""

SOURCE_CODE = "computed; the code is that of question 53354, Data Science Stack Exchange, CC BY-SA 4.0"
SOURCE_DECAY = "computed; Loshchilov and Hutter (2019), Decoupled Weight Decay Regularization, propositions 1 and 2"
SOURCE_QUADRATIC = "computed; science.md, claim b"
SOURCE_PRIOR = "computed; Bishop (2006), Pattern Recognition and Machine Learning, 3.3.1"

# Powers of two: Keras passes its hyperparameters through float32, which holds these exactly.
BETA, LEARNING_RATE, STEPS = 2.0**-4, 2.0**-3, 50

Penalty = Callable[[Any], Any]
Objective = Callable[[Any, Any, float], Any]


def quoted_objective(loss: Any, reg: Any, beta: float) -> Any:
    """The last line of the quoted code: `loss` is a scalar or one value per example, `reg` a scalar."""
    return tf.reduce_mean(loss + reg * beta)


def identities() -> list[Identity]:
    """All checks, in the order of the claims. Deterministic on one machine; about five seconds."""
    return [
        {**l2_loss_is_half_the_sum_of_squares(), "trace": trace_of_the_quoted_code()},
        gradient_is_the_weight(),
        penalty_adds_to_a_vector_loss(),
        penalty_adds_to_a_scalar_loss(),
        evaluating_leaves_the_weights(),
        plain_sgd_equals_weight_decay(),
        momentum_departs_from_weight_decay(),
        adam_departs_from_weight_decay(),
        quoted_code_step_by_step(),
        penalty_is_quadratic(),
        pull_is_linear(),
        penalty_is_exponential(),
        bayesian_ridge_is_ridge(),
        ridge_maximises_the_posterior(),
    ]


def _agrees(
    claim: str, check: str, statement: str, source: str, *, expected: float, obtained: float, tolerance: float = EXACT
) -> Identity:
    """A check that holds where `obtained` is within `tolerance` of `expected`."""
    return {
        "claim": claim,
        "check": check,
        "statement": statement,
        "expected": float(expected),
        "obtained": float(obtained),
        "tolerance": tolerance,
        "holds": bool(abs(obtained - expected) <= tolerance),
        "source": source,
    }


def _kernels() -> list[np.ndarray]:
    """Kernels of the shapes that the quoted code sums over: five convolutions and a dense layer, of different scale."""
    rng = generator("identity weights")
    shapes = [(3, 3, 1, 4), (3, 3, 4, 4), (3, 3, 4, 8), (3, 3, 8, 8), (3, 3, 8, 8), (32, 16)]
    return [rng.normal(scale=0.5 + layer, size=shape) for layer, shape in enumerate(shapes)]


def _reg(kernels: list[Any], l2_loss: Penalty) -> Any:
    """The quoted sum over the layers."""
    return tf.add_n([l2_loss(kernel) for kernel in kernels])


def _largest(difference: Any) -> float:
    return float(np.max(np.abs(np.asarray(difference))))


# Claim a: the penalty is a number added to the loss.


def l2_loss_is_half_the_sum_of_squares(l2_loss: Penalty = tf.nn.l2_loss) -> Identity:
    """tf.nn.l2_loss(w) against 0.5 * sum(w^2) in NumPy."""
    ratios = [float(l2_loss(tf.constant(w))) / float(np.sum(w**2)) for w in _kernels()]
    farthest = max(ratios, key=lambda ratio: abs(ratio - 0.5))
    statement = "tf.nn.l2_loss(w) is half the sum of the squared weights: the quotient of the two, over six kernels"
    return _agrees("a", "l2_loss_is_half_the_sum_of_squares", statement, SOURCE_CODE, expected=0.5, obtained=farthest)


def gradient_is_the_weight(l2_loss: Penalty = tf.nn.l2_loss) -> Identity:
    """Automatic gradient of tf.nn.l2_loss at w, against w."""
    worst = 0.0
    for w in _kernels():
        variable = tf.constant(w)
        with tf.GradientTape() as tape:
            tape.watch(variable)
            penalty = l2_loss(variable)
        worst = max(worst, _largest(tape.gradient(penalty, variable) - w))
    statement = "The gradient of tf.nn.l2_loss at w is w itself: largest difference over six kernels"
    return _agrees("a", "gradient_is_the_weight", statement, SOURCE_CODE, expected=0.0, obtained=worst)


def penalty_adds_to_a_vector_loss(objective: Objective = quoted_objective) -> Identity:
    """The quoted line with one loss per example, against mean(loss) + beta * reg."""
    statement = "mean(loss + reg·beta) is mean(loss) + beta·reg, with one loss per example (relative difference)"
    loss = generator("identity losses").exponential(size=64)
    return _adds("penalty_adds_to_a_vector_loss", statement, loss, objective)


def penalty_adds_to_a_scalar_loss(objective: Objective = quoted_objective) -> Identity:
    """The quoted line with one loss for the whole batch, against mean(loss) + beta * reg."""
    statement = "mean(loss + reg·beta) is mean(loss) + beta·reg, with one loss for the batch (relative difference)"
    loss = generator("identity losses").exponential(size=64).mean()
    return _adds("penalty_adds_to_a_scalar_loss", statement, loss, objective)


def _adds(check: str, statement: str, loss: Any, objective: Objective) -> Identity:
    kernels = _kernels()
    expected = np.mean(loss) + BETA * sum(0.5 * np.sum(w**2) for w in kernels)
    obtained = float(objective(tf.constant(loss), _reg([tf.constant(w) for w in kernels], tf.nn.l2_loss), BETA))
    return _agrees("a", check, statement, SOURCE_CODE, expected=0.0, obtained=abs(obtained - expected) / expected)


def evaluating_leaves_the_weights(
    l2_loss: Penalty = tf.nn.l2_loss, objective: Objective = quoted_objective
) -> Identity:
    """The weights before and after the quoted lines are evaluated."""
    kernels = _kernels()
    variables = [tf.Variable(w) for w in kernels]
    objective(tf.constant(1.0, tf.float64), _reg(variables, l2_loss), BETA)
    moved = max(_largest(variable.numpy() - w) for variable, w in zip(variables, kernels, strict=True))
    statement = "Evaluating the quoted lines adds nothing to the weights: largest change of a weight"
    return _agrees("a", "evaluating_leaves_the_weights", statement, SOURCE_CODE, expected=0.0, obtained=moved)


# Claim a, its consequence: L2 in the loss is weight decay, for plain gradient descent and for nothing else.


def plain_sgd_equals_weight_decay(l2_loss: Penalty = tf.nn.l2_loss) -> Identity:
    """Keras SGD on the penalised loss, against Keras SGD(weight_decay=beta) on the loss alone."""
    statement = f"Plain gradient descent on the penalised loss is weight decay: largest difference after {STEPS} steps"
    obtained = _l2_against_decay(keras.optimizers.SGD, {}, l2_loss)
    return _agrees("a", "plain_sgd_equals_weight_decay", statement, SOURCE_DECAY, expected=0.0, obtained=obtained)


def momentum_departs_from_weight_decay(l2_loss: Penalty = tf.nn.l2_loss) -> Identity:
    """The same with momentum 0.9: a boundary of the identity, which holds where the two differ."""
    obtained = _l2_against_decay(keras.optimizers.SGD, {"momentum": 0.9}, l2_loss)
    return _departs("momentum_departs_from_weight_decay", "With momentum 0.9", obtained)


def adam_departs_from_weight_decay(l2_loss: Penalty = tf.nn.l2_loss) -> Identity:
    """The same with Adam, whose decoupled form is AdamW: a boundary of the identity."""
    obtained = _l2_against_decay(keras.optimizers.Adam, {}, l2_loss)
    return _departs("adam_departs_from_weight_decay", "With Adam", obtained)


def _departs(check: str, condition: str, obtained: float) -> Identity:
    """A check that holds where two things that might have been the same are visibly not."""
    return {
        "claim": "a",
        "check": check,
        "statement": f"{condition} the two differ visibly: largest difference of a weight after {STEPS} steps",
        "expected": f"> {VISIBLE:g}",
        "obtained": obtained,
        "tolerance": VISIBLE,
        "holds": bool(obtained > VISIBLE),
        "source": SOURCE_DECAY,
    }


def _l2_against_decay(optimizer: Callable[..., Any], settings: Mapping[str, float], l2_loss: Penalty) -> float:
    """Largest difference of a weight between L2 in the loss and decay by the optimizer, after the same full batches."""
    penalised = _trained(optimizer(learning_rate=LEARNING_RATE, **settings), lambda w: BETA * l2_loss(w))
    decayed = _trained(optimizer(learning_rate=LEARNING_RATE, weight_decay=BETA, **settings), lambda w: 0.0)
    return _largest(penalised - decayed)


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


# Claim a, for the comment that asked to see it on the written code.

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

    weights, l2_loss, gradient_loss, gradient_penalty, updated: by kernel name, flattened; reg, beta, loss (one per
    example), mean_loss, objective, learning_rate. gradient_loss is the gradient of mean_loss, gradient_penalty what the
    gradient of the objective has beyond it, updated the weights after one step of plain gradient descent.
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
        "mean_loss": float(mean_loss),
        "objective": float(objective),
        "learning_rate": LEARNING_RATE,
        "gradient_loss": _flat(of_loss),
        "gradient_penalty": _flat({name: whole[name] - of_loss[name] for name in weights}),
        "updated": _flat({name: weights[name] - LEARNING_RATE * whole[name] for name in weights}),
    }


def quoted_code_step_by_step(l2_loss: Penalty = tf.nn.l2_loss) -> Identity:
    """The step of `trace_of_the_quoted_code`, against the same step written out by hand."""
    trace = trace_of_the_quoted_code(l2_loss)
    worst = 0.0
    for name, weights in trace["weights"].items():
        before, slope = np.array(weights), np.array(trace["gradient_loss"][name])
        by_hand = before - LEARNING_RATE * (slope + BETA * before)
        worst = max(worst, _largest(trace["updated"][name] - by_hand))
    statement = (
        "One step of the quoted code moves each weight by -rate·(gradient of the mean loss + beta·w):"
        " largest difference between the step and this sum"
    )
    return _agrees("a", "quoted_code_step_by_step", statement, SOURCE_CODE, expected=0.0, obtained=worst)


def _traced_logits(weights: Mapping[str, Any]) -> Any:
    """Two logits for each traced input: five convolutions with ReLU, then the dense layer."""
    hidden = tf.reshape(tf.constant(TRACED_INPUTS, tf.float64), (-1, 1, 1, 1))
    *convolutions, dense = weights.values()
    for kernel in convolutions:
        hidden = tf.nn.relu(tf.nn.conv2d(hidden, kernel, strides=1, padding="SAME"))
    return tf.reshape(hidden, (len(TRACED_INPUTS), -1)) @ dense


def _flat(tensors: Mapping[str, Any]) -> dict[str, list[float]]:
    return {name: np.asarray(tensor).ravel().tolist() for name, tensor in tensors.items()}


# Claim b: how the penalty grows.

SCALES = np.logspace(-2, 2, 81)


def _penalties_along_the_scale(l2_loss: Penalty) -> np.ndarray:
    """P(s * w) for the six kernels of `_kernels` together, s in SCALES."""
    kernels = _kernels()
    return np.array([float(_reg([tf.constant(s * w) for w in kernels], l2_loss)) for s in SCALES])


def penalty_is_quadratic(l2_loss: Penalty = tf.nn.l2_loss) -> Identity:
    """Log-log slope of P(s * w); the entry carries the curve as `points`: scale and penalty.

    The local slope farthest from 2 is judged, not the fitted one: a curve can have slope 2 on average only.
    """
    penalty = _penalties_along_the_scale(l2_loss)
    slopes = np.diff(np.log(penalty)) / np.diff(np.log(SCALES))
    farthest = slopes[np.argmax(np.abs(slopes - 2))]
    statement = "The penalty of s·w grows as s²: its log-log slope is 2 everywhere from s = 0.01 to s = 100"
    entry = _agrees(
        "b1", "penalty_is_quadratic", statement, SOURCE_QUADRATIC, expected=2.0, obtained=farthest, tolerance=0.01
    )
    entry["points"] = {"scale": SCALES.tolist(), "penalty": penalty.tolist()}
    return entry


def pull_is_linear(l2_loss: Penalty = tf.nn.l2_loss) -> Identity:
    """Gradient of beta * P at s * w, against beta * s * w: the pull on a weight is in proportion to the weight."""
    worst = 0.0
    for s in SCALES[::10]:
        kernels = [tf.constant(s * w) for w in _kernels()]
        with tf.GradientTape() as tape:
            tape.watch(kernels)
            penalty = BETA * _reg(kernels, l2_loss)
        for kernel, pull in zip(kernels, tape.gradient(penalty, kernels), strict=True):
            worst = max(worst, _largest(pull / (BETA * kernel) - 1))
    statement = "The penalty pulls on each weight in proportion to it, beta·w: largest relative difference"
    return _agrees("b1", "pull_is_linear", statement, SOURCE_QUADRATIC, expected=0.0, obtained=worst)


def penalty_is_exponential(l2_loss: Penalty = tf.nn.l2_loss) -> Identity:
    """What an exponential would show: the slope of log P(s * w) against s is the same at every s."""
    penalty = _penalties_along_the_scale(l2_loss)
    slopes = np.diff(np.log(penalty)) / np.diff(SCALES)
    statement = (
        "The penalty of s·w grows as an exponential: the slope of log P against s is constant"
        " (smallest slope / largest slope, s from 0.01 to 100)"
    )
    return _agrees(
        "b2",
        "penalty_is_exponential",
        statement,
        SOURCE_QUADRATIC,
        expected=1.0,
        obtained=slopes.min() / slopes.max(),
        tolerance=0.01,
    )


# Claim h1: L2 as a Gaussian prior.


def _regression() -> tuple[np.ndarray, np.ndarray]:
    """Centred X (80, 6) with correlated columns, and centred y."""
    rng = generator("identity regression")
    X = rng.normal(size=(80, 6)) @ (np.eye(6) + 0.5)
    y = X @ rng.normal(size=6) + rng.normal(size=80)
    return X - X.mean(axis=0), y - y.mean()


def bayesian_ridge_is_ridge(alpha: Callable[[float, float], float] = lambda prior, noise: prior / noise) -> Identity:
    """Posterior mean of scikit-learn's BayesianRidge, against its Ridge at prior precision / noise precision."""
    X, y = _regression()
    bayes = BayesianRidge(tol=1e-12, max_iter=10_000).fit(X, y)
    ridge = Ridge(alpha=alpha(bayes.lambda_, bayes.alpha_)).fit(X, y)
    statement = "BayesianRidge has the coefficients of Ridge(alpha = lambda_/alpha_): largest difference"
    obtained = _largest(bayes.coef_ - ridge.coef_)
    return _agrees("h1", "bayesian_ridge_is_ridge", statement, SOURCE_PRIOR, expected=0.0, obtained=obtained)


def ridge_maximises_the_posterior(alpha: Callable[[int, float], float] = ridge_alpha) -> Identity:
    """Gradient of the Gaussian log posterior at the ridge solution.

    y ~ N(X w, noise^2), w ~ N(0, prior^2), beta = noise^2 / (rows * prior^2).
    """
    X, y = _regression()
    noise, prior = 1.5, 0.7
    ridge = Ridge(alpha=alpha(len(y), noise**2 / (len(y) * prior**2)), fit_intercept=False).fit(X, y)
    w = tf.constant(ridge.coef_)
    with tf.GradientTape() as tape:
        tape.watch(w)
        log_likelihood = tf.reduce_sum(_log_gaussian(y - tf.linalg.matvec(X, w), noise))
        log_posterior = log_likelihood + tf.reduce_sum(_log_gaussian(w, prior))
    slope = tape.gradient(log_posterior, w)
    statement = (
        "The penalised solution maximises the posterior under a Gaussian prior:"
        " largest slope of the log posterior there, relative to the prior's own"
    )
    obtained = _largest(slope) / _largest(ridge.coef_ / prior**2)
    return _agrees("h1", "ridge_maximises_the_posterior", statement, SOURCE_PRIOR, expected=0.0, obtained=obtained)


def _log_gaussian(deviation: Any, scale: float) -> Any:
    """Log density of a centred Gaussian of standard deviation `scale`."""
    return -0.5 * (deviation / scale) ** 2 - np.log(scale * np.sqrt(2 * np.pi))
