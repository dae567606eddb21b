"""The ceiling: products of two 1024 x 1024 matrices of float32, by the faster of numpy and TensorFlow, one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.contenders.serving import serve

SIDE = 1024


def rate(product: Callable[[], Any], seconds: float) -> float:
    """GFLOP/s of a product that is repeated for `seconds`."""
    product()
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        product()
        count += 1
    return 2.0 * SIDE**3 * count / elapsed / 1e9


def measure(seconds: float) -> dict[str, Any]:
    """GFLOP/s of each library in half of `seconds`, and the better one's as `gflops`."""
    a = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)
    b, out, tensor = a.T.copy(), np.empty_like(a), tf.constant(a)
    found = {
        "numpy": rate(lambda: np.matmul(a, b, out=out), seconds / 2),
        "tensorflow": rate(lambda: tf.matmul(tensor, tensor).numpy(), seconds / 2),
    }
    return {**found, "gflops": max(found.values())}


if __name__ == "__main__":
    serve({"measure": measure})
