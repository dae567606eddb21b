"""How long training is expected to take. Guesses only: no number of a study depends on this file."""

from __future__ import annotations

from l2audit.config.study import Config
from l2audit.plan import EXACT, Job, Shard, work

START_SECONDS = 1.5  # of a job: Python
NETWORK_SECONDS = 4.0  # of a job with networks: TensorFlow
COMPILE_SECONDS = 6.0  # of a shard of networks: its programs
UNIT_SECONDS = 1.15e-8  # one unit of `l2audit.plan.work`: mlp-64-64 on ten columns has 4864 of them a step


def shard_seconds(config: Config, shard: Shard) -> float:
    """Seconds that training `shard` should take on one core, its job's start aside."""
    compiling = 0.0 if shard.optimizer == EXACT else COMPILE_SECONDS
    return compiling + shard.size * work(config, config.study.arms[shard.arm], shard.dataset) * UNIT_SECONDS


def expected_seconds(config: Config, job: Job) -> float:
    """Seconds that `job` should take on one core of the kind that the constants were measured on."""
    networks = any(shard.optimizer != EXACT for shard in job.shards)
    start = START_SECONDS + (NETWORK_SECONDS if networks else 0.0)
    return start + sum(shard_seconds(config, shard) for shard in job.shards)
