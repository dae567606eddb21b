"""One training run as one TensorFlow function: the whole schedule, batches and certificates inside.

The same code trains many models along a leading axis or a single one without it. Outside, all parameters of a model are
one flat row (see `Network.parameters`); inside, one tensor a parameter.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import tensorflow as tf

from l2audit.models.architectures import Network
from l2audit.models.losses import LOSSES, residual_scale
from l2audit.models.optimizers import OPTIMIZERS, cosine
from l2audit.models.problem import VANISHED
from l2audit.networks.batches import window
from l2audit.networks.pulls import PULLS, covered
from l2audit.networks.recipe import Recipe

logger = logging.getLogger(__name__)

Tensor = Any
RESCALE = 50
"""Steps between two estimates of the residual scale, for a loss that has one."""


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


def tensors(network: Network, flat: Tensor) -> list[Tensor]:
    """Parameters `flat` (..., sum of sizes) as one tensor each, in the order of `network.parameters`.

    (..., *shape), its last two axes exchanged where it is `turned`.
    """
    parts = tf.split(flat, network.sizes, axis=-1)
    whole = [
        tf.reshape(part, [*flat.shape[:-1], *one.shape]) for part, one in zip(parts, network.parameters, strict=True)
    ]
    return _turned(network, whole)


def _turned(network: Network, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Kernels between their two forms: input to output, and as layers compute with them."""
    return [
        tf.linalg.matrix_transpose(tensor) if one.turned else tensor
        for one, tensor in zip(network.parameters, parameters, strict=True)
    ]


def flatten(network: Network, parameters: Sequence[Tensor]) -> Tensor:
    """The inverse of `tensors`."""
    lead = parameters[0].shape[: -len(network.parameters[0].shape)]
    return tf.concat([tf.reshape(one, [*lead, -1]) for one in _turned(network, parameters)], axis=-1)


def through(
    network: Network,
    parameters: Sequence[Tensor],
    x: Tensor,
    moments: Tensor | None = None,
    start: int = 0,
    stop: int | None = None,
) -> Tensor:
    """Rows after layers start .. stop - 1 (all by default), for each model.

    x: (..., n, features), or what layers before `start` gave. moments: (..., S) of `moments_of`; without them a layer
    that standardises over a batch does so over the rows of x.
    """
    return _through(network, parameters, x, moments, start, stop)[0]


def moments_of(network: Network, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
    """Means and variances (..., S >= 0) of the layers that standardise over a batch, with rows x as that batch."""
    lead = x.shape[:-2]
    found = _through(network, parameters, x, None, 0, None)[1]
    return tf.concat([tf.zeros([*lead, 0]), *(tf.reshape(one, [*lead, -1]) for one in found)], axis=-1)


def _through(
    network: Network, parameters: Sequence[Tensor], x: Tensor, moments: Tensor | None, start: int, stop: int | None
) -> tuple[Tensor, list[Tensor]]:
    owned: list[dict[str, Tensor]] = [{} for _ in network.layers]
    for one, tensor in zip(network.parameters, parameters, strict=True):
        owned[one.layer][one.name] = tensor
    if start == 0:
        x = tf.reshape(x, [*x.shape[:-2], tf.shape(x)[-2], *network.inputs])
    seen: list[Tensor] = []
    offset = 2 * sum(
        network.shapes[index + 1][-1] for index, layer in enumerate(network.layers[:start]) if layer.centred
    )
    for index in range(start, len(network.layers) if stop is None else stop):
        layer, inputs = network.layers[index], network.shapes[index]
        given = None
        if layer.centred:
            channels = inputs[-1]
            if moments is not None:
                shape = [*moments.shape[:-1], *[1] * len(inputs), channels]
                given = tuple(
                    tf.reshape(moments[..., offset + part * channels : offset + (part + 1) * channels], shape)
                    for part in (0, 1)
                )
            else:
                given = layer.moments(tf, x, inputs)  # type: ignore[attr-defined]
                seen += given
            offset += 2 * channels
        x = layer.compute(tf, x, owned[index], inputs, given)
    return x, seen


def mean_loss(
    network: Network, loss: str, parameters: Sequence[Tensor], x: Tensor, y: Tensor, scale: Tensor | None = None
) -> Tensor:
    """Mean over the rows of the loss, without the penalty, for each model (...); `scale` (...): of the residuals."""
    outputs = through(network, parameters, x)
    scale = tf.ones(outputs.shape[:-2]) if scale is None else scale
    return tf.reduce_mean(LOSSES[loss].rows(outputs, y, scale), axis=-1)


def objective(
    recipe: Recipe, parameters: Sequence[Tensor], x: Tensor, y: Tensor, beta: Tensor, scale: Tensor | None = None
) -> Tensor:
    """What is differentiated, for each model (...): mean(loss), plus beta * penalty where that has a gradient."""
    network, pull = recipe.network, PULLS[recipe.penalty.word]
    terms = [
        pull.term(tensor, axes_of(one.shape))
        for tensor, one, reaches in zip(parameters, network.parameters, covered(network, recipe.penalty), strict=True)
        if reaches
    ]
    terms = [term for term in terms if term is not None]
    value = mean_loss(network, recipe.loss, parameters, x, y, scale)
    return value + beta * tf.add_n(terms) if terms else value


def axes_of(shape: Sequence[int]) -> tuple[int, ...]:
    """The axes of one model's tensor of this shape, counted from the end."""
    return tuple(range(-len(shape), 0))


Program = Callable[..., dict[str, Tensor]]
Batch = tuple[Tensor, Tensor]

SEGMENT = 16e6
"""Bytes of rows that are gathered at a time, for the steps that take them; chosen by measurement (docs/training.md)."""


@cache
def program(recipe: Recipe, rows: int, *, stacked: bool) -> Program:
    """The training run of models with `rows` training rows each, as one TensorFlow function.

    It takes, with lead = (models,) if `stacked`, else ():
    flat: lead + (sum of sizes,) float32, initial parameters.
    X, y: (any number of rows, features) float32 and (that number,), the rows of all training sets.
    everything: lead + (rows,) int32, each model's rows in X. batches: (steps,) + lead + (batch,) int32, likewise, of
        every step (one entry only where each step takes all rows).
    beta: lead. steps: lead, float32, after how many the learning rate of a model is 0; at most the schedule's.
    It returns flat (trained) and moments (see `moments_of`, over all training rows), and, each of shape lead:
    train_loss, point_gradient_ratio, gradient_ratio and exposure, the sum over steps of the rate at which the penalty
    pulls (times beta: the decay exposure).

    Rows are gathered for many steps at a time outside of the compiled steps: TensorFlow copies a row at once, where XLA
    computes the place of each number in it.
    """
    one_thread()
    network, schedule = recipe.network, recipe.schedule
    whole_batches = schedule.batch >= rows
    late_from = schedule.steps - window(schedule, rows)

    def compiled(body: Callable[..., Any]) -> Callable[..., Any]:
        return tf.function(body, jit_compile=stacked, autograph=False)  # type: ignore[no-any-return]

    @compiled
    def advance(
        t: Tensor, stop: Tensor, batches: Batch, whole: Batch, beta: Tensor, steps: Tensor, state: Any, sums: Any
    ) -> Any:
        """Steps t .. stop - 1 on `batches` (segment, ...); sums: over steps of what is certified, or [] for none."""
        training = Training(recipe, whole, beta, steps)

        def step(now: Tensor, state: Any, sums: Any) -> tuple[Any, ...]:
            batch = whole if whole_batches else tuple(tf.gather(one, now - t) for one in batches)
            before = training.kernels(state[0])
            state, settled = training.step(now, batch, *state)
            added = [
                [total + one for total, one in zip(*both, strict=True)]
                for both in zip(sums, (settled, before), strict=False)
            ]
            return now + 1, state, added

        return tf.while_loop(lambda now, *_: now < stop, step, (t, state, sums))[1:]

    @compiled
    def end(whole: Batch, beta: Tensor, steps: Tensor, state: Any, sums: Any) -> dict[str, Tensor]:
        training = Training(recipe, whole, beta, steps)
        parameters, _, exposure, scale = state
        scale, final = training.rescaled(parameters, scale), training.kernels(parameters)
        slopes, weights = [[one / (schedule.steps - late_from) for one in each] for each in sums]
        return {
            "flat": flatten(network, parameters),
            "moments": moments_of(network, parameters, whole[0]),
            "train_loss": mean_loss(network, recipe.loss, parameters, *whole, scale),
            "point_gradient_ratio": training.ratio(training.slopes(parameters, whole, scale), final, final),
            "gradient_ratio": training.ratio(slopes, weights, final),
            "exposure": exposure,
        }

    def run(
        flat: Tensor, X: Tensor, y: Tensor, everything: Tensor, batches: Tensor, beta: Tensor, steps: Tensor
    ) -> dict[str, Tensor]:
        whole = tf.gather(X, everything), tf.gather(y, everything)
        training = Training(recipe, whole, beta, steps)
        state = training.start(tensors(network, flat))
        length = schedule.steps if whole_batches else segment(batches.shape[1:], X.shape[-1])

        def batches_from(t: Tensor) -> Batch:
            if whole_batches:
                return whole
            taken = tf.gather(batches, tf.minimum(tf.range(length) + t, schedule.steps - 1))
            return tf.gather(X, taken), tf.gather(y, taken)

        def through_to(last: int, t: Tensor, state: Any, sums: Any) -> Any:
            def segments(t: Tensor, state: Any, sums: Any) -> tuple[Any, ...]:
                stop = tf.minimum(t + length, last)
                return stop, *advance(t, stop, batches_from(t), whole, beta, steps, state, sums)

            return tf.while_loop(lambda t, *_: t < last, segments, (t, state, sums))

        t, state, _ = through_to(late_from, tf.constant(0), state, [])
        zeros = [tf.zeros_like(one) for one in training.kernels(state[0])]
        _, state, sums = through_to(schedule.steps, t, state, [zeros, zeros])
        return end(whole, beta, steps, state, sums)  # type: ignore[no-any-return]

    return tf.function(run, autograph=False)  # type: ignore[no-any-return]


def segment(batch: Sequence[int], features: int) -> int:
    """How many steps' rows are gathered at a time; batch: shape of one step's row numbers, of all models."""
    return max(1, int(SEGMENT / (4 * math.prod(batch) * features)))


class Training:
    """The steps of one training run, and what certifies its end.

    whole: all training rows of each model; steps: as `program` takes them.
    A state is parameters, the optimizer's states, exposure and residual scale, the last two of shape (...). The
    exposure is the sum over steps of the rate at which the penalty pulls, over beta.
    """

    def __init__(self, recipe: Recipe, whole: Batch, beta: Tensor, steps: Tensor) -> None:
        self.recipe, self.network = recipe, recipe.network
        self.whole, self.beta, self.steps = whole, beta, steps
        self.optimizer, self.pull = OPTIMIZERS[recipe.optimizer], PULLS[recipe.penalty.word]
        reached = covered(self.network, recipe.penalty)
        self.forces = [force * float(reaches) for force, reaches in zip(self.each(beta), reached, strict=True)]
        self.axes = [axes_of(one.shape) for one in self.kernels(self.network.parameters)]

    def each(self, number: Tensor) -> list[Tensor]:
        """One number a model, in the shape that multiplies each of the parameters."""
        return [tf.reshape(number, [*number.shape, *[1] * len(one.shape)]) for one in self.network.parameters]

    def kernels(self, parameters: Sequence[Any]) -> Sequence[Any]:
        """Those of the parameters that are kernels: the first ones."""
        return parameters[: len(self.network.kernels)]

    def start(self, parameters: list[Tensor]) -> tuple[Any, ...]:
        """The state before the first step."""
        states = [self.optimizer.start(one) for one in parameters]
        return parameters, states, tf.zeros_like(self.beta), tf.ones_like(self.beta)

    def rescaled(self, parameters: list[Tensor], scale: Tensor) -> Tensor:
        """The residual scale over all training rows, for a loss that has one; else `scale`."""
        if not LOSSES[self.recipe.loss].scaled:
            return scale
        return residual_scale(through(self.network, parameters, self.whole[0]), self.whole[1])

    def slopes(self, parameters: list[Tensor], batch: Batch, scale: Tensor) -> list[Tensor]:
        """The gradient of the objective in every parameter."""
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            value = objective(self.recipe, parameters, *batch, self.beta, scale)
        return tape.gradient(value, parameters)  # type: ignore[no-any-return]

    def step(
        self, t: Tensor, batch: Batch, parameters: list[Tensor], states: Any, exposure: Tensor, scale: Tensor
    ) -> tuple[tuple[Any, ...], Sequence[Tensor]]:
        """The state after step `t` on `batch`, and of each kernel what the certificate averages."""
        time = tf.cast(t, tf.float32)
        rate = cosine(self.recipe.schedule.learning_rate, time, self.steps)
        if LOSSES[self.recipe.loss].scaled:
            scale = tf.cond(t % RESCALE == 0, lambda: self.rescaled(parameters, scale), lambda: scale)
        slopes = self.slopes(parameters, batch, scale)
        moves = [self.optimizer.step(slope, state, time) for slope, state in zip(slopes, states, strict=True)]
        after, settled = [], []
        each = zip(parameters, slopes, moves, self.forces, self.each(rate), strict=True)
        for old, slope, (direction, state), force, step in each:
            gain = self.optimizer.gain(state, time)
            after.append(self.pull.after(old - step * direction, old, step, gain, force))
            settled.append(self.pull.certified(slope, direction, old, force))
        states = [state for _, state in moves]
        gain = self.pull.rate_of(
            self.optimizer.least_gain(self.kernels(states), time, self.axes) * tf.ones_like(exposure)
        )
        return (after, states, exposure + rate * gain, scale), self.kernels(settled)

    def ratio(self, slopes: Sequence[Tensor], means: Sequence[Tensor], lasts: Sequence[Tensor]) -> Tensor:
        """||G + P|| / (||G|| + ||P||) over the kernels, G the slope of the loss and P the penalty's; 1 where P is 0.

        slopes: G + P of each kernel (or of more parameters, kernels first) as the penalty has it; means, lasts: its
        weights. 0 at a stationary point, 1 where the penalty opposes nothing. All weights at 0 are a stationary point
        of a network with hidden layers, where both terms vanish and their ratio is round-off: it is 0 there.
        """
        forces = self.kernels(self.forces)
        pairs = [self.pull.left(*one) for one in zip(self.kernels(slopes), means, lasts, forces, strict=True)]
        own = self._norm([penalised for _, penalised in pairs])
        left = self._norm([remaining for remaining, _ in pairs])
        opposed = tf.math.divide_no_nan(left, self._norm([both - penalised for both, penalised in pairs]) + own)
        strongest = tf.reduce_max(tf.stack([tf.reshape(one, own.shape) for one in forces]), axis=0)
        vanished = self._norm(means) < VANISHED
        return tf.where(strongest > 0, tf.where(vanished, tf.zeros_like(own), opposed), tf.ones_like(own))

    def _norm(self, kernels: Sequence[Tensor]) -> Tensor:
        squares = [tf.reduce_sum(tf.square(one), axis=own) for one, own in zip(kernels, self.axes, strict=True)]
        return tf.sqrt(tf.add_n(squares))


@cache
def predictor(network: Network) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """One model's outputs: (flat (sum of sizes,), moments (S,), x (n, features)) to (n, outputs), for any n."""
    one_thread()
    signature = [
        tf.TensorSpec([sum(network.sizes)], tf.float32),
        tf.TensorSpec([None], tf.float32),
        tf.TensorSpec([None, math.prod(network.inputs)], tf.float32),
    ]
    return tf.function(  # type: ignore[no-any-return]
        lambda flat, moments, x: through(network, tensors(network, flat), x, moments),
        input_signature=signature,
        autograph=False,
    )
