"""`jax.vmap` of one model's training run: a `fori_loop` over the steps, compiled.

Written as one would with JAX, and without this project's certificates, so that it has less to do. It needs nothing but
JAX and numpy; the rows come in a file.
"""

from __future__ import annotations

import functools
import math
import time
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contenders.serving import serve
from benchmarks.workload import ADAM, BATCH, BETA, MOMENTUM, OUTPUTS, RATES, ROWS


def objective(parameters: Any, x: Any, y: Any) -> Any:
    """mean(cross-entropy) + beta * half the squared norm of the kernels; parameters [(kernel, bias)]."""
    return mean_loss(parameters, x, y) + BETA * 0.5 * sum(jnp.sum(kernel**2) for kernel, _ in parameters)


def mean_loss(parameters: Any, x: Any, y: Any) -> Any:
    """Mean cross-entropy of one model on rows x (n, features)."""
    *hidden, (last, bias) = parameters
    for kernel, offset in hidden:
        x = jax.nn.relu(x @ kernel + offset)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x @ last + bias), y[:, None], axis=1))


def momentum_step(parameters: Any, slope: Any, moments: Any, rate: Any, t: Any) -> Any:
    """w -= rate * v, v = .9 v + g."""
    (velocity,) = moments
    velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, slope)
    return jax.tree.map(lambda w, v: w - rate * v, parameters, velocity), (velocity,)


def adam_step(parameters: Any, slope: Any, moments: Any, rate: Any, t: Any) -> Any:
    """Kingma and Ba 2015, algorithm 1."""
    beta1, beta2, epsilon = ADAM
    first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, moments[0], slope)
    second = jax.tree.map(lambda m, g: beta2 * m + (1 - beta2) * g**2, moments[1], slope)
    c1, c2 = 1 - beta1 ** (t + 1), 1 - beta2 ** (t + 1)
    parameters = jax.tree.map(
        lambda w, m, v: w - rate * (m / c1) / (jnp.sqrt(v / c2) + epsilon), parameters, first, second
    )
    return parameters, (first, second)


STEPS = {"momentum": (momentum_step, 1), "adam": (adam_step, 2)}


@functools.cache
def compiled(optimizer: str, steps: int) -> Any:
    """(parameters, order (models, steps, batch), X, y) -> the trained models' mean losses (models,)."""
    step, kept = STEPS[optimizer]

    def train(parameters: Any, order: Any, X: Any, y: Any) -> Any:
        def body(t: Any, state: Any) -> Any:
            parameters, moments = state
            slope = jax.grad(objective)(parameters, X[order[t]], y[order[t]])
            rate = RATES[optimizer] * 0.5 * (1 + jnp.cos(math.pi * t / steps))
            return step(parameters, slope, moments, rate, jnp.float32(t))

        moments = tuple(jax.tree.map(jnp.zeros_like, parameters) for _ in range(kept))
        parameters, _ = jax.lax.fori_loop(0, steps, body, (parameters, moments))
        return mean_loss(parameters, X, y)

    return jax.jit(jax.vmap(train, in_axes=(0, 0, None, None)))


def inputs(width: int, models: int, steps: int) -> tuple[Any, Any]:
    """Initial weights (He et al. 2015) and the order of the rows, pass after pass."""
    rng = np.random.default_rng(0)
    sizes = [64, width, width, OUTPUTS]
    parameters = [
        (jnp.asarray(rng.standard_normal((models, a, b), np.float32) * math.sqrt(2 / a)), jnp.zeros((models, b)))
        for a, b in pairwise(sizes)
    ]
    passes = steps * BATCH // ROWS
    rows = np.stack([np.concatenate([rng.permutation(ROWS) for _ in range(passes)]) for _ in range(models)])
    return parameters, jnp.asarray(rows.reshape(models, steps, BATCH).astype(np.int32))


def train(rows: str, width: int, optimizer: str, chunk: int, models: int, passes: int) -> dict[str, Any]:
    """Train `models` models, `chunk` at a time, after one chunk that compiles: seconds of all but that one."""
    with np.load(rows) as arrays:
        X, y = jnp.asarray(arrays["X"]), jnp.asarray(arrays["y"])
    steps = passes * ROWS // BATCH
    run = compiled(optimizer, steps)
    parameters, order = inputs(width, chunk, steps)
    loss = run(parameters, order, X, y).block_until_ready()
    started = time.perf_counter()
    for _ in range(models // chunk):
        loss = run(parameters, order, X, y).block_until_ready()
    return {"seconds": time.perf_counter() - started, "loss": float(loss.mean())}


if __name__ == "__main__":
    serve({"train": train, "version": lambda: {"version": jax.__version__}})
