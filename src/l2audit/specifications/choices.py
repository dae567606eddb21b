"""The choices that others could have made otherwise (`config/specifications.yaml`), and how each is carried out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from l2audit.config.faults import Fault, Key
from l2audit.config.reader import Document
from l2audit.config.schema import checked
from l2audit.contamination import CLEAN
from l2audit.effects.grid import Grid, least_clean_risk
from l2audit.registry import Registry
from l2audit.seeds import canonical

AXES = ("metric", "margin", "beta", "convergence", "floor", "delta", "clip", "scaling")
"""Every axis, in the order in which a specification lists its choices."""

UNLIMITED = "none"
"""`times` of a margin that lets every beta in, and of a clip that cuts no score."""

Rule = Callable[[Grid, str], NDArray[np.int64]]
RULES: Registry[Rule] = Registry("rule for beta")
"""Rules by which beta is chosen: (grid, level) -> index of the beta of each seed, (S,)."""

RULES.add("least clean risk", least_clean_risk)
RULES.add("least clean risk, ties to the smallest", lambda grid, level: grid.best(CLEAN, smallest=True))
# On validation rows contaminated like the training rows.
RULES.add("least contaminated risk", lambda grid, level: grid.best(level, "validation_risk_contaminated"))


@RULES.register("largest in the band")
def largest_in_band(grid: Grid, level: str) -> NDArray[np.int64]:
    """The largest beta of the judged band; where that is empty, the registered choice."""
    largest = len(grid.betas) - 1 - grid.band[::-1].argmax(axis=0)
    return np.where(grid.band.any(axis=0), largest, least_clean_risk(grid, level))


@dataclass(frozen=True)
class Choice:
    """One way to go on an axis: its name, the reason for it, and what else its entry says."""

    name: str
    reason: str
    says: Mapping[str, Any]

    @property
    def times(self) -> float:
        """The factor that the choice puts on a registered number; infinity where it sets no limit."""
        return math.inf if self.says["times"] == UNLIMITED else float(self.says["times"])


class Reading(NamedTuple):
    """A choice on each axis that decides how runs become effects."""

    metric: Choice
    margin: Choice
    beta: Choice
    convergence: Choice
    floor: Choice


@dataclass(frozen=True)
class Choices:
    """Every axis with its choices, the registered one first; `sha256` is that of the file that they were read from."""

    axes: Mapping[str, tuple[Choice, ...]]
    note: str
    sha256: str

    def __getitem__(self, axis: str) -> tuple[Choice, ...]:
        """The choices of an axis."""
        return self.axes[axis]

    def readings(self, *, floors: bool = False) -> list[Reading]:
        """Every reading of the runs, the registered one first; floors: also those with another floor.

        The largest beta of a band without a margin is the largest beta that was trained: nobody would choose that.
        """
        axes = (self["metric"], self["margin"], self["beta"], self["convergence"])
        return [
            reading
            for reading in itertools.starmap(Reading, itertools.product(*axes, self["floor"][: None if floors else 1]))
            if not (math.isinf(reading.margin.times) and RULES[reading.beta.says["rule"]] is largest_in_band)
        ]


def load(source: str | Path | Document, *checks: Callable[[Document], Iterable[Fault]]) -> Choices:
    """Read and check the choices; see `checked` for their SHA-256.

    checks: find more faults in a document that fits the schema. ConfigError: lists every fault with its line.
    """
    data, sha256 = checked(source, "specifications", choice_faults, *checks)
    axes = {
        axis: tuple(Choice(entry["name"], " ".join(entry["reason"].split()), _says(entry)) for entry in data[axis])
        for axis in AXES
    }
    return Choices(axes, data.get("note", ""), sha256)


def _says(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in ("name", "reason")}


REGISTERED: Mapping[str, Mapping[str, Any]] = {
    "metric": {
        "column": {"classification": "test_risk", "regression": "test_risk"},
        "worth": {"classification": 1, "regression": 1},
    },
    "margin": {"times": "none"},
    "beta": {"rule": "least clean risk"},
    "convergence": {"certified": False},
    "floor": {"times": 1},
    "delta": {"times": 1},
    "clip": {"times": 1},
    "scaling": {},
}
"""What the first choice of each axis must say: what the registration does."""


def choice_faults(document: Document) -> Iterator[Fault]:
    """What the schema cannot say: names given once, the registered choice first, an arm together with its place."""
    for axis in AXES:
        entries = document.data[axis]
        yield from document.repeated((axis,), entries, "name", "is there twice")
        if _says(entries[0]) != REGISTERED[axis]:
            fix = f"put the one with {canonical(REGISTERED[axis])} first"
            yield document.fault((axis, 0), "the first choice is not the registered one", fix)
    for index, entry in enumerate(document.data["scaling"]):
        if ("arm" in entry) != ("of" in entry):
            missing = "of" if "arm" in entry else "arm"
            fix = f"add `{missing}:`; an arm of the study takes the place of the arm `of`"
            yield document.fault(("scaling", index), f"this key is missing: {missing}", fix)


def arms_named(document: Document) -> Iterator[tuple[Key, str]]:
    """Every arm that the choices name, and where."""
    for index, entry in enumerate(document.data["scaling"]):
        yield from ((("scaling", index, key), entry[key]) for key in ("arm", "of") if key in entry)
