"""What a configuration says, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l2audit.config.reader import Document

CLASSIFICATION, REGRESSION = TASKS = ("classification", "regression")
PRIMARY_LOSS = {CLASSIFICATION: "cross_entropy", REGRESSION: "squared"}
"""The loss whose validation rows choose beta: every primary arm has it."""
CLEAN_KIND = "clean"
CLEAN_SCALING = "clean"
"""Features and targets are scaled by the clean training rows; l2audit.data.split.SCALINGS has the others."""


@dataclass(frozen=True, order=True)
class Contamination:
    """A kind at a rate in [0, 1), with a magnitude where the kind has one (else 0)."""

    kind: str
    rate: float = 0.0
    magnitude: float = 0.0

    @property
    def level(self) -> str:
        """The contamination as text: `clean`, `sym@0.2` or `vert@0.1,10`. Unequal contaminations have unequal texts."""
        if self.kind == CLEAN_KIND:
            return CLEAN_KIND
        return f"{self.kind}@{_digits(self.rate)}" + (f",{_digits(self.magnitude)}" if self.magnitude else "")


def _digits(number: float) -> str:
    """The shortest text that reads back as `number`: 0.2, 10, 0.2000001."""
    return repr(float(number)).removesuffix(".0")


CLEAN = Contamination(CLEAN_KIND)


@dataclass(frozen=True)
class Schedule:
    """How networks are trained; linear models are solved exactly and need none.

    - learning_rate: at the first step. It goes to 0 along half a cosine.
    - steps: optimizer steps, the same for every beta.
    - batch: rows per step. At or above the number of training rows, every step takes all of them.
    """

    learning_rate: float
    steps: int
    batch: int


@dataclass(frozen=True)
class Arm:
    """An architecture trained in one way.

    - penalty: text for `l2audit.models.penalties.read_penalty`.
    - optimizer: of networks. Linear models are solved exactly.
    - scaling: clean | contaminated | robust.
    - training: overrides keys of the study's schedule.
    - datasets, levels (clean left out) and seeds (a count) restrict the arm. None: all of the study's.
    """

    name: str
    architecture: str
    penalty: str
    optimizer: str
    scaling: str
    betas: tuple[float, ...]
    losses: Mapping[str, tuple[str, ...]]
    datasets: tuple[str, ...] | None = None
    levels: tuple[str, ...] | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None


@dataclass(frozen=True)
class Controls:
    """Planted designs whose right verdict is known: trained with the study, judged apart from it."""

    datasets: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A named grid of axes: one file of config/studies/.

    - architectures: the primary arms, by name.
    - further: the other arms, by name.
    - contaminations: the levels of each task, clean left out.
    """

    name: str
    title: str
    verdicts: bool
    datasets: tuple[str, ...]
    controls: Controls
    architectures: Mapping[str, Arm]
    further: Mapping[str, Arm]
    contaminations: Mapping[str, tuple[Contamination, ...]]
    seeds: int
    rows: Mapping[str, int]
    training: Mapping[str, Any]

    @property
    def arms(self) -> Mapping[str, Arm]:
        """All arms by name, the primary ones first."""
        return {**self.architectures, **self.further}

    def schedule(self, arm: str) -> Schedule:
        """The training schedule of one arm: the study's, with the arm's own keys."""
        return Schedule(**{**self.training, **self.arms[arm].training})

    def role(self, dataset: str) -> str:
        """`control` for a planted design, else `study`."""
        return "control" if dataset in self.controls.datasets else "study"

    @property
    def all_datasets(self) -> tuple[str, ...]:
        """Names of the study's datasets and of its controls, sorted."""
        return tuple(sorted({*self.datasets, *self.controls.datasets}))


@dataclass(frozen=True)
class Config:
    """A checked configuration: one study, and the tables that its names refer to (as their YAML gives them).

    - file: the study's, as it is shown to a user.
    - documents: what was read, by table and `study`, for faults with a line.
    """

    root: Path
    file: str
    study: Study
    datasets: Mapping[str, Mapping[str, Any]] = field(repr=False)
    architectures: Mapping[str, Mapping[str, Any]] = field(repr=False)
    contaminations: Mapping[str, Mapping[str, Any]] = field(repr=False)
    documents: Mapping[str, Document] = field(default_factory=dict, repr=False, compare=False)

    def task(self, dataset: str) -> str:
        """`classification` or `regression`."""
        return str(self.datasets[dataset]["task"])
