"""Small training problems with known shapes."""

from __future__ import annotations

import numpy as np

from l2audit.models.problem import Problem

BETAS = (0.0, 1e-3, 1e-1)


def problem(
    task: str = "classification",
    rows: int = 90,
    features: int = 9,
    outputs: int = 3,
    betas: tuple[float, ...] = BETAS,
    seeds: int = 2,
    image: tuple[int, int] | None = None,
) -> Problem:
    """Two training sets a seed, every beta on each of them."""
    rng = np.random.default_rng(rows + features)
    sets = 2 * seeds
    X = rng.normal(size=(sets, rows, features)).astype(np.float32)
    signal = np.tanh(X @ rng.normal(size=(features, outputs))) + 0.5 * rng.normal(size=(sets, rows, outputs))
    labels = task == "classification"
    models = [(data, beta) for data in range(sets) for beta in betas]
    return Problem(
        task=task,
        outputs=outputs if labels else 1,
        X=X,
        y=signal.argmax(axis=-1).astype(np.int32) if labels else signal[..., 0].astype(np.float32),
        data=np.array([data for data, _ in models]),
        beta=np.array([beta for _, beta in models], np.float32),
        seed=np.array([data // 2 for data, _ in models]),
        dataset="made up",
        image=image,
    )
