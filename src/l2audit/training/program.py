"""One training run as one TensorFlow function: the whole schedule, batches and certificates inside.

The same code trains many models along a leading axis or a single one without it. All parameters of a model are one flat
row, kernels first (see `Network.sizes`): an optimizer step is then one operation however many layers there are, and the
penalised entries are a slice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import tensorflow as tf

from l2audit.models.architectures import Network
from l2audit.models.losses import LOSSES
from l2audit.models.optimizers import OPTIMIZERS, cosine
from l2audit.models.penalties import PENALTIES
from l2audit.training.batches import window
from l2audit.training.problem import VANISHED, Schedule

logger = logging.getLogger(__name__)

Tensor = Any


@cache
def one_thread() -> None:
    """Set TensorFlow to one thread and to deterministic operations, before its first operation.

    Single-threaded jobs side by side outrun one job with threads (docs/training.md), and a fixed number of threads
    fixes the order of every sum.
    """
    tf.config.experimental.enable_op_determinism()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        logger.warning("TensorFlow was already in use: its number of threads stays as it is")


def split(network: Network, flat: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Kernels and biases (..., entries), still flat, of parameters (..., sum of sizes)."""
    parts = tf.split(flat, network.sizes, axis=-1)
    return parts[: len(network.kernels)], parts[len(network.kernels) :]


def forward(network: Network, flat: Tensor, x: Tensor) -> Tensor:
    """Outputs (..., n, outputs) of models with parameters `flat` (..., sum of sizes) on rows x (..., n, features)."""
    kernels, biases = (iter(parts) for parts in split(network, flat))
    x = tf.reshape(x, [*x.shape[:-2], tf.shape(x)[-2], *network.inputs])
    for layer, shape in zip(network.layers, network.kernel_shapes, strict=True):
        if shape is None:
            x = layer.compute(tf, x, None, None)
        else:
            x = layer.compute(tf, x, tf.reshape(next(kernels), [*flat.shape[:-1], *shape]), next(biases))
    return x


def mean_loss(network: Network, loss: str, flat: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Mean over the rows of the loss, without the penalty, for each model (...)."""
    return tf.reduce_mean(LOSSES[loss].rows(forward(network, flat, x), y), axis=-1)


def penalty_of(network: Network, penalty: str, flat: Tensor) -> Tensor:
    """The penalty summed over the kernels, before it is multiplied by beta, for each model (...)."""
    return tf.add_n([PENALTIES[penalty](kernel) for kernel in split(network, flat)[0]])


def objective(network: Network, loss: str, penalty: str, flat: Tensor, x: Tensor, y: Tensor, beta: Tensor) -> Tensor:
    """What is minimised, for each model (...): mean(loss) + beta * penalty."""
    return mean_loss(network, loss, flat, x, y) + beta * penalty_of(network, penalty, flat)


Program = Callable[..., dict[str, Tensor]]


@cache
def program(
    network: Network, loss: str, penalty: str, optimizer: str, schedule: Schedule, rows: int, *, stacked: bool
) -> Program:
    """The compiled training run of models with `rows` training rows each.

    It takes, with lead = (models,) if `stacked`, else ():
    flat: lead + (sum of sizes,) float32, initial parameters.
    X, y: (any number of rows, features) float32 and (that number,), the rows of all training sets.
    everything: lead + (rows,) int32, each model's rows in X. batches: (steps,) + lead + (batch,) int32, likewise, of
        every step (one entry only where each step takes all rows).
    beta: lead.
    It returns flat (trained) and, each of shape lead: train_loss, point_gradient_ratio, gradient_ratio and exposure,
    the sum over steps of the effective learning rate (times beta: the decay exposure).
    """
    one_thread()
    adam = OPTIMIZERS[optimizer]
    last = window(schedule, rows)

    def run(flat: Tensor, X: Tensor, y: Tensor, everything: Tensor, batches: Tensor, beta: Tensor) -> dict[str, Tensor]:
        whole = tf.gather(X, everything), tf.gather(y, everything)

        def gradient(flat: Tensor, batch: tuple[Tensor, Tensor]) -> Tensor:
            with tf.GradientTape() as tape:
                tape.watch(flat)
                value = objective(network, loss, penalty, flat, *batch, beta)
            return tape.gradient(value, flat)

        def step(t: Tensor, flat: Tensor, moments: Any, exposure: Tensor) -> tuple[Tensor, Any, Tensor, Tensor]:
            batch = whole if schedule.batch >= rows else (tf.gather(X, batches[t]), tf.gather(y, batches[t]))
            time = tf.cast(t, tf.float32)
            rate = cosine(schedule.learning_rate, time, schedule.steps)
            slope = gradient(flat, batch)
            flat, moments = adam.step(flat, slope, moments, rate, time)
            return flat, moments, exposure + adam.effective_rate(moments, network.kernel_size, rate, time), slope

        def early(t: Tensor, flat: Tensor, moments: Any, exposure: Tensor) -> tuple[Any, ...]:
            return t + 1, *step(t, flat, moments, exposure)[:3]

        def late(t: Tensor, flat: Tensor, moments: Any, exposure: Tensor, sums: Any) -> tuple[Any, ...]:
            weights = flat[..., : network.kernel_size]
            flat, moments, exposure, slope = step(t, flat, moments, exposure)
            return t + 1, flat, moments, exposure, (sums[0] + slope[..., : network.kernel_size], sums[1] + weights)

        state = (tf.constant(0), flat, adam.start(flat), tf.zeros_like(beta))
        state = tf.while_loop(lambda t, *_: t < schedule.steps - last, early, state)
        nothing = tf.zeros_like(flat[..., : network.kernel_size])
        state = tf.while_loop(lambda t, *_: t < schedule.steps, late, (*state, (nothing, nothing)))
        _, flat, _, exposure, (slopes, weights) = state
        final = flat[..., : network.kernel_size]
        return {
            "flat": flat,
            "train_loss": mean_loss(network, loss, flat, *whole),
            "point_gradient_ratio": ratio(gradient(flat, whole)[..., : network.kernel_size], final, beta),
            "gradient_ratio": ratio(slopes / last, weights / last, beta),
            "exposure": exposure,
        }

    return tf.function(run, jit_compile=stacked, autograph=False)  # type: ignore[no-any-return]


def ratio(slope: Tensor, weights: Tensor, beta: Tensor) -> Tensor:
    """||G + beta W|| / (||G|| + ||beta W||), from `slope` = G + beta W and W, both (..., entries); 1 at beta = 0.

    0 at a stationary point, 1 where the penalty opposes nothing. All weights at 0 are a stationary point of a network
    with hidden layers, where both terms vanish and their ratio is round-off: it is 0 there.
    """
    pull = beta[..., None] * weights
    size = tf.norm(slope - pull, axis=-1) + tf.norm(pull, axis=-1)
    opposed = tf.where(
        tf.norm(weights, axis=-1) < VANISHED, tf.zeros_like(beta), tf.math.divide_no_nan(tf.norm(slope, axis=-1), size)
    )
    return tf.where(beta > 0, opposed, tf.ones_like(beta))


@cache
def predictor(network: Network) -> Callable[[Tensor, Tensor], Tensor]:
    """One model's outputs: (flat (sum of sizes,), x (n, features)) to (n, outputs), for any n."""
    one_thread()
    features = 1
    for side in network.inputs:
        features *= side
    signature = [tf.TensorSpec([sum(network.sizes)], tf.float32), tf.TensorSpec([None, features], tf.float32)]
    return tf.function(  # type: ignore[no-any-return]
        lambda flat, x: forward(network, flat, x), input_signature=signature, autograph=False
    )
