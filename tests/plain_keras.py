"""An independent way to train a network: Keras layers and Keras' optimizers, a model at a time, step by step in Python.

It shares with the engines the initial weights and the order of the rows, which are inputs, and no code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import keras
import numpy as np
import tensorflow as tf


@dataclass
class Trained:
    """Weights in Keras' order (layer by layer), certificates, and outputs on all rows, of one model."""

    weights: list[np.ndarray]
    outputs: np.ndarray
    certificates: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class How:
    """What is minimised and by which steps.

    penalty: l2 | l1 | decay | none; reached: numbers of the trainable weights that it reaches; last: steps that the
    certificates average over.
    """

    loss: str
    penalty: str
    reached: frozenset[int]
    optimizer: str
    learning_rate: float
    steps: int
    last: int
    epsilon: float = 1e-7
    memory: float = 0.999


def keras_model(layers: list[str], inputs: tuple[int, ...], outputs: int) -> keras.Model:
    """The model that the words of config/architectures.yaml describe."""
    model = keras.Sequential([keras.Input(inputs)])
    for text in [*layers, f"dense {outputs}"]:
        match text.split():
            case ["dense", units]:
                model.add(keras.layers.Dense(int(units)))
            case ["conv", channels, *options]:
                said = dict(zip(options[::2], options[1::2], strict=True))
                model.add(
                    keras.layers.Conv2D(
                        int(channels), 3, strides=int(said.get("stride", 1)), padding=said.get("padding", "same")
                    )
                )
            case ["avgpool", side]:
                model.add(keras.layers.AveragePooling2D(int(side)))
            case ["maxpool", side]:
                model.add(keras.layers.MaxPooling2D(int(side)))
            case ["relu"]:
                model.add(keras.layers.ReLU())
            case ["tanh"]:
                model.add(keras.layers.Activation("tanh"))
            case ["gelu"]:
                model.add(keras.layers.Activation(keras.activations.gelu))
            case ["flatten"]:
                model.add(keras.layers.Flatten())
            case ["batchnorm"]:
                model.add(keras.layers.BatchNormalization(epsilon=1e-5))
            case ["layernorm"] if len(model.output_shape) > 2:  # of images: all of a row together, a scale a channel
                model.add(keras.layers.GroupNormalization(1, epsilon=1e-5))
            case ["layernorm"]:
                model.add(keras.layers.LayerNormalization(epsilon=1e-5))
            case _:
                raise AssertionError(f"no Keras layer is written for '{text}'")
    return model


def train(
    model: keras.Model,
    weights: list[np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    batches: np.ndarray,
    beta: float,
    how: How,
) -> Trained:
    """Train from the given weights; `batches` (steps, batch) rows of x and y."""
    variables = model.trainable_variables
    for variable, value in zip(variables, weights, strict=True):
        variable.assign(value)
    kernels = [at for at, one in enumerate(variables) if one.path.endswith("kernel")]
    optimizer = {
        "adam": lambda: keras.optimizers.Adam(how.learning_rate, beta_1=0.9, beta_2=how.memory, epsilon=how.epsilon),
        "momentum": lambda: keras.optimizers.SGD(
            how.learning_rate
        ),  # on the velocity: Keras' own has the rate inside it
        "sgd": lambda: keras.optimizers.SGD(how.learning_rate),
    }[how.optimizer]()
    seconds = [np.zeros(one.shape) for one in variables]
    velocities = [np.zeros(one.shape, np.float32) for one in variables]
    exposure, slopes, averages, scale = 0.0, [], [], 1.0
    for t in range(how.steps):
        rows = batches[t % len(batches)]
        if how.loss == "huber" and t % 50 == 0:
            scale = residual_scale(model, x, y)
        with tf.GradientTape() as tape:
            value = mean_loss(model(x[rows], training=True), y[rows], how.loss, scale)
            if how.penalty == "l2":
                value += beta * tf.add_n([tf.nn.l2_loss(variables[at]) for at in sorted(how.reached)])
        gradients = tape.gradient(value, variables)
        if t >= how.steps - how.last:
            slopes.append(flat([gradients[at] for at in kernels]))
            averages.append(flat([variables[at] for at in kernels]))
        rate = how.learning_rate / 2 * (1 + np.cos(np.pi * t / how.steps))
        optimizer.learning_rate.assign(rate)
        if how.optimizer == "adam":
            optimizer.epsilon = how.epsilon * np.sqrt(
                1 - how.memory ** (t + 1)
            )  # Keras adds it before the bias is taken out
        before = [one.numpy() for one in variables]
        velocities = [0.9 * v + g.numpy() for v, g in zip(velocities, gradients, strict=True)]
        directions = velocities if how.optimizer == "momentum" else gradients
        optimizer.apply_gradients(zip(map(tf.constant, directions), variables, strict=True))
        seconds = [how.memory * v + (1 - how.memory) * g.numpy() ** 2 for v, g in zip(seconds, gradients, strict=True)]
        unbiased = [v / (1 - how.memory ** (t + 1)) for v in seconds]
        gains = {
            "adam": [1 / (np.sqrt(v) + how.epsilon) for v in unbiased],
            "momentum": [10.0] * len(variables),
            "sgd": [1.0] * len(variables),
        }[how.optimizer]
        for at in how.reached:
            moved = variables[at].numpy()
            if how.penalty == "decay":
                variables[at].assign(moved - rate * beta * before[at])
            if how.penalty == "l1":
                variables[at].assign(np.sign(moved) * np.maximum(np.abs(moved) - rate * beta * gains[at], 0))
        exposure += rate * beta / (np.sqrt(flat([unbiased[at] for at in kernels]).mean()) + how.epsilon)
    if how.loss == "huber":
        scale = residual_scale(model, x, y)
    outputs = model(x, training=True)
    with tf.GradientTape() as tape:
        loss = mean_loss(model(x, training=True), y, how.loss, scale)
    slope = flat(tape.gradient(loss, [variables[at] for at in kernels]))
    norms = [np.linalg.norm(variables[at].numpy()) for at in kernels]
    pull = beta * np.mean(averages, axis=0)
    certificates = {
        "train_loss": float(loss),
        "point_gradient_ratio": ratio(slope, beta * flat([variables[at] for at in kernels])),
        "gradient_ratio": ratio(np.mean(slopes, axis=0) - pull, pull),
        "balance": max(abs(np.log(a / b)) for a, b in pairwise(norms)),
        "decay_exposure": exposure,
    }
    return Trained([one.numpy() for one in variables], outputs.numpy(), certificates)


def residual_scale(model: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    """Median absolute residual over that of a standard Gaussian, at least .001."""
    return max(float(np.median(np.abs(model(x, training=True).numpy()[:, 0] - y))) / 0.6744897501960817, 1e-3)


def mean_loss(outputs: tf.Tensor, y: np.ndarray, loss: str, scale: float) -> tf.Tensor:
    """Keras' own losses; the squared one has Keras' mean of squares halved."""
    column = outputs[:, 0]
    match loss:
        case "cross_entropy":
            return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, outputs, from_logits=True))
        case "squared":
            return 0.5 * keras.losses.mean_squared_error(y, column)
        case "absolute":
            return keras.losses.mean_absolute_error(y, column)
        case "huber":
            return keras.losses.huber(y, column, delta=1.345 * scale)
    raise AssertionError(f"no Keras loss is written for '{loss}'")


def flat(variables: list[object]) -> np.ndarray:
    """All entries in one row, float64."""
    return np.concatenate([np.asarray(one).ravel() for one in variables]).astype(np.float64)


def ratio(loss_slope: np.ndarray, pull: np.ndarray) -> float:
    """||g + beta W|| / (||g|| + ||beta W||)."""
    return float(np.linalg.norm(loss_slope + pull) / (np.linalg.norm(loss_slope) + np.linalg.norm(pull)))
