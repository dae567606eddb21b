"""The plan of a study: its runs, the shards they are trained in, and the jobs that train the shards.

A run is one trained model. A shard is one dataset under one arm (an architecture trained in one way), with all its
losses, levels, betas and seeds. A job is one process: it trains several shards of one dataset.

The plan is a pure function of the configuration; the order of its lists does not matter, everything is sorted. A shard
of much work is split by seed and by nothing else, because the runs of a seed share their split. How long a job takes is
guessed elsewhere (`l2audit.pipeline.minutes`), so that a better guess trains nothing again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from l2audit.config.study import CLASSIFICATION, CLEAN, CLEAN_SCALING, Arm, Config, Contamination, Schedule
from l2audit.data.split import Sizes
from l2audit.models.architectures import Architecture, Network
from l2audit.seeds import canonical
from l2audit.stored import read_json

__all__ = [
    "CLEAN",
    "CLEAN_SCALING",
    "Contamination",
    "Job",
    "Run",
    "Shard",
    "architecture_of",
    "jobs_of",
    "network_of",
    "plan",
    "planned",
    "restored_plan",
    "stored_plan",
    "work",
]

MOST_WORK = 1.5e10
"""Work of a job, in units of `work` (3 minutes): a shard of more is split by seed, shards of less share a job."""
CONV_WORK = 4000  # one step of a convolutional network, a pixel
EXACT_WORK = {"l1": (4.3e5, 1.1e4), "l2": (6e4, 4.3e3)}  # one linear model, and an entry of its kernel
EXACT = "exact"  # the optimizer of linear models, whatever the study names for networks
COLUMNS, CLASSES = 20, 3  # of a dataset that does not declare them: they serve to guess its work, and nothing else


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


@dataclass(frozen=True)
class Shard:
    """The runs of one dataset under one arm: all of `losses` x `contaminations` x `betas` x `seeds`, each sorted.

    primary    the arm is one of the study's primary arms
    layers     of the architecture, as in config/architectures.yaml
    rows       at most so many in each part of the split
    schedule   of networks; None for linear models, which are solved exactly
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
    layers: tuple[str, ...]
    rows: Sizes
    schedule: Schedule | None

    def run_id(self, run: Run, data: str, rows: Sizes) -> str:
        """A run's name: a hash of all that is declared and moves its numbers, and of nothing else.

        data: SHA-256 of the prepared dataset. rows: actual sizes of the parts of its split, so a cap enters only where
        it bites. The hash covers these, the axes, the layers and the schedule: first 16 hexadecimal digits of the
        SHA-256 of their canonical JSON. Code, packages and processor are in the provenance instead.
        """
        schedule = asdict(self.schedule) if self.schedule else None
        if schedule:
            schedule["batch"] = min(schedule["batch"], rows.train)  # at or above it, each step takes all rows
        recipe = {"layers": list(self.layers), "rows": asdict(rows), "schedule": schedule, "data": data}
        return hashlib.sha256(canonical({**run.axes, **recipe}).encode()).hexdigest()[:16]

    def runs(self) -> Iterator[Run]:
        """Every run of the shard, in sorted order of the axes."""
        for loss in self.losses:
            for contamination in self.contaminations:
                for beta in self.betas:
                    for seed in self.seeds:
                        yield self.run(loss, contamination, beta, seed)

    def run(self, loss: str, contamination: Contamination, beta: float, seed: int) -> Run:
        """One of the shard's runs."""
        arm = (self.architecture, loss, self.penalty, beta, self.optimizer, self.scaling)
        return Run(self.dataset, *arm, contamination, seed)

    @property
    def size(self) -> int:
        """Number of runs."""
        return len(self.losses) * len(self.contaminations) * len(self.betas) * len(self.seeds)

    def to_json(self) -> str:
        """The shard as canonical JSON, from which `from_json` makes an equal one."""
        return canonical(asdict(self))

    def declared(self) -> dict[str, Any]:
        """The shard as JSON has it: lists, no tuples."""
        values: dict[str, Any] = json.loads(canonical(asdict(self)))
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Shard:
        """The shard whose parsed `to_json` text is `values`."""
        lists: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in values.items()}
        lists["contaminations"] = tuple(Contamination(**one) for one in values["contaminations"])
        lists["rows"] = Sizes(**values["rows"])
        lists["schedule"] = Schedule(**values["schedule"]) if values["schedule"] else None
        return cls(**lists)


def plan(config: Config) -> list[Shard]:
    """All shards of a study, its controls included, sorted by id."""
    shards: list[Shard] = []
    for arm in config.study.arms.values():
        for dataset in config.study.all_datasets:
            if _is_used(config, arm, dataset):
                shards += _shards(config, arm, dataset)
    return sorted(shards, key=lambda shard: shard.shard_id)


@dataclass(frozen=True)
class Job:
    """Shards of one dataset that one process trains, sorted: Python and TensorFlow start once for all of them."""

    job_id: str
    shards: tuple[Shard, ...]

    @property
    def dataset(self) -> str:
        """Whose shards they are."""
        return self.shards[0].dataset

    def to_json(self) -> str:
        """The job as canonical JSON, from which `from_json` makes an equal one."""
        return canonical(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job that `to_json` gave `text` for."""
        values = json.loads(text)
        return cls(values["job_id"], tuple(Shard.from_json(one) for one in values["shards"]))


def jobs_of(config: Config) -> dict[str, Job]:
    """All jobs of a study by their id, `<dataset>.<number>`: neighbouring shards, up to `MOST_WORK` together."""
    jobs: dict[str, Job] = {}
    for dataset, shards in groupby(plan(config), key=lambda shard: shard.dataset):
        groups: list[list[Shard]] = []
        room = 0.0
        for shard in shards:
            effort = shard.size * work(config, config.study.arms[shard.arm], dataset)
            if effort > room:
                groups.append([])
                room = MOST_WORK
            groups[-1].append(shard)
            room -= effort
        for number, group in enumerate(groups):
            jobs[f"{dataset}.{number}"] = Job(f"{dataset}.{number}", tuple(group))
    return jobs


def stored_plan(config: Config) -> str:
    """All shards, and the stratum of each kind of contamination, as the text of `results/<study>/plan.json`."""
    strata = {kind: entry["stratum"] for kind, entry in config.contaminations.items()}
    return canonical({"shards": [shard.declared() for shard in plan(config)], "strata": strata})


def restored_plan(path: str | Path) -> tuple[list[Shard], dict[str, str]]:
    """The shards and the strata in a file with the text of `stored_plan`; DamagedFile if it is cut."""
    found = read_json(path)
    return [Shard.from_json(one) for one in found["shards"]], found["strata"]


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


def architecture_of(config: Config, arm: Arm) -> Architecture:
    """The architecture of an arm; UserError where a text is not a layer."""
    return Architecture(arm.architecture, config.architectures[arm.architecture]["layers"])


def network_of(config: Config, arm: Arm, dataset: str) -> Network:
    """The network of an arm on a dataset, as far as the dataset's entry says its size; else the width is a guess.

    UserError where layers do not fit each other or the rows.
    """
    entry = config.datasets[dataset]
    told = {**entry.get("parameters", {}), **entry.get("facts", {})}
    image = tuple(size // entry.get("shrink", 1) for size in entry["image"]) if entry.get("image") else None
    columns = math.prod(image) if image else told.get("columns", COLUMNS)
    classes = len(told.get("class_counts", ())) or told.get("classes", CLASSES)
    return architecture_of(config, arm).network(columns, classes if entry["task"] == CLASSIFICATION else 1, image)


def work(config: Config, arm: Arm, dataset: str) -> float:
    """Work of one model of `arm` on `dataset`, > 0, from the declared sizes alone, so that measuring changes no plan.

    The unit is one step of one kernel entry of a dense network; other models are counted in what takes as long.
    """
    network = network_of(config, arm, dataset)
    if not architecture_of(config, arm).layers:
        model, entry = EXACT_WORK["l1" if arm.penalty.startswith("l1") else "l2"]
        return model + entry * network.kernel_size
    flat = len(network.inputs) == 1
    step = network.kernel_size if flat else CONV_WORK * math.prod(network.inputs)
    return step * config.study.schedule(arm.name).steps


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
    layers = architecture_of(config, arm).layers
    count = arm.seeds or config.study.seeds
    models = len(losses) * len(contaminations) * len(arm.betas) * count
    groups = math.ceil(models * work(config, arm, dataset) / MOST_WORK)
    for number, seeds in enumerate(_seed_groups(count, groups)):
        yield Shard(
            shard_id=f"{dataset}.{arm.name}.{number}",
            dataset=dataset,
            arm=arm.name,
            primary=arm.name in config.study.architectures,
            architecture=arm.architecture,
            losses=losses,
            penalty=arm.penalty,
            betas=arm.betas,
            optimizer=arm.optimizer if layers else EXACT,
            scaling=arm.scaling,
            contaminations=contaminations,
            seeds=tuple(seeds),
            task=config.task(dataset),
            role=config.study.role(dataset),
            layers=tuple(config.architectures[arm.architecture]["layers"]),
            rows=Sizes(**config.study.rows),
            schedule=config.study.schedule(arm.name) if layers else None,
        )


def _seed_groups(seeds: int, groups: int) -> list[Sequence[int]]:
    """0 .. seeds - 1 in at most `groups` runs of neighbours, whose sizes differ by at most one."""
    count = max(1, min(groups, seeds))
    bounds = [round(index * seeds / count) for index in range(count + 1)]
    return [range(start, stop) for start, stop in pairwise(bounds)]
