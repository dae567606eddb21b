"""How long training took or should take, and what it needs of disk and network. No number of a study depends on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from l2audit.config.study import CLASSIFICATION, Config
from l2audit.data.split import Sizes, sizes_for
from l2audit.errors import UserError
from l2audit.pipeline.jobs import benchmarked_seconds
from l2audit.plan import EXACT, Job, Shard, network_of, work

START_SECONDS = 1.5  # of a job: Python
NETWORK_SECONDS = 4.0  # of a job with networks: TensorFlow
# Fitted to the processor time of the 130 jobs of `full`, by least squares; their sum is met within 2 %.
COMPILE_SECONDS = 2.6  # of a shard of networks: its programs
UNIT_SECONDS = 6.1e-9  # one unit of `l2audit.plan.work`: mlp-64-64 on ten columns has 4864 of them a step
ONE_BY_ONE = 0.9  # of networks on larger images, which have another engine: share of the time that `work` says

JOB_BYTES = 40_000  # of a job: the schemas of its two files, and what made them
RUN_BYTES = 500  # of a run: its row in trained/ and again in runs.parquet
VALUE_BYTES, CLASS_BYTES = 4.0, 2.5  # of a prediction, for one test row: a float32; a class, and its log-probability


def shard_seconds(config: Config, shard: Shard) -> float:
    """Seconds that training `shard` should take on one core, its job's start aside."""
    compiling = 0.0 if shard.optimizer == EXACT else COMPILE_SECONDS
    arm = config.study.arms[shard.arm]
    units = shard.size * work(config, arm, shard.dataset)
    if shard.optimizer != EXACT and not network_of(config, arm, shard.dataset).stackable:
        units *= ONE_BY_ONE
    return compiling + units * UNIT_SECONDS


def expected_seconds(config: Config, job: Job) -> float:
    """Seconds that `job` should take on one core of the kind that the constants were measured on."""
    start = START_SECONDS + NETWORK_SECONDS * any(shard.optimizer != EXACT for shard in job.shards)
    return start + sum(shard_seconds(config, shard) for shard in job.shards)


def measured_seconds(results: Path, job: Job) -> float | None:
    """Seconds that training just this job, no shard from `kept/`, took on one core; None where `results` do not say."""
    from l2audit.runs.kept import TAKEN
    from l2audit.runs.results import provenance_of

    with contextlib.suppress(OSError, UserError, KeyError):
        trained = provenance_of(results / "trained" / f"{job.job_id}.parquet")["shards"]
        log = (results / "logs" / "train" / f"{job.job_id}.log").read_text(encoding="utf-8")
        same = all(trained[shard.shard_id]["shard"] == shard.declared() for shard in job.shards)
        if same and TAKEN not in log:
            return benchmarked_seconds(results / "benchmarks" / "train" / f"{job.job_id}.tsv")
    return None


def results_bytes(config: Config, jobs: Iterable[Job]) -> float:
    """Bytes on disk that the runs and predictions of `jobs` should take; all else of a study takes a few megabytes."""
    return sum(
        JOB_BYTES + sum(shard.size * (RUN_BYTES + _prediction_bytes(config, shard)) for shard in job.shards)
        for job in jobs
    )


def download_bytes(config: Config) -> int:
    """Bytes of all files from the web that the datasets of a study name, whether they are there or not."""
    entries = (config.datasets[name] for name in config.study.all_datasets)
    return sum(file["bytes"] for entry in entries for file in entry.get("files", ()))


def _prediction_bytes(config: Config, shard: Shard) -> float:
    """Bytes of the predictions of one run, on as many test rows as the dataset's entry says that there are."""
    entry, caps = config.datasets[shard.dataset], Sizes(**config.study.rows)
    rows = {**entry.get("parameters", {}), **entry.get("facts", {})}.get("rows")
    test = sizes_for(int(rows), caps).test if rows else caps.test
    return test * (CLASS_BYTES if shard.task == CLASSIFICATION else VALUE_BYTES)
