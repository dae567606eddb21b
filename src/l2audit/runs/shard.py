"""One job: per shard contaminate, train all models at once, measure, and return the runs and the predictions.

The distinct training sets of a shard are its (seed, contamination) pairs; every model points to one of them. All that
is random is keyed by the axes it may depend on (see `l2audit.seeds`), so a run's numbers do not depend on its shard.
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l2audit.data.arrays import Prepared
from l2audit.data.split import sizes_for
from l2audit.measures import DIVERGED, MEASURES, OK, Evaluation, layer_norms
from l2audit.models.architectures import Architecture
from l2audit.models.penalties import read_penalty
from l2audit.models.problem import Fitted, Problem
from l2audit.packages import installed
from l2audit.plan import Job, Run, Shard
from l2audit.runs.engines import fit
from l2audit.runs.evaluate import evaluate, typed
from l2audit.runs.kept import TAKEN, Kept, Trained
from l2audit.runs.levels import Level, level_of, replicate_of
from l2audit.runs.predictions import Predictions, predictions_of, predictions_table
from l2audit.runs.results import CERTIFICATES, table_of
from l2audit.seeds import seed_of

RECORDED_PACKAGES = ("numpy", "scipy", "scikit-learn", "tensorflow")
PLACEBO = "placebo"
NOT_FINITE = "a weight, the training loss or an output is not finite"

logger = logging.getLogger(__name__)


def train_shard(shard: Shard, prepared: Prepared, origin: Mapping[str, Any]) -> Trained:
    """Train every run of `shard`: one row per run, with the columns of `l2audit.runs.results`.

    origin: what the shard is made of; its `data_sha256` is that of the file that `prepared` was read from. A model that
    diverges is a row with status "diverged". An exception means that the job itself is broken.
    """
    started = time.monotonic()
    replicates = {seed: replicate_of(prepared, seed, shard.rows) for seed in shard.seeds}
    levels = [
        level_of(shard.dataset, seed, contamination, replicates[seed], shard.scaling)
        for contamination in shard.contaminations
        for seed in shard.seeds
    ]
    columns: dict[str, list[object]] = {}
    predictions = []
    for loss in shard.losses:
        found, predicted = _train_loss(shard, loss, prepared, levels, origin["data_sha256"])
        predictions.append(predicted)
        for name, values in found.items():
            columns.setdefault(name, []).extend(values)
    logger.info("trained %d models in %.3f s", shard.size, time.monotonic() - started)
    return Trained(table_of(columns), predictions_table(predictions), {shard.shard_id: origin})


def train_job(job: Job, prepared: Prepared, origin: Mapping[str, Any], kept: Kept) -> Trained:
    """Train the shards of `job`, or take those that were trained before from `kept`.

    origin: `code_sha256`, `data_sha256` and `registration_sha256`.
    """
    made_by = circumstances()  # what could fail must do so before the training
    done = []
    for shard in job.shards:
        own = {**origin, **made_by, "shard": shard.declared()}
        trained = kept.find(shard.shard_id, own)
        if trained:
            logger.info("%s: %s", shard.shard_id, TAKEN)
        else:
            logger.info("%s: training", shard.shard_id)
            trained = train_shard(shard, prepared, own)
            kept.keep(shard.shard_id, trained)
        done.append(trained)
    return Trained.joined(done)


def _train_loss(
    shard: Shard,
    loss: str,
    prepared: Prepared,
    levels: Sequence[Level],
    data: str,
) -> tuple[dict[str, list[object]], Predictions]:
    models = [(where, beta) for where in range(len(levels)) for beta in shard.betas]
    penalty = read_penalty(shard.penalty)
    classification = prepared.task == "classification"
    problem = Problem(
        task=prepared.task,
        outputs=int(prepared.y.max()) + 1 if classification else 1,
        X=np.stack([level.train.X for level in levels]).astype(np.float32),
        y=typed([level.train.y for level in levels], prepared.task),
        data=np.array([where for where, _ in models]),
        beta=np.array([beta for _, beta in models], dtype=np.float32),
        seed=np.array([training_seed(penalty.word, levels[where].seed, beta) for where, beta in models]),
        dataset=shard.dataset,
        image=prepared.image,
    )
    architecture = Architecture(shard.architecture, shard.layers)
    fitted = fit(problem, architecture, loss, penalty, shard.optimizer, shard.schedule)
    evaluation = evaluate(fitted, problem, levels)
    runs = [shard.run(loss, levels[where].contamination, beta, levels[where].seed) for where, beta in models]
    rows = sizes_for(len(prepared.y), shard.rows)
    ids = [shard.run_id(run, data, rows) for run in runs]
    predicted = predictions_of(prepared.task, evaluation.test, ids, evaluation.finite)
    return {"run_id": list(ids), **_rows(shard, prepared.task, runs, fitted, evaluation)}, predicted


def training_seed(word: str, seed: int, beta: float) -> int:
    """Key of a run's initial weights and batch order: its seed, so that betas are paired.

    A placebo is drawn afresh for each (seed, beta), beta = 0 included. So its betas are exchangeable, and its true
    effect is 0 however a beta is chosen. On the study's own draw, beta = 0 would be the model that the primary arm is
    compared with: one lucky draw would speak in the study and in its control. Split and contamination are the seed's.
    """
    return seed_of(PLACEBO, seed, beta) >> 65 if word == PLACEBO else seed


def _rows(
    shard: Shard, task: str, runs: Sequence[Run], fitted: Fitted, evaluation: Evaluation
) -> dict[str, list[object]]:
    finite, absent, norms = evaluation.finite, np.full(len(runs), np.nan), layer_norms(evaluation)
    certificates = {one.name: fitted.certificates.get(one.name, absent) for one in CERTIFICATES}
    axes = [run.axes for run in runs]
    return {
        "shard_id": [shard.shard_id] * len(runs),
        "arm": [shard.arm] * len(runs),
        "task": [task] * len(runs),
        "level": [run.contamination.level for run in runs],
        "status": [OK if good else DIVERGED for good in finite],
        "reason": ["" if good else NOT_FINITE for good in finite],
        "layer_norms": [one.tolist() if good else None for good, one in zip(finite, norms, strict=True)],
        **{axis: [one[axis] for one in axes] for axis in axes[0]},
        **{name: _nullable(MEASURES[name].compute(evaluation)) for name in MEASURES.names()},
        **{name: _nullable(np.where(finite, numbers, np.nan)) for name, numbers in certificates.items()},
    }


def _nullable(numbers: NDArray[np.floating[Any]]) -> list[object]:
    """NaN is "not there" in the table; an infinite value is a value."""
    return [None if np.isnan(number) else float(number) for number in numbers]


def circumstances() -> dict[str, Any]:
    """Where and with what a shard is trained, for the audit: no clock, so that the same job writes the same bytes."""
    return {
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "packages": installed(RECORDED_PACKAGES),
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }
