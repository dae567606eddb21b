"""The design: which runs a study consists of, and which of them one job trains together.

The plan is a pure function of the configuration and does not depend on the order in which its lists are written: a run
is named by the hash of its axes, and shards, runs and axes are sorted. A shard is one dataset under one architecture,
with all its losses, levels, betas and seeds; where that would take one job too long it is split by seed, never by
anything else, because the runs of a seed share their split and are compared with each other.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from l2audit.config.study import CLEAN, ArchitectureUse, Config, Contamination
from l2audit.data.entries import read_entry
from l2audit.models.architectures import Architecture
from l2audit.seeds import canonical

__all__ = ["CLEAN", "Contamination", "Run", "Shard", "expected_seconds", "plan", "planned", "shards_by_id", "verify"]

SHARD_SECONDS = 120.0  # a shard expected to take longer is split by seed: for several cores, and against interruptions
JOB_SECONDS = 6.0  # starting Python, importing TensorFlow, compiling one program
EXACT_SECONDS = 0.02  # one linear model
DENSE_SECONDS = 5e-5  # one step of one small dense network in a stack of them
CONV_SECONDS = 1.3e-3  # one step of one convolutional network on 8 x 8 images
EXACT = "exact"  # the optimizer of linear models, whatever the study names for networks


@dataclass(frozen=True)
class Run:
    """One trained model: a point on every axis."""

    dataset: str
    architecture: str
    loss: str
    penalty: str
    beta: float
    optimizer: str
    contamination: Contamination
    seed: int

    @property
    def axes(self) -> dict[str, str | float | int]:
        """The axes by name, as the columns of the table of runs have them."""
        return {
            "dataset": self.dataset,
            "architecture": self.architecture,
            "loss": self.loss,
            "penalty": self.penalty,
            "beta": float(self.beta),
            "optimizer": self.optimizer,
            "kind": self.contamination.kind,
            "rate": float(self.contamination.rate),
            "magnitude": float(self.contamination.magnitude),
            "seed": int(self.seed),
        }

    @property
    def run_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the axes' canonical JSON."""
        return hashlib.sha256(canonical(self.axes).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Shard:
    """The runs that one job trains together: all of `losses` x `contaminations` x `betas` x `seeds`, each sorted."""

    shard_id: str
    dataset: str
    architecture: str
    losses: tuple[str, ...]
    penalty: str
    betas: tuple[float, ...]
    optimizer: str
    contaminations: tuple[Contamination, ...]  # clean first
    seeds: tuple[int, ...]
    task: str
    role: str  # study | control

    def runs(self) -> Iterator[Run]:
        """Every run of the shard, in sorted order of the axes."""
        for loss in self.losses:
            for contamination in self.contaminations:
                for beta in self.betas:
                    for seed in self.seeds:
                        yield Run(
                            self.dataset,
                            self.architecture,
                            loss,
                            self.penalty,
                            beta,
                            self.optimizer,
                            contamination,
                            seed,
                        )

    @property
    def size(self) -> int:
        """Number of runs."""
        return len(self.losses) * len(self.contaminations) * len(self.betas) * len(self.seeds)

    def to_json(self) -> str:
        """The shard as canonical JSON, from which `from_json` makes an equal one."""
        values: dict[str, Any] = {**vars(self)}
        values["contaminations"] = [[one.kind, one.rate, one.magnitude] for one in self.contaminations]
        return canonical(values)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Shard:
        """The shard whose parsed `to_json` text is `values`."""
        lists: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in values.items()}
        lists["contaminations"] = tuple(Contamination(*one) for one in values["contaminations"])
        return cls(**lists)


def plan(config: Config) -> list[Shard]:
    """All shards of a study, its controls included, sorted by id."""
    shards: list[Shard] = []
    for name, use in config.study.architectures.items():
        for dataset in config.study.all_datasets:
            if _is_used(config, use, dataset):
                shards += _shards(config, name, dataset)
    return sorted(shards, key=lambda shard: shard.shard_id)


def verify(config: Config) -> None:
    """Read every dataset entry and build every network that the study uses; UserError at the first that cannot be.

    What a schema cannot know: whether a layer's text is a layer, whether layers fit each other and the dataset's image,
    whether a source exists.
    """
    for name in config.study.all_datasets:
        read_entry(name, config.datasets[name])
    for shard in plan(config):
        image = config.datasets[shard.dataset].get("image")
        height, width = image or (1, 1)
        _architecture(config, shard.architecture).network(height * width, 1, (height, width) if image else None)


def shards_by_id(config: Config) -> dict[str, Shard]:
    """All shards of a study by their id."""
    return {shard.shard_id: shard for shard in plan(config)}


def planned(shards: Iterable[Shard]) -> Iterator[dict[str, str | float | int]]:
    """One row a planned run: its axes, `level`, and the `role` and `task` of its dataset."""
    for shard in shards:
        for run in shard.runs():
            yield {"role": shard.role, "task": shard.task, "level": run.contamination.level, **run.axes}


def expected_seconds(config: Config, shard: Shard) -> float:
    """Seconds that training `shard` should take on one core, from the constants above."""
    return JOB_SECONDS + shard.size * _seconds_per_model(config, shard.architecture)


def _architecture(config: Config, name: str) -> Architecture:
    return Architecture(name, config.architectures[name]["layers"])


def _is_used(config: Config, use: ArchitectureUse, dataset: str) -> bool:
    if config.study.role(dataset) == "control":
        return use.name in config.study.controls.architectures
    return use.datasets is None or dataset in use.datasets


def _contaminations(config: Config, use: ArchitectureUse, dataset: str) -> tuple[Contamination, ...]:
    control = config.study.role(dataset) == "control"
    kept = config.study.controls.levels if control else use.levels
    levels = config.study.contaminations.get(config.task(dataset), ())
    return (CLEAN, *sorted(one for one in levels if kept is None or one.level in kept))


def _shards(config: Config, architecture: str, dataset: str) -> Iterator[Shard]:
    use = config.study.architectures[architecture]
    contaminations = _contaminations(config, use, dataset)
    losses = use.losses[config.task(dataset)]
    linear = not _architecture(config, architecture).layers
    models = len(losses) * len(contaminations) * len(use.betas) * config.study.seeds
    seconds = models * _seconds_per_model(config, architecture)
    for number, seeds in enumerate(_seed_groups(config.study.seeds, math.ceil(seconds / SHARD_SECONDS))):
        yield Shard(
            shard_id=f"{dataset}.{architecture}.{number}",
            dataset=dataset,
            architecture=architecture,
            losses=losses,
            penalty=config.study.penalty,
            betas=use.betas,
            optimizer=EXACT if linear else config.study.optimizer,
            contaminations=contaminations,
            seeds=tuple(seeds),
            task=config.task(dataset),
            role=config.study.role(dataset),
        )


def _seed_groups(seeds: int, groups: int) -> list[Sequence[int]]:
    """0 .. seeds - 1 in at most `groups` runs of neighbours, whose sizes differ by at most one."""
    count = max(1, min(groups, seeds))
    bounds = [round(index * seeds / count) for index in range(count + 1)]
    return [range(start, stop) for start, stop in pairwise(bounds)]


def _seconds_per_model(config: Config, architecture: str) -> float:
    network = _architecture(config, architecture)
    if not network.layers:
        return EXACT_SECONDS
    step = CONV_SECONDS if network.takes_images else DENSE_SECONDS
    return step * float(config.study.schedule(architecture)["steps"])
