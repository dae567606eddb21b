"""One shard: contaminate, train the whole batch, measure, and hand back the rows.

The distinct training sets of a shard are its (seed, contamination) pairs; every model points to one of them. All that
is random is keyed by the axes it may depend on (see `l2audit.seeds`), so a run's numbers do not depend on its shard.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from l2audit.contamination import Contaminated, Reference, Rows, contaminate
from l2audit.data.prepare import Prepared
from l2audit.data.split import Scaler, Sizes, split
from l2audit.design import Contamination, Run, Shard
from l2audit.measures import MEASURES, Evaluation, Part, layer_norms
from l2audit.models.architectures import Architecture
from l2audit.training.engines import fit
from l2audit.training.problem import Fitted, Problem, Schedule
from l2audit.training.results import CERTIFICATES, DIVERGED, OK, table_of

RECORDED_PACKAGES = ("numpy", "scipy", "scikit-learn", "tensorflow-cpu")


@dataclass(frozen=True)
class Replicate:
    """One seed's split, scaled by its clean training rows."""

    reference: Reference
    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True)
class Level:
    """One training set of a shard: a seed under a contamination."""

    seed: int
    contamination: Contamination
    train: Contaminated
    validation: Contaminated


def replicate_of(prepared: Prepared, seed: int, caps: Sizes) -> Replicate:
    """Split and scale: X (and a regression target) by mean and SD of the clean training rows, never of others."""
    parts = split(prepared.name, prepared.task, prepared.y, seed, caps)
    classes = int(prepared.y.max()) + 1 if prepared.task == "classification" else None
    target = None if classes else prepared.y[parts.train]
    scaler = Scaler.fit(prepared.X[parts.train], target)

    def rows(index: NDArray[np.int64]) -> Rows:
        y = prepared.y[index]
        return Rows(scaler.features(prepared.X[index]), y if classes else scaler.target(y), classes)

    train = rows(parts.train)
    return Replicate(Reference(train), train, rows(parts.validation), rows(parts.test))


def _level(dataset: str, seed: int, contamination: Contamination, replicate: Replicate) -> Level:
    def hit(rows: Rows, part: str) -> Contaminated:
        return contaminate(
            rows,
            replicate.reference,
            kind=contamination.kind,
            rate=contamination.rate,
            magnitude=contamination.magnitude,
            dataset=dataset,
            seed=seed,
            part=part,
        )

    return Level(seed, contamination, hit(replicate.train, "train"), hit(replicate.validation, "validation"))


def train_shard(
    shard: Shard,
    prepared: Prepared,
    architecture: Architecture,
    caps: Sizes,
    schedule: Schedule,
    chunk: int,
    provenance: Mapping[str, Any],
) -> pa.Table:
    """Train every run of `shard` and return its rows (see `l2audit.training.results`), provenance inside.

    A model that diverges is a row with status "diverged"; an exception means that the job itself is broken.
    """
    started = time.monotonic()
    replicates = {seed: replicate_of(prepared, seed, caps) for seed in shard.seeds}
    levels = [
        _level(shard.dataset, seed, contamination, replicates[seed])
        for contamination in shard.contaminations
        for seed in shard.seeds
    ]
    columns: dict[str, list[object]] = {}
    for loss in shard.losses:
        for name, values in _train_loss(
            shard, loss, prepared, architecture, levels, replicates, schedule, chunk
        ).items():
            columns.setdefault(name, []).extend(values)
    return table_of(columns, {**provenance, **_circumstances(time.monotonic() - started)})


def _train_loss(
    shard: Shard,
    loss: str,
    prepared: Prepared,
    architecture: Architecture,
    levels: Sequence[Level],
    replicates: Mapping[int, Replicate],
    schedule: Schedule,
    chunk: int,
) -> dict[str, list[object]]:
    models = [(where, beta) for where in range(len(levels)) for beta in shard.betas]
    data = np.array([where for where, _ in models])
    classification = prepared.task == "classification"
    problem = Problem(
        task=prepared.task,
        outputs=int(prepared.y.max()) + 1 if classification else 1,
        X=np.stack([level.train.X for level in levels]).astype(np.float32),
        y=_typed([level.train.y for level in levels], prepared.task),
        data=data,
        beta=np.array([beta for _, beta in models], dtype=np.float32),
        seed=np.array([levels[where].seed for where, _ in models]),
        dataset=shard.dataset,
        image=prepared.image,
    )
    fitted = fit(problem, architecture, loss, shard.penalty, shard.optimizer, schedule, chunk)
    evaluation = _evaluate(fitted, problem, levels, replicates)
    return _rows(shard, loss, prepared.task, models, levels, fitted, evaluation)


def _typed(y: Sequence[NDArray[Any]], task: str) -> NDArray[np.int32] | NDArray[np.float32]:
    stacked = np.stack(y)
    return stacked.astype(np.int32) if task == "classification" else stacked.astype(np.float32)


def _evaluate(
    fitted: Fitted, problem: Problem, levels: Sequence[Level], replicates: Mapping[int, Replicate]
) -> Evaluation:
    def part(X: list[NDArray[Any]], y: list[NDArray[Any]]) -> Part:
        inputs = np.stack(X).astype(np.float32)
        return Part(fitted.predict(inputs, problem.data), _typed(y, problem.task)[problem.data])

    of = [replicates[level.seed] for level in levels]
    flipped = np.stack(
        [level.train.mask & (level.contamination.kind == "sym") for level in levels]
    )  # only label noise replaces a label and leaves its row in place
    return Evaluation(
        task=problem.task,
        train=part([level.train.X for level in levels], [level.train.y for level in levels]),
        validation=part([r.validation.X for r in of], [r.validation.y for r in of]),
        validation_contaminated=part(
            [level.validation.X for level in levels], [level.validation.y for level in levels]
        ),
        test=part([r.test.X for r in of], [r.test.y for r in of]),
        labels_flipped=flipped[problem.data],
        kernels=fitted.kernels,
    )


def _rows(
    shard: Shard,
    loss: str,
    task: str,
    models: Sequence[tuple[int, float]],
    levels: Sequence[Level],
    fitted: Fitted,
    evaluation: Evaluation,
) -> dict[str, list[object]]:
    runs = [
        Run(
            dataset=shard.dataset,
            architecture=shard.architecture,
            loss=loss,
            penalty=shard.penalty,
            beta=beta,
            optimizer=shard.optimizer,
            contamination=levels[where].contamination,
            seed=levels[where].seed,
        )
        for where, beta in models
    ]
    with np.errstate(all="ignore"):  # a diverged model is a row, not a warning
        measured = {name: MEASURES[name].compute(evaluation) for name in MEASURES.names()}
        norms = layer_norms(evaluation)
    finite = fitted.certificates["finite"].astype(bool) & np.isfinite(measured["test_risk"])
    columns: dict[str, list[object]] = {
        "run_id": [run.run_id for run in runs],
        "shard_id": [shard.shard_id] * len(runs),
        "task": [task] * len(runs),
        "level": [run.contamination.level for run in runs],
        "status": [OK if good else DIVERGED for good in finite],
        "reason": ["" if good else "a weight or a measure is not finite" for good in finite],
        "layer_norms": norms.tolist(),
    }
    for axis in ("dataset", "architecture", "loss", "penalty", "beta", "optimizer", "seed"):
        columns[axis] = [getattr(run, axis) for run in runs]
    for axis in ("kind", "rate", "magnitude"):
        columns[axis] = [getattr(run.contamination, axis) for run in runs]
    for name, numbers in measured.items():
        columns[name] = _nullable(numbers)
    for certificate in CERTIFICATES:
        columns[certificate.name] = _nullable(fitted.certificates[certificate.name])
    return columns


def _nullable(numbers: NDArray[np.floating[Any]]) -> list[object]:
    """NaN is "not there" in the table; an infinite value is a value."""
    return [None if np.isnan(number) else float(number) for number in numbers]


def _circumstances(seconds: float) -> dict[str, Any]:
    """Where and with what a shard was trained: for the audit, never part of a table that must be byte-stable."""
    return {
        "seconds": round(seconds, 3),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in RECORDED_PACKAGES},
        "threads": int(os.environ.get("OMP_NUM_THREADS", "1")),
    }
