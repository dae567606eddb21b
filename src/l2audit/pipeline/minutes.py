"""How long training took, or should take. No number of a study depends on this file."""

from __future__ import annotations

import contextlib
from pathlib import Path

from l2audit.config.study import Config
from l2audit.errors import UserError
from l2audit.pipeline.jobs import benchmarked_seconds
from l2audit.plan import EXACT, Shard, work
from l2audit.seeds import canonical

JOB_SECONDS = 12.0  # of networks: starting Python, importing TensorFlow, compiling their programs
EXACT_JOB_SECONDS = 2.2  # of linear models: starting Python
UNIT_SECONDS = 1.15e-8  # one unit of `l2audit.plan.work`: mlp-64-64 on ten columns has 4864 of them a step


def expected_seconds(config: Config, shard: Shard) -> float:
    """Seconds that training `shard` should take on one core of the kind that the constants were measured on."""
    start = EXACT_JOB_SECONDS if shard.optimizer == EXACT else JOB_SECONDS
    return start + shard.size * work(config, config.study.arms[shard.arm], shard.dataset) * UNIT_SECONDS


def measured_seconds(results: Path, shard: Shard) -> float | None:
    """Seconds that training exactly this shard took on one core; None where the folder `results` does not say."""
    from l2audit.runs.results import provenance_of

    with contextlib.suppress(OSError, UserError):
        trained = provenance_of(results / "shards" / f"{shard.shard_id}.parquet")
        if canonical(trained["shard"]) == shard.to_json():
            return benchmarked_seconds(results / "benchmarks" / "train" / f"{shard.shard_id}.tsv")
    return None
