"""Keras `fit`, one model at a time, as a user writes it: default threads, a regularizer in every layer."""

from __future__ import annotations

import time
from typing import Any

import keras

from benchmarks.contenders.serving import serve
from benchmarks.conventions import keras_l2
from benchmarks.workload import (
    ADAM,
    BATCH,
    BETA,
    MOMENTUM,
    OUTPUTS,
    RATES,
    STEPS_A_PASS,
    cross_entropy,
    digits,
)


def model_of(layers: list[str], shape: tuple[int, ...]) -> keras.Model:
    """The layers that the words of config/architectures.yaml stand for; initial weights of He et al. 2015, as ours."""
    penalty = keras.regularizers.L2(keras_l2(BETA))
    options = {"kernel_initializer": "he_normal", "kernel_regularizer": penalty}
    model = keras.Sequential([keras.Input(shape)])
    for text in layers:
        match text.split():
            case ["dense", units]:
                model.add(keras.layers.Dense(int(units), **options))
            case ["conv", channels, *stride]:
                strides = int(stride[1]) if stride else 1
                model.add(keras.layers.Conv2D(int(channels), 3, strides, padding="same", **options))
            case ["relu"]:
                model.add(keras.layers.ReLU())
            case ["flatten"]:
                model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(OUTPUTS, kernel_regularizer=penalty))
    return model


def optimizer_of(name: str, steps: int) -> keras.optimizers.Optimizer:
    """Momentum SGD or Adam, the learning rate falling to zero along half a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(RATES[name], steps)
    if name == "momentum":
        return keras.optimizers.SGD(rate, momentum=MOMENTUM)
    beta1, beta2, epsilon = ADAM
    return keras.optimizers.Adam(rate, beta_1=beta1, beta_2=beta2, epsilon=epsilon)


def train(layers: list[str], optimizer: str, passes: int, side: int = 8, again: bool = True) -> dict[str, Any]:
    """Build, compile and fit one model: seconds, and the seconds of a second `fit` of the same, compiled, model."""
    X, y = digits(side)
    if any(text.startswith("conv") for text in layers):
        X = X.reshape(len(X), side, side, 1)
    started = time.perf_counter()
    model = model_of(layers, X.shape[1:])
    model.compile(
        optimizer_of(optimizer, passes * STEPS_A_PASS), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.fit(X, y, batch_size=BATCH, epochs=passes, verbose=0)
    seconds = time.perf_counter() - started
    loss = cross_entropy(model.predict(X, batch_size=len(X), verbose=0), y)
    warm = None
    if again:
        started = time.perf_counter()
        model.fit(X, y, batch_size=BATCH, epochs=passes, verbose=0)
        warm = time.perf_counter() - started
    keras.backend.clear_session()
    return {"seconds": seconds, "warm_seconds": warm, "loss": loss}


if __name__ == "__main__":
    serve({"train": train})
