"""An independent way to train a network: Keras layers and Keras' Adam, one model at a time, step by step in Python.

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
    """Weights and certificates of one model."""

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    certificates: dict[str, float] = field(default_factory=dict)


def keras_model(layers: list[str], inputs: tuple[int, ...], outputs: int) -> keras.Model:
    """The model that the words of config/architectures.yaml describe."""
    model = keras.Sequential([keras.Input(inputs)])
    for text in [*layers, f"dense {outputs}"]:
        match text.split():
            case ["dense", units]:
                model.add(keras.layers.Dense(int(units)))
            case ["conv", channels, *stride]:
                model.add(
                    keras.layers.Conv2D(int(channels), 3, strides=int(stride[1]) if stride else 1, padding="same")
                )
            case ["relu"]:
                model.add(keras.layers.ReLU())
            case ["flatten"]:
                model.add(keras.layers.Flatten())
    return model


def train(
    model: keras.Model,
    kernels: list[np.ndarray],
    biases: list[np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    batches: np.ndarray,
    beta: float,
    learning_rate: float,
    steps: int,
    last: int,
    epsilon: float,
) -> Trained:
    """Train from the given weights; `batches` (steps, batch) rows of x and y; certificates average `last` steps."""
    model.set_weights([one for pair in zip(kernels, biases, strict=True) for one in pair])
    weights = model.trainable_variables
    penalised = weights[0::2]
    labels = y.dtype == np.int32
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=0.9, beta_2=0.95, epsilon=epsilon)
    second = np.zeros(sum(int(np.prod(one.shape)) for one in penalised))
    exposure, slopes, averages = 0.0, [], []
    for t in range(steps):
        rows = batches[t % len(batches)]
        with tf.GradientTape() as tape:
            loss = mean_loss(model(x[rows]), y[rows], labels)
            value = loss + beta * tf.add_n([tf.nn.l2_loss(one) for one in penalised])
        gradients = tape.gradient(value, weights)
        slope = np.concatenate([one.numpy().ravel() for one in gradients[0::2]]).astype(np.float64)
        if t >= steps - last:
            slopes.append(slope)
            averages.append(flat(penalised))
        rate = learning_rate / 2 * (1 + np.cos(np.pi * t / steps))
        optimizer.learning_rate.assign(rate)
        optimizer.epsilon = epsilon * np.sqrt(1 - 0.95 ** (t + 1))  # Keras adds it before the bias is taken out
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
        second = 0.95 * second + 0.05 * slope**2
        exposure += rate * beta / (np.sqrt(second.mean() / (1 - 0.95 ** (t + 1))) + epsilon)
    with tf.GradientTape() as tape:
        loss = mean_loss(model(x), y, labels)
    slope = np.concatenate([one.numpy().ravel() for one in tape.gradient(loss, penalised)])
    values = [one.numpy() for one in weights]
    norms = [np.linalg.norm(one) for one in values[0::2]]
    certificates = {
        "train_loss": float(loss),
        "point_gradient_ratio": ratio(slope, beta * flat(penalised)),
        "gradient_ratio": ratio(
            np.mean(slopes, axis=0) - beta * np.mean(averages, axis=0), beta * np.mean(averages, axis=0)
        ),
        "balance": max(abs(np.log(a / b)) for a, b in pairwise(norms)),
        "decay_exposure": exposure,
    }
    return Trained(values[0::2], values[1::2], certificates)


def mean_loss(outputs: tf.Tensor, y: np.ndarray, labels: bool) -> tf.Tensor:
    """Keras' cross-entropy for labels, half the mean squared residual otherwise."""
    if labels:
        return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, outputs, from_logits=True))
    return 0.5 * tf.reduce_mean((outputs[:, 0] - y) ** 2)


def flat(variables: list[tf.Variable]) -> np.ndarray:
    """All entries in one row, float64."""
    return np.concatenate([one.numpy().ravel() for one in variables]).astype(np.float64)


def ratio(loss_slope: np.ndarray, pull: np.ndarray) -> float:
    """||g + beta W|| / (||g|| + ||beta W||)."""
    return float(np.linalg.norm(loss_slope + pull) / (np.linalg.norm(loss_slope) + np.linalg.norm(pull)))
