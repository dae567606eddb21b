"""What is asked of fitted networks beside their outputs: slopes in the features, and what hidden units do.

One compiled program a network and question, on one model at a time: bits cannot depend on other models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from l2audit.contamination import fgsm_l2
from l2audit.measures import Hidden
from l2audit.models.architectures import Network
from l2audit.models.layers import EPSILON, Relu, Shape
from l2audit.models.problem import Fitted, Problem
from l2audit.networks.program import one_thread, predictor, tensors, through

Tensor = Any
Single = NDArray[np.float32]
Targets = NDArray[np.float32] | NDArray[np.int32]

CACHE = 2**20
"""Bytes of activations that are worked on together; from 0.5 to 1 MB was fastest for 64-64 and for convolutions."""


def attack(fitted: Fitted, length: float) -> Callable[[int, Single, Single, Single], tuple[Single, Single]]:
    """(model, X (n, p), direction in the outputs (n, K), outputs) to its slope in X (n, p) and outputs (n, K) on rows
    that were moved by `length` along the slope (see `fgsm_l2`).
    """
    network, flat, moments = _parts(fitted)
    slopes_of, outputs_of = slopes(network), predictor(network)

    def attacked(model: int, X: Single, towards: Single, outputs: Single) -> tuple[Single, Single]:
        slope = slopes_of(flat[model], moments[model], X, towards).numpy()
        moved = fgsm_l2(X, slope, length).astype(np.float32)
        return slope, outputs_of(flat[model], moments[model], moved).numpy()

    return attacked


def hidden_layers(fitted: Fitted, problem: Problem, X: Single, y: Targets, which: NDArray[np.int64]) -> list[Hidden]:
    """The hidden units of every model, layer by layer.

    A unit's activation is what the nonlinearity behind its kernel gives (behind a normalisation, if there is one). It
    is live if that differs between two of the rows fitted or, behind a relu, is above 0 for one of them. It is
    silenced on the rows X[which[m]] (n, p), y[which[m]] (n,) of its model m.
    """
    network, flat, moments = _parts(fitted)
    live_of, rises_of = live(network), rises(network, X.shape[1])
    aspects = [
        (live_of(one, own, problem.X[data]), gains(network, one, own), rises_of(one, own, X[rows], y[rows]))
        for one, own, data, rows in zip(flat, moments, problem.data, which, strict=True)
    ]
    return [
        Hidden(*(np.stack([np.asarray(model[aspect][layer]) for model in aspects]) for aspect in range(3)))
        for layer in range(len(activations(network)))
    ]


def _parts(fitted: Fitted) -> tuple[Network, Single, Single]:
    assert fitted.network is not None and fitted.flat is not None and fitted.moments is not None
    return fitted.network, fitted.flat, fitted.moments


def _spans(network: Network) -> list[tuple[int, int]]:
    """For each kernel but the last: the number of its layer, and that of the next layer with a kernel."""
    return list(pairwise(one.layer for one in network.parameters if one.name == "kernel"))


def activations(network: Network) -> list[int]:
    """For each kernel but the last: the number of the first layer behind its units' activation."""
    return [
        next((index for index in range(number + 1, following) if _bends(network, index)), number) + 1
        for number, following in _spans(network)
    ]


def _bends(network: Network, index: int) -> bool:
    """Whether a layer is a nonlinearity: without parameters, entry by entry."""
    layer = network.layers[index]
    return not layer.vectors and network.shapes[index] == network.shapes[index + 1]


@cache
def slopes(network: Network) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """(flat, moments, X (n, p), direction (n, K)) to the gradient of direction . outputs in X, (n, p)."""

    def run(flat: Tensor, moments: Tensor, x: Tensor, towards: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = through(network, tensors(network, flat), x, moments)
        return tape.gradient(outputs, x, output_gradients=towards)

    return _compiled(network, run, tf.TensorSpec([None, network.shapes[-1][-1]], tf.float32))  # type: ignore[no-any-return]


@cache
def live(network: Network) -> Callable[[Tensor, Tensor, Tensor], list[Tensor]]:
    """(flat, moments, X (n, p)) to one (units,) bool a hidden layer."""

    def run(flat: Tensor, moments: Tensor, x: Tensor) -> list[Tensor]:
        parameters, found, start = tensors(network, flat), [], 0
        for stop in activations(network):
            x, start = through(network, parameters, x, moments, start, stop), stop
            top = tf.reduce_max(x, axis=0)
            alive = top > 0 if isinstance(network.layers[stop - 1], Relu) else top > tf.reduce_min(x, axis=0)
            found.append(tf.reduce_any(alive, axis=list(range(alive.shape.rank - 1))))
        return found

    return _compiled(network, run)  # type: ignore[no-any-return]


@cache
def rises(network: Network, rows: int) -> Callable[[Tensor, Tensor, Tensor, Tensor], list[Tensor]]:
    """(flat, moments, X (rows, p), y (rows,)) to one (units,) a hidden layer: mean loss without a unit less that with.

    Cross-entropy for integer y, half the squared residual otherwise, in float64.
    """
    one_thread()
    shape = [-1, rows, network.shapes[-1][-1]]

    def losses(parameters: list[Tensor], moments: Tensor, y: Tensor, start: int, x: Tensor) -> Tensor:
        outputs = tf.cast(tf.reshape(through(network, parameters, x, moments, start), shape), tf.float64)
        if y.dtype.is_integer:
            labels = tf.broadcast_to(y, tf.shape(outputs)[:-1])
            lost = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)
        else:
            lost = 0.5 * tf.square(outputs[..., 0] - tf.cast(y, tf.float64))
        return tf.reduce_mean(lost, axis=-1)

    def run(flat: Tensor, moments: Tensor, x: Tensor, y: Tensor) -> list[Tensor]:
        parameters, found, start = tensors(network, flat), [], 0
        intact = losses(parameters, moments, y, 0, x)
        for stop in activations(network):
            x, start = through(network, parameters, x, moments, start, stop), stop
            behind = partial(losses, parameters, moments, y, stop)
            found.append(_each_silenced(x, network.shapes[stop:], rows, behind) - intact)
        return found

    return tf.function(run, autograph=False)  # type: ignore[no-any-return]


def _each_silenced(x: Tensor, shapes: Sequence[Shape], rows: int, losses: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean loss from activations x (rows, *shapes[0]) with each unit set to 0 in turn, (units,).

    losses: activations of k times rows to k means. As many units at a time as fit the cache with what
    the layers behind them, of output `shapes`, make of them.
    """
    units = shapes[0][-1]
    fitting = CACHE // (4 * rows * max(math.prod(shape) for shape in shapes))
    together = max(divisor for divisor in range(1, units + 1) if units % divisor == 0 and divisor <= max(1, fitting))
    kept = tf.reshape(1.0 - tf.eye(units), [units // together, together, *[1] * len(shapes[0]), units])
    found = tf.map_fn(
        lambda some: losses(tf.reshape(x * some, [-1, *shapes[0]])),
        kept,
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec([together], tf.float64),
    )
    return tf.reshape(found, [units])


def gains(network: Network, flat: Single, moments: Single) -> list[Single]:
    """One (units,) a hidden layer: what the normalisations behind its kernel multiply its units by.

    Batch norm multiplies by scale / sqrt(variance + 1e-5), as if it were folded into the kernel. Layer norm divides by
    a number of the row that all units share and that no share of theirs depends on: what is left is its scale. NaN
    behind a flattening, where a channel has as many scales as pixels.
    """
    scales = {
        one.layer: part
        for one, part in zip(network.parameters, np.split(flat, np.cumsum(network.sizes)[:-1]), strict=True)
        if one.name == "scale"
    }
    offset = 0
    for number, layer in enumerate(network.layers):
        if layer.centred:
            channels = network.shapes[number][-1]
            variance = moments[offset + channels : offset + 2 * channels]
            scales[number] = scales[number] / np.sqrt(variance + np.float32(EPSILON))
            offset += 2 * channels
    found = []
    for number, following in _spans(network):
        gain = np.ones(network.shapes[number + 1][-1], np.float32)
        for between in range(number + 1, following):
            if between in scales:
                gain = gain * scales[between] if scales[between].shape == gain.shape else np.full_like(gain, np.nan)
        found.append(gain)
    return found


def _compiled(network: Network, run: Callable[..., Any], *more: tf.TensorSpec) -> Any:
    one_thread()
    signature = [
        tf.TensorSpec([sum(network.sizes)], tf.float32),
        tf.TensorSpec([None], tf.float32),
        tf.TensorSpec([None, math.prod(network.inputs)], tf.float32),
        *more,
    ]
    return tf.function(run, input_signature=signature, autograph=False)
