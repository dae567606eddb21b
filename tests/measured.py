"""Evaluations as a shard would hand them to measures, made up."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from l2audit.measures import Evaluation, Hidden, Part

ROWS, FEATURES, CLASSES = 40, 6, 4


def part(task: str, models: int = 3, seed: int = 0) -> Part:
    """Outputs and targets of `models` models on ROWS rows."""
    random = np.random.default_rng(seed)
    outputs = random.standard_normal((models, ROWS, CLASSES if task == "classification" else 1)).astype(np.float32)
    if task == "classification":
        return Part(outputs, random.integers(0, CLASSES, (models, ROWS)).astype(np.int32))
    return Part(outputs, random.standard_normal((models, ROWS)).astype(np.float32))


def evaluation(task: str, units: tuple[int, ...] = (5, 7), live: bool = True) -> Evaluation:
    """Three models with hidden layers of so many units: a clean one at beta = 0, the same contaminated, and penalised.

    All inputs and units are live, or a random half of them.
    """
    random = np.random.default_rng(len(units))
    widths = [FEATURES, *units, CLASSES if task == "classification" else 1]
    kernels = [random.standard_normal((3, *shape)).astype(np.float32) for shape in pairwise(widths)]

    def mask(size: int) -> np.ndarray:
        return np.array([random.permutation(size) < (size if live else size // 2) for _ in range(3)])

    hidden = [
        Hidden(mask(size), np.ones((3, size), np.float32), random.standard_normal((3, size)).astype(np.float32))
        for size in units
    ]
    train, validation, contaminated, test, noise, fgsm = (part(task, seed=seed) for seed in range(1, 7))
    return Evaluation(
        task=task,
        finite_fit=np.ones(3, bool),
        train=train,
        validation=validation,
        validation_contaminated=contaminated,
        test=test,
        test_noise=noise,
        test_fgsm=fgsm,
        relabelled=np.zeros((3, ROWS), bool),
        clean_run=np.array([-1, 0, -1]),
        unpenalised_run=np.array([-1, -1, 0]),
        input_gradient=np.array([0.5, 1.0, 2.0]),
        kernels=kernels,
        live_inputs=mask(FEATURES),
        hidden=hidden,
    )
