"""The design: which runs a study consists of, and which of them one job trains together.

The plan is a pure function of the configuration and does not depend on the order in which its lists are written: a run
is named by the hash of its axes, and shards, runs and axes are sorted. A shard is one dataset under one arm (an
architecture trained in one way), with all its losses, levels, betas and seeds; where that would take one job too long
it is split by seed, never by anything else, because the runs of a seed share their split and are compared with each
other.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from l2audit.config.study import CLASSIFICATION, CLEAN, CLEAN_SCALING, Arm, Config, Contamination
from l2audit.models.architectures import Architecture, Network
from l2audit.seeds import canonical

__all__ = [
    "CLEAN",
    "CLEAN_SCALING",
    "Contamination",
    "Run",
    "Shard",
    "architecture_of",
    "expected_seconds",
    "network_of",
    "plan",
    "planned",
    "shards_by_id",
]

SHARD_SECONDS = 180.0  # a shard expected to take longer is split by seed: for several cores, and against interruptions
JOB_SECONDS = 12.0  # of networks: starting Python, importing TensorFlow, compiling their programs
EXACT_JOB_SECONDS = 2.2  # of linear models: starting Python
EXACT_SECONDS = {"l1": (5e-3, 1.3e-4), "l2": (7e-4, 5e-5)}  # one linear model, and an entry of its kernel
DENSE_SECONDS = 1.15e-8  # one step of one dense network, an entry of its kernels (mlp-64-64 on ten columns: 4864)
CONV_SECONDS = 4.6e-5  # one step of one convolutional network, a pixel (conv5 on 8 x 8 images)
EXACT = "exact"  # the optimizer of linear models, whatever the study names for networks
COLUMNS, CLASSES = 20, 3  # of a dataset that does not declare them: they serve to guess a time, and nothing else


@dataclass(frozen=True)
class Run:
    """One trained model: a point on every axis."""

    dataset: str
    architecture: str
    loss: str
    penalty: str
    beta: float
    optimizer: str
    scaling: str
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
            "scaling": self.scaling,
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
    """The runs that one job trains together: all of `losses` x `contaminations` x `betas` x `seeds`, each sorted.

    primary: whether `arm` is one of the study's primary arms, which are named like their architecture.
    """

    shard_id: str
    dataset: str
    arm: str
    primary: bool
    architecture: str
    losses: tuple[str, ...]
    penalty: str
    betas: tuple[float, ...]
    optimizer: str
    scaling: str
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
                            self.scaling,
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
    for arm in config.study.arms.values():
        for dataset in config.study.all_datasets:
            if _is_used(config, arm, dataset):
                shards += _shards(config, arm, dataset)
    return sorted(shards, key=lambda shard: shard.shard_id)


def shards_by_id(config: Config) -> dict[str, Shard]:
    """All shards of a study by their id."""
    return {shard.shard_id: shard for shard in plan(config)}


def planned(shards: Iterable[Shard]) -> Iterator[dict[str, str | float | int]]:
    """One row a planned run: its axes, its `level` and `arm`, `primary`, and the `role` and `task` of its dataset."""
    for shard in shards:
        known: dict[str, str | float | int] = {
            "role": shard.role,
            "task": shard.task,
            "arm": shard.arm,
            "primary": shard.primary,
        }
        for run in shard.runs():
            yield {**known, "level": run.contamination.level, **run.axes}


def expected_seconds(config: Config, shard: Shard) -> float:
    """Seconds that training `shard` should take on one core, from the constants above."""
    start = EXACT_JOB_SECONDS if shard.optimizer == EXACT else JOB_SECONDS
    return start + shard.size * _seconds_per_model(config, config.study.arms[shard.arm], shard.dataset)


def architecture_of(config: Config, arm: Arm) -> Architecture:
    """The architecture of an arm; UserError where a text is not a layer."""
    return Architecture(arm.architecture, config.architectures[arm.architecture]["layers"])


def network_of(config: Config, arm: Arm, dataset: str) -> Network:
    """The network that an arm makes of a dataset whose size is known only as far as its entry tells it.

    Layers, their order and images are those that will be trained; elsewhere the width of a row may be a guess.
    UserError where layers do not fit each other or the rows.
    """
    entry = config.datasets[dataset]
    told = {**entry.get("parameters", {}), **entry.get("facts", {})}
    image = tuple(entry["image"]) if entry.get("image") else None
    columns = math.prod(image) if image else told.get("columns", COLUMNS)
    classes = len(told.get("class_counts", ())) or told.get("classes", CLASSES)
    return architecture_of(config, arm).network(columns, classes if entry["task"] == CLASSIFICATION else 1, image)


def _is_used(config: Config, arm: Arm, dataset: str) -> bool:
    if config.study.role(dataset) == "control":
        return arm.name in config.study.controls.architectures
    return arm.datasets is None or dataset in arm.datasets


def _contaminations(config: Config, arm: Arm, dataset: str) -> tuple[Contamination, ...]:
    control = config.study.role(dataset) == "control"
    kept = config.study.controls.levels if control else arm.levels
    levels = config.study.contaminations.get(config.task(dataset), ())
    return (CLEAN, *sorted(one for one in levels if kept is None or one.level in kept))


def _shards(config: Config, arm: Arm, dataset: str) -> Iterator[Shard]:
    contaminations = _contaminations(config, arm, dataset)
    losses = arm.losses[config.task(dataset)]
    linear = not architecture_of(config, arm).layers
    count = arm.seeds or config.study.seeds
    models = len(losses) * len(contaminations) * len(arm.betas) * count
    seconds = models * _seconds_per_model(config, arm, dataset)
    for number, seeds in enumerate(_seed_groups(count, math.ceil(seconds / SHARD_SECONDS))):
        yield Shard(
            shard_id=f"{dataset}.{arm.name}.{number}",
            dataset=dataset,
            arm=arm.name,
            primary=arm.name in config.study.architectures,
            architecture=arm.architecture,
            losses=losses,
            penalty=arm.penalty,
            betas=arm.betas,
            optimizer=EXACT if linear else arm.optimizer,
            scaling=arm.scaling,
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


def _seconds_per_model(config: Config, arm: Arm, dataset: str) -> float:
    network = network_of(config, arm, dataset)
    if not architecture_of(config, arm).layers:
        model, entry = EXACT_SECONDS["l1" if arm.penalty.startswith("l1") else "l2"]
        return model + entry * network.kernel_size
    flat = len(network.inputs) == 1
    step = DENSE_SECONDS * network.kernel_size if flat else CONV_SECONDS * math.prod(network.inputs)
    return step * float(config.study.schedule(arm.name)["steps"])
