"""Facts about penalised ReLU networks, put to the engine that trains them. TensorFlow is imported by the engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from l2audit.config.study import Schedule
from l2audit.facts.fact import fact, largest
from l2audit.models.architectures import Architecture
from l2audit.models.penalties import Penalty
from l2audit.models.problem import Fitted, Problem
from l2audit.runs.engines import fit
from l2audit.seeds import generator

Train = Callable[[], Fitted]
ROWS, CLASSES = 48, 3
BETAS = np.array([0.003, 0.01, 0.03])
BALANCE = (
    "trained; rescaling a unit changes no prediction, so L2 balances it (Neyshabur et al. 2015; Du, Hu & Lee 2018)"
)


@cache
def train() -> Fitted:
    """Two hidden layers of 16 units, kernels penalised and biases free, on random labels, which strain the weights."""
    rng = generator("oracle", "networks")
    problem = Problem(
        task="classification",
        outputs=CLASSES,
        X=rng.normal(size=(1, ROWS, 6)).astype(np.float32),
        y=rng.integers(CLASSES, size=(1, ROWS)).astype(np.int32),
        data=np.zeros(len(BETAS), dtype=np.int64),
        beta=BETAS.astype(np.float32),
        seed=np.zeros(len(BETAS), dtype=np.int64),
        dataset="oracle",
    )
    network = Architecture("oracle", ["dense 16", "relu", "dense 16", "relu"])
    schedule = Schedule(learning_rate=0.01, steps=8000, batch=ROWS)
    return fit(problem, network, "cross_entropy", Penalty("l2"), "adam", schedule, len(BETAS))


@fact(BALANCE, "at most 0.01")
def layer_balance(train: Train = train) -> Any:
    """In a trained ReLU network with every kernel penalised neighbouring layers have the same norm: largest log ratio,
    3 betas.
    """
    norms = np.array([[np.linalg.norm(one) for one in kernel] for kernel in train().kernels])
    return largest(np.diff(np.log(norms), axis=0))


@fact(BALANCE, "at most 0.01")
def unit_balance(train: Train = train) -> Any:
    """Each hidden unit receives as much weight as it passes on: largest difference, relative to the largest unit of the
    layer.
    """
    ends = [(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=2)) for one, other in pairwise(train().kernels)]
    return max(largest((into - out) / into.max(axis=1, keepdims=True)) for into, out in ends)


@fact("trained; the objective at zero weights is ln K", "at most 1")
def network_norm_bound(train: Train = train) -> Any:
    """Trained on random labels, a network's penalty is at most the loss of guessing, ln K: largest share of it."""
    squares = [np.sum(kernel.astype(np.float64) ** 2, axis=(1, 2)) for kernel in train().kernels]
    return float((0.5 * BETAS * np.sum(squares, axis=0)).max()) / np.log(CLASSES)
