"""What a configuration says, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLASSIFICATION, REGRESSION = TASKS = ("classification", "regression")
CLEAN_KIND = "clean"


@dataclass(frozen=True, order=True)
class Contamination:
    """A kind at a rate in [0, 1), with a magnitude where the kind has one (else 0)."""

    kind: str
    rate: float = 0.0
    magnitude: float = 0.0

    @property
    def level(self) -> str:
        """The contamination as text: `clean`, `sym@0.2` or `vert@0.1,10`."""
        if self.kind == CLEAN_KIND:
            return CLEAN_KIND
        return f"{self.kind}@{self.rate:g}" + (f",{self.magnitude:g}" if self.magnitude else "")


CLEAN = Contamination(CLEAN_KIND)


@dataclass(frozen=True)
class ArchitectureUse:
    """How a study uses one architecture.

    `datasets` and `levels` restrict it, None means all of the study's; `training` overrides keys of the study's
    schedule.
    """

    name: str
    betas: tuple[float, ...]
    losses: Mapping[str, tuple[str, ...]]
    datasets: tuple[str, ...] | None = None
    levels: tuple[str, ...] | None = None
    training: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Controls:
    """Planted designs whose right verdict is known: trained with the study, judged apart from it."""

    datasets: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A named grid of axes: one file of config/studies/. `contaminations` maps a task to its levels, clean left out."""

    name: str
    title: str
    verdicts: bool
    datasets: tuple[str, ...]
    controls: Controls
    architectures: Mapping[str, ArchitectureUse]
    contaminations: Mapping[str, tuple[Contamination, ...]]
    seeds: int
    penalty: str
    optimizer: str
    rows: Mapping[str, int]
    training: Mapping[str, float]
    models_per_program: int

    def schedule(self, architecture: str) -> Mapping[str, float]:
        """The training schedule of one architecture: the study's, with the architecture's own keys."""
        return {**self.training, **self.architectures[architecture].training}

    def role(self, dataset: str) -> str:
        """`control` for a planted design, else `study`."""
        return "control" if dataset in self.controls.datasets else "study"

    @property
    def all_datasets(self) -> tuple[str, ...]:
        """Names of the study's datasets and of its controls, sorted."""
        return tuple(sorted({*self.datasets, *self.controls.datasets}))


@dataclass(frozen=True)
class Config:
    """A checked configuration: one study, and the tables that its names refer to (as their YAML gives them)."""

    root: Path
    study: Study
    datasets: Mapping[str, Mapping[str, Any]] = field(repr=False)
    architectures: Mapping[str, Mapping[str, Any]] = field(repr=False)
    contaminations: Mapping[str, Mapping[str, Any]] = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)

    def task(self, dataset: str) -> str:
        """`classification` or `regression`."""
        return str(self.datasets[dataset]["task"])
