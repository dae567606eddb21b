"""One file of config/studies/: checked against the tables that it names, and read into a `Study`."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from l2audit.config.faults import Fault, Key, key_text
from l2audit.config.reader import Document
from l2audit.config.study import CLEAN_SCALING, PRIMARY_LOSS, TASKS, Arm, Contamination, Controls, Study
from l2audit.models.penalties import OUTPUT, read_penalty
from l2audit.registry import nearest

Table = Mapping[str, Mapping[str, Any]]
"""Name -> entry. An entry with faults is empty: its name is known, and nothing else is asked of it."""
OF_ARMS = ("datasets", "architectures", "contaminations", "controls", "arms", "seeds", "penalty", "optimizer")
"""Keys of a study that decide whether its arms can stand."""
ON_IMAGES = ("conv", "avgpool", "maxpool")
"""Layers that take images, by the first word of their text."""
MOST_BETAS = 1000
"""Values that one range of betas may stand for: each is a model for every dataset, level, loss and seed."""


def study_of(data: Mapping[str, Any]) -> Study:
    """The study in YAML values without faults of form; every list is sorted."""
    controls = data.get("controls")
    return Study(
        name=data["name"],
        title=data["title"],
        verdicts=data["verdicts"],
        datasets=tuple(sorted(data["datasets"])),
        controls=Controls(*(tuple(sorted(controls[key])) for key in ("datasets", "architectures", "contaminations")))
        if controls
        else Controls(),
        architectures={
            name: _arm(data, name, {"architecture": name, **entry})
            for name, entry in sorted(data["architectures"].items())
        },
        further={name: _arm(data, name, entry) for name, entry in sorted(data.get("arms", {}).items())},
        contaminations={
            task: tuple(sorted(map(_level, entries))) for task, entries in sorted(data["contaminations"].items())
        },
        seeds=data["seeds"],
        rows=dict(data["rows"]),
        training=_training(data["training"]),
    )


def _arm(data: Mapping[str, Any], name: str, entry: Mapping[str, Any]) -> Arm:
    """One arm; what its entry leaves out is the study's."""
    return Arm(
        name=name,
        architecture=entry["architecture"],
        penalty=_penalty(entry.get("penalty", data["penalty"])),
        optimizer=entry.get("optimizer", data["optimizer"]),
        scaling=entry.get("scaling", CLEAN_SCALING),
        betas=betas_of(entry["betas"]),
        losses={task: tuple(sorted(losses)) for task, losses in sorted(entry["losses"].items())},
        datasets=tuple(sorted(entry["datasets"])) if "datasets" in entry else None,
        levels=tuple(sorted(entry["contaminations"])) if "contaminations" in entry else None,
        training=_training(entry.get("training", {})),
        seeds=entry.get("seeds"),
    )


def _penalty(text: str) -> str:
    """The one text, for the ids of runs, of all penalties equal to `text`; a text that is none, as it stands."""
    try:
        penalty = read_penalty(text)
    except ValueError:
        return " ".join(text.split())
    if penalty.word in ("none", "placebo"):  # reach no parameter, whatever is left out
        return penalty.word
    numbers = sorted({int(one) for one in penalty.left_out if one != OUTPUT})
    left_out = " ".join([*map(str, numbers), *([OUTPUT] if OUTPUT in penalty.left_out else [])])
    return penalty.word + (f" except {left_out}" if left_out else "") + (" with biases" if penalty.biases else "")


def _training(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a schedule, with a learning rate of 1 read as 1.0: it enters the ids of runs."""
    return {key: float(value) if key == "learning_rate" else value for key, value in entry.items()}


def _level(entry: Mapping[str, Any]) -> Contamination:
    return Contamination(entry["kind"], float(entry["rate"]), float(entry.get("magnitude", 0.0)))


def betas_of(entries: Iterable[float | Mapping[str, float]]) -> tuple[float, ...]:
    """All betas of a list of numbers and ranges without faults, ascending, each once.

    A range {from, to, per_decade} stands for a series of n values to a decade: 10^(k / n) for whole k, rounded to three
    significant digits. These are the calculated values of preferred numbers (ISO 3) and hold every power of ten.
    """
    found: set[float] = set()
    for entry in entries:
        if isinstance(entry, Mapping):
            found |= {_value(step, int(entry["per_decade"])) for step in steps_of(entry)}
        else:
            found.add(float(entry))
    return tuple(sorted(found))


def nearest_value(number: float, per_decade: int) -> float:
    """The value of the series that is nearest to `number` > 0 on a logarithmic scale."""
    return _value(round(per_decade * math.log10(number)), per_decade)


def steps_of(entry: Mapping[str, float]) -> range:
    """The whole k of the values 10^(k / n) that a range stands for."""
    first, last = (round(entry["per_decade"] * math.log10(entry[end])) for end in ("from", "to"))
    return range(first, last + 1)


def _value(step: int, per_decade: int) -> float:
    return float(f"{10 ** (step / per_decade):.3g}")


def study_faults(
    document: Document, datasets: Table, architectures: Table, kinds: Table, unusable: Collection[str] = ()
) -> list[Fault]:
    """Faults of a study against the tables that it names, by the checks that need none of its `unusable` keys."""
    checks = _Checks(document, datasets, architectures, kinds)
    for check, needed in (
        (checks.name, ("name",)),
        (checks.named_datasets, ("datasets",)),
        (checks.levels, ("datasets", "contaminations", "rows")),
        (checks.arms, OF_ARMS),
        (checks.controls, ("datasets", "architectures", "contaminations", "controls")),
    ):
        if not set(needed) & set(unusable):
            check()
    return checks.faults


class _Checks:
    """A study, the tables that it refers to, and the faults found so far."""

    def __init__(self, document: Document, datasets: Table, architectures: Table, kinds: Table) -> None:
        self.document, self.data = document, document.data
        self.datasets, self.architectures, self.kinds = datasets, architectures, kinds
        self.faults: list[Fault] = []

    def fault(self, key: Key, problem: str, fix: str) -> None:
        self.faults.append(self.document.fault(key, problem, fix))

    def unknown(self, key: Key, names: Iterable[str], known: Iterable[str], what: str) -> None:
        self.faults += self.document.unknown(key, names, known, what)

    def tasks(self, names: Iterable[str]) -> set[str]:
        return {self.datasets[name]["task"] for name in names if self.datasets.get(name)}

    def level_names(self, tasks: Iterable[str] = TASKS) -> set[str]:
        return {_level(entry).level for task in tasks for entry in self.data["contaminations"].get(task, [])}

    def name(self) -> None:
        name, stem = self.data["name"], Path(self.document.file).stem
        if name != stem:
            fix = f"write `name: {stem}`, or rename the file to {name}.yaml (results are kept under this name)"
            self.fault(("name",), f"'{name}' is not the name of its file", fix)

    def named_datasets(self) -> None:
        self.unknown(("datasets",), self.data["datasets"], self.datasets, "dataset")
        for index, name in enumerate(self.data["datasets"]):
            if self.datasets.get(name, {}).get("role") == "control":
                fix = "list it under `controls`: its right verdict is known, so it is not evidence"
                self.fault(("datasets", index), f"'{name}' is a planted design", fix)

    def levels(self) -> None:
        for task, entries in self.data["contaminations"].items():
            seen: set[str] = set()
            for index, entry in enumerate(entries):
                at: Key = ("contaminations", task, index)
                if self.kinds.get(entry["kind"]) != {}:
                    self.level(at, task, entry)
                level = _level(entry).level
                if level in seen:  # by its name, which is what everything else knows it by
                    self.fault(at, f"the level {level} is listed twice", "remove one of the two")
                seen.add(level)
        for task in TASKS:
            if task in self.tasks(self.data["datasets"]) and task not in self.data["contaminations"]:
                fix = f"add `{task}:` with at least one level"
                self.fault(("contaminations",), f"no level for {task}, which the study has datasets of", fix)

    def level(self, at: Key, task: str, entry: Mapping[str, Any]) -> None:
        """Whether the kind is known and fits the task, and the magnitude and the rate fit the kind."""
        name, rate, rows = entry["kind"], entry["rate"], self.data["rows"]
        if name not in self.kinds:
            return self.fault((*at, "kind"), f"unknown contamination kind '{name}'", nearest(name, self.kinds))
        kind = self.kinds[name]
        if task not in kind["tasks"]:
            fits = sorted(one for one, other in self.kinds.items() if other and task in other["tasks"])
            fix = f"use one of {', '.join(fits)}, or move it under {kind['tasks'][0]}"
            self.fault((*at, "kind"), f"'{name}' does not fit {task}", fix)
        if "magnitude" in kind and "magnitude" not in entry:
            fix = f"add `magnitude: {kind['levels'][0]['magnitude']:g}` (unit: {kind['magnitude']})"
            self.fault(at, f"'{name}' needs a magnitude", fix)
        if "magnitude" not in kind and "magnitude" in entry:
            self.fault((*at, "magnitude"), f"'{name}' has no magnitude", "remove this key")
        if kind["rate"] == "all rows" and rate != 1:
            self.fault((*at, "rate"), f"'{name}' hits every row, and {rate:g} is not all of them", "write 1")
        if kind["rate"] != "all rows" and rate == 1:
            self.fault((*at, "rate"), f"{rate} is out of range", "write a value below 1")
        fewest, part = min((rows[part], part) for part in ("train", "validation"))
        if kind["rate"] == "rows" and round(rate * fewest) == 0:
            fix = f"write a value above {0.5 / fewest:g}, or raise `rows.{part}`"
            named = "training" if part == "train" else part
            self.fault((*at, "rate"), f"{rate:g} of at most {fewest} {named} rows hits no row", fix)

    def arms(self) -> None:
        """Each arm, and that no two train one run: all have level clean and beta 0, and `training` names no run."""
        primary, further = self.data["architectures"], self.data.get("arms", {})
        seen: dict[tuple[str, ...], Key] = {}
        for at, architecture, entry in [
            *((("architectures", name), entry.get("architecture", name), entry) for name, entry in primary.items()),
            *((("arms", name), entry["architecture"], entry) for name, entry in further.items()),
        ]:
            if architecture in self.architectures:
                self.arm(at, architecture, entry)
            else:
                place = (*at, "architecture") if "architecture" in entry else at
                fix = nearest(architecture, self.architectures)
                self.fault(place, f"unknown architecture '{architecture}'", fix)
            linear = not self.architectures.get(architecture, {}).get("layers", ["unknown"])
            axes = (
                architecture,
                _penalty(entry.get("penalty", self.data["penalty"])),
                "" if linear else entry.get("optimizer", self.data["optimizer"]),
                entry.get("scaling", CLEAN_SCALING),
            )
            runs = {
                (*axes, dataset, loss)
                for dataset in entry.get("datasets", self.data["datasets"])
                if self.datasets.get(dataset)
                for loss in entry["losses"].get(self.datasets[dataset]["task"], [])
            }
            if twice := sorted(runs & seen.keys()):
                problem = f"trains the same models as {key_text(seen[twice[0]])} on {twice[0][-2]}"
                fix = "give it another penalty, optimizer, scaling or architecture, or other datasets, or remove it"
                self.fault(at, problem, fix)
            seen = {**dict.fromkeys(runs, at), **seen}
        for name in further.keys() & primary.keys():
            problem = "is the name of a primary arm"
            self.fault(("arms", name), problem, f"rename it, for example to {name}-2")

    def arm(self, at: Key, architecture: str, entry: Mapping[str, Any]) -> None:
        """What an arm takes of the study's betas, datasets, levels, losses and seeds."""
        if 0 not in entry["betas"]:
            fix = "add 0 to the list: every effect is measured against the model without a penalty"
            self.fault((*at, "betas"), "does not contain 0", fix)
        for index, beta in enumerate(entry["betas"]):
            if isinstance(beta, Mapping):
                self.range_of_betas((*at, "betas", index), beta)
        chosen = entry.get("datasets", self.data["datasets"])
        self.unknown((*at, "datasets"), entry.get("datasets", ()), self.data["datasets"], "dataset of this study")
        known = self.level_names()
        self.unknown((*at, "contaminations"), entry.get("contaminations", ()), known, "level of this study")
        if entry.get("seeds", 0) > (seeds := self.data["seeds"]):
            fix = f"write at most {seeds}, or raise the study's `seeds`"
            self.fault((*at, "seeds"), f"{entry['seeds']} are more than the study has", fix)
        controls = self.data.get("controls", {})
        if at[0] == "architectures" and at[1] in controls.get("architectures", ()):
            chosen = [*chosen, *controls["datasets"]]
        for task in sorted(self.tasks(chosen) - entry["losses"].keys()):
            fix = f"add `{task}: [{PRIMARY_LOSS[task]}]`"
            self.fault((*at, "losses"), f"no loss for {task}, which its datasets include", fix)
        layers = self.architectures[architecture].get("layers")
        if layers == []:
            for key in {"optimizer", "training"} & entry.keys():
                self.fault((*at, key), "linear models are solved exactly, without steps", "remove this key")
        flat = sorted(name for name in chosen if self.datasets.get(name) and not self.datasets[name].get("image"))
        if flat and any(str(layer).startswith(ON_IMAGES) for layer in layers or ()):
            images = [name for name in self.data["datasets"] if self.datasets.get(name, {}).get("image")]
            fix = f"add `datasets: [{', '.join(images)}]` here" if images else "remove it: this study has no image data"
            self.fault(at, f"convolutions need images, and {', '.join(flat)} has none", fix)

    def range_of_betas(self, at: Key, entry: Mapping[str, float]) -> None:
        """Whether a range of betas has ends on its series, the smaller first, and few enough values."""
        per_decade = int(entry["per_decade"])
        for end in ("from", "to"):
            if entry[end] != (closest := nearest_value(entry[end], per_decade)):
                problem = f"{_digits(entry[end])} is not on the scale from 1 with {per_decade} values to each tenfold"
                self.fault((*at, end), problem, f"write {_digits(closest)}, the nearest on it")
        if entry["from"] >= entry["to"]:
            problem = f"{_digits(entry['from'])} is not below `to`, {_digits(entry['to'])}"
            self.fault((*at, "from"), problem, "give the smaller one first, or one number in place of the range")
        elif (count := len(steps_of(entry))) > MOST_BETAS:
            fix = f"write a smaller one, or bring `from` and `to` closer, so that there are at most {MOST_BETAS}"
            self.fault((*at, "per_decade"), f"the range stands for {count} betas", fix)

    def controls(self) -> None:
        controls = self.data.get("controls")
        if controls is None:
            return
        for key, known, what in (
            ("datasets", self.datasets, "dataset"),
            ("architectures", self.data["architectures"], "architecture of this study"),
            ("contaminations", self.level_names(self.tasks(controls["datasets"])), "level of the controls' task"),
        ):
            self.unknown(("controls", key), controls[key], known, what)
        for index, name in enumerate(controls["datasets"]):
            if self.datasets.get(name) and self.datasets[name].get("role") != "control":
                fix = "list it under the study's `datasets`, or give it `role: control` in config/datasets.yaml"
                self.fault(("controls", "datasets", index), f"'{name}' is not a planted design", fix)


def _digits(number: float) -> str:
    """A number as a study can hold it: without an exponent, which YAML might read as text."""
    return format(Decimal(repr(float(number))).normalize(), "f")
