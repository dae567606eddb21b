"""This project's engine, as a job of the workflow calls it: one thread, `fit` on a shard after another."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import numpy as np

from benchmarks.contenders.serving import serve
from benchmarks.workload import BATCH, BETA, OUTPUTS, RATES, SHARD, STEPS_A_PASS, digits, network_of
from l2audit.config.study import Schedule
from l2audit.models.architectures import Architecture
from l2audit.models.penalties import read_penalty
from l2audit.models.problem import Problem
from l2audit.networks.stacked import chunk_of
from l2audit.runs.engines import fit


def train(layers: list[str], optimizer: str, models: int, passes: int, side: int = 8) -> dict[str, Any]:
    """Train `models` models, seeds 0, 1, ..., a shard at a time: seconds, mean loss, highest memory so far (MB)."""
    X, y = digits(side)
    schedule = Schedule(RATES[optimizer], passes * STEPS_A_PASS, BATCH)
    losses: list[float] = []
    started = time.perf_counter()
    for start in range(0, models, SHARD):
        seeds = np.arange(start, min(start + SHARD, models))
        problem = Problem(
            task="classification",
            outputs=OUTPUTS,
            X=X[None],
            y=y[None],
            data=np.zeros(len(seeds), np.int64),
            beta=np.full(len(seeds), BETA, np.float32),
            seed=seeds,
            dataset="digits",
            image=(side, side),
        )
        fitted = fit(
            problem, Architecture("benchmark", layers), "cross_entropy", read_penalty("l2"), optimizer, schedule
        )
        losses += fitted.certificates["train_loss"].tolist()
    return {"seconds": time.perf_counter() - started, "loss": float(np.mean(losses)), "peak_mb": peak_memory()}


def chunk(layers: list[str], side: int = 8) -> dict[str, Any]:
    """How many models the engine trains as one program; fewer are padded to as many."""
    network = network_of(layers, side)
    return {"chunk": chunk_of(network, BATCH) if network.stackable else 1}


def peak_memory() -> float:
    """The most memory that this process ever had resident, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    serve({"train": train, "chunk": chunk})
