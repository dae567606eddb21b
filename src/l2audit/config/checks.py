"""What a schema cannot say: names that refer to other files, and values that must fit together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from l2audit.config.betas import MOST, length_of, nearest_value
from l2audit.config.faults import Fault, Key, key_text, nearest
from l2audit.config.reader import Document
from l2audit.config.study import CLEAN_SCALING, PRIMARY_LOSS, TASKS, Contamination

Table = Mapping[str, Mapping[str, Any]]
"""Name -> entry. An entry with faults of its own is empty: its name is known, and nothing else of it is asked for."""
OF_ARMS = ("datasets", "architectures", "contaminations", "controls", "arms", "seeds", "penalty", "optimizer")
"""Keys of a study that decide whether its arms can stand."""
ON_IMAGES = ("conv", "avgpool", "maxpool")
"""Layers that take images, by the first word of their text."""


def study_faults(
    document: Document, datasets: Table, architectures: Table, kinds: Table, unusable: Collection[str] = ()
) -> list[Fault]:
    """Faults of a study against the tables that it refers to.

    unusable: its keys that do not fit its schema; what needs one of them is not asked.
    """
    steps: tuple[tuple[Callable[[], Iterator[Fault]], tuple[str, ...]], ...] = (
        (lambda: _name_faults(document), ("name",)),
        (lambda: _dataset_faults(document, datasets), ("datasets",)),
        (lambda: _contamination_faults(document, datasets, kinds), ("datasets", "contaminations", "rows")),
        (lambda: _arm_faults(document, datasets, architectures), OF_ARMS),
        (lambda: _control_faults(document, datasets), ("datasets", "architectures", "contaminations", "controls")),
    )
    return [fault for step, needed in steps if not set(needed) & set(unusable) for fault in step()]


def claims_faults(document: Document, datasets: Table | None, kinds: Table | None) -> list[Fault]:
    """Datasets, strata and kinds that claims name and that no table has; a table that is None cannot be asked."""
    faults: list[Fault] = []
    for index, claim in enumerate(document.data["claims"]):
        at = ("claims", index)
        if kinds is not None:
            faults += _kinds_of_claim(document, at, claim, kinds)
        if datasets is not None:
            faults += _datasets_of_claim(document, at, claim, datasets)
    return faults


def _kinds_of_claim(document: Document, at: Key, claim: Mapping[str, Any], kinds: Table) -> Iterator[Fault]:
    strata: set[str] = set()
    for kind in filter(None, kinds.values()):
        split = kind["stratum"] == "leverage"
        strata |= {"leverage-collinear", "leverage-other"} if split else {kind["stratum"]}
    if all(kinds.values()):
        yield from _unknown(document, (*at, "strata"), claim.get("strata", []), strata, "stratum")
    for number, part in enumerate(claim["parts"]):
        named = part.get("parameters", {}).get("kinds", [])
        key = (*at, "parts", number, "parameters", "kinds")
        yield from _unknown(document, key, named, kinds, "contamination kind")


def _datasets_of_claim(document: Document, at: Key, claim: Mapping[str, Any], datasets: Table) -> Iterator[Fault]:
    named, role = claim.get("datasets", []), claim.get("role", "study")
    yield from _unknown(document, (*at, "datasets"), named, datasets, "dataset")
    for index, name in enumerate(named):
        if datasets.get(name) and (other := datasets[name].get("role", "study")) != role:
            problem = f"'{name}' has the role {other}, and the claim is about datasets of the role {role}"
            yield document.fault((*at, "datasets", index), problem, f"remove it, or write `role: {other}`")


def arms_of_claims(document: Document) -> Iterator[tuple[Key, str]]:
    """Every arm that a registration names, and where."""
    for index, claim in enumerate(document.data["claims"]):
        for number, name in enumerate(claim.get("architectures", [])):
            yield ("claims", index, "architectures", number), name
        for number, part in enumerate(claim["parts"]):
            if name := part.get("parameters", {}).get("against"):
                yield ("claims", index, "parts", number, "parameters", "against"), name


def arms_of_choices(document: Document) -> Iterator[tuple[Key, str]]:
    """Every arm that config/specifications.yaml names, and where."""
    for index, entry in enumerate(document.data["scaling"]):
        yield from ((("scaling", index, key), entry[key]) for key in ("arm", "of") if key in entry)


def unknown_arms(document: Document, named: Iterable[tuple[Key, str]], known: Collection[str]) -> Iterator[Fault]:
    """Arms that no study has and that are no architecture, which would be an arm of that name if a study listed it."""
    for key, name in named:
        if name not in known:
            problem = f"unknown arm '{name}': it is no architecture, and no study has an arm of that name"
            yield document.fault(key, problem, nearest(name, known))


def _unknown(document: Document, key: Key, names: Iterable[str], known: Iterable[str], what: str) -> list[Fault]:
    allowed = set(known)
    return [
        document.fault((*key, index), f"unknown {what} '{name}'", nearest(name, allowed))
        for index, name in enumerate(names)
        if name not in allowed
    ]


def _name_faults(document: Document) -> Iterator[Fault]:
    name, stem = document.data["name"], Path(document.file).stem
    if name != stem:
        fix = f"write `name: {stem}`, or rename the file to {name}.yaml (results are kept under this name)"
        yield document.fault(("name",), f"'{name}' is not the name of its file", fix)


def _dataset_faults(document: Document, datasets: Table) -> Iterator[Fault]:
    yield from _unknown(document, ("datasets",), document.data["datasets"], datasets, "dataset")
    for index, name in enumerate(document.data["datasets"]):
        if datasets.get(name, {}).get("role") == "control":
            fix = "list it under `controls`: its right verdict is known, so it is not evidence"
            yield document.fault(("datasets", index), f"'{name}' is a planted design", fix)


def _tasks(document: Document, datasets: Table, names: Iterable[str] | None = None) -> set[str]:
    chosen = document.data["datasets"] if names is None else names
    return {datasets[name]["task"] for name in chosen if datasets.get(name)}


def _contamination_faults(document: Document, datasets: Table, kinds: Table) -> Iterator[Fault]:
    for task, entries in document.data["contaminations"].items():
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            at = ("contaminations", task, index)
            yield from _kind_faults(document, at, task, entry, kinds)
            level = _level(entry).level
            if level in seen:  # by its name, which is what everything else knows it by
                yield document.fault(at, f"the level {level} is listed twice", "remove one of the two")
            seen.add(level)
    for task in TASKS:
        if task in _tasks(document, datasets) and task not in document.data["contaminations"]:
            fix = f"add `{task}:` with at least one level"
            yield document.fault(("contaminations",), f"no level for {task}, which the study has datasets of", fix)


def _kind_faults(document: Document, at: Key, task: str, entry: Mapping[str, Any], kinds: Table) -> Iterator[Fault]:
    name = entry["kind"]
    if name not in kinds:
        yield document.fault((*at, "kind"), f"unknown contamination kind '{name}'", nearest(name, kinds))
        return
    if not kinds[name]:
        return
    if task not in kinds[name]["tasks"]:
        fits = [one for one, kind in kinds.items() if kind and task in kind["tasks"]]
        fix = f"use one of {', '.join(sorted(fits))}, or move it under {kinds[name]['tasks'][0]}"
        yield document.fault((*at, "kind"), f"'{name}' does not fit {task}", fix)
    yield from _magnitude_faults(document, at, entry, kinds[name])
    yield from _rate_faults(document, at, entry, kinds[name])


def _magnitude_faults(
    document: Document, at: Key, entry: Mapping[str, Any], kind: Mapping[str, Any]
) -> Iterator[Fault]:
    if "magnitude" in kind and "magnitude" not in entry:
        fix = f"add `magnitude: {kind['levels'][0]['magnitude']:g}` (unit: {kind['magnitude']})"
        yield document.fault(at, f"'{entry['kind']}' needs a magnitude", fix)
    if "magnitude" not in kind and "magnitude" in entry:
        yield document.fault((*at, "magnitude"), f"'{entry['kind']}' has no magnitude", "remove this key")


def _rate_faults(document: Document, at: Key, entry: Mapping[str, Any], kind: Mapping[str, Any]) -> Iterator[Fault]:
    name, rate, rows = entry["kind"], entry["rate"], document.data["rows"]
    if kind["rate"] == "all rows" and rate != 1:
        yield document.fault((*at, "rate"), f"'{name}' hits every row, and {rate:g} is not all of them", "write 1")
    if kind["rate"] != "all rows" and rate == 1:
        yield document.fault((*at, "rate"), f"{rate} is out of range", "write a value below 1")
    fewest, words = min((rows[part], part) for part in ("train", "validation"))
    if kind["rate"] == "rows" and round(rate * fewest) == 0:
        fix = f"write a value above {0.5 / fewest:g}, or raise `rows.{words}`"
        named = "training" if words == "train" else words
        yield document.fault((*at, "rate"), f"{rate:g} of at most {fewest} {named} rows hits no row", fix)


def _level(entry: Mapping[str, Any]) -> Contamination:
    return Contamination(entry["kind"], float(entry["rate"]), float(entry.get("magnitude", 0.0)))


def _level_names(document: Document, tasks: Iterable[str] = TASKS) -> set[str]:
    found = document.data["contaminations"]
    return {_level(entry).level for task in tasks for entry in found.get(task, [])}


def _arms(document: Document) -> Iterator[tuple[Key, str, Mapping[str, Any]]]:
    """Every arm: where it stands, its architecture and its entry, the primary ones first."""
    for name, entry in document.data["architectures"].items():
        yield ("architectures", name), name, entry
    for name, entry in document.data.get("arms", {}).items():
        yield ("arms", name), entry["architecture"], entry


def _arm_faults(document: Document, datasets: Table, architectures: Table) -> Iterator[Fault]:
    controls = document.data.get("controls", {})
    for at, architecture, entry in _arms(document):
        if architecture not in architectures:
            place = at if at[0] == "architectures" else (*at, "architecture")
            yield document.fault(place, f"unknown architecture '{architecture}'", nearest(architecture, architectures))
            continue
        yield from _choice_faults(document, at, entry)
        own = list(entry.get("datasets", document.data["datasets"]))
        if at == ("architectures", architecture) and architecture in controls.get("architectures", []):
            own += controls["datasets"]
        for task in sorted(_tasks(document, datasets, own)):
            if task not in entry["losses"]:
                problem = f"no loss for {task}, which its datasets include"
                yield document.fault((*at, "losses"), problem, f"add `{task}: [{PRIMARY_LOSS[task]}]`")
        if not architectures[architecture]:
            continue
        yield from _image_faults(document, at, architectures[architecture], own, datasets)
        if not architectures[architecture]["layers"]:
            yield from _exact_faults(document, at, entry)
    yield from _name_clashes(document)
    yield from _repeated_runs(document, datasets, architectures)


def _choice_faults(document: Document, at: Key, entry: Mapping[str, Any]) -> Iterator[Fault]:
    """What an arm takes of the study's betas, datasets, levels and seeds."""
    if 0 not in entry["betas"]:
        fix = "add 0 to the list: every effect is measured against the model without a penalty"
        yield document.fault((*at, "betas"), "does not contain 0", fix)
    for index, beta in enumerate(entry["betas"]):
        if isinstance(beta, Mapping):
            yield from _range_faults(document, (*at, "betas", index), beta)
    for key, known, what in (
        ("datasets", document.data["datasets"], "dataset"),
        ("contaminations", _level_names(document), "level"),
    ):
        yield from _unknown(document, (*at, key), entry.get(key, []), known, f"{what} of this study")
    seeds = document.data["seeds"]
    if entry.get("seeds", 0) > seeds:
        problem = f"{entry['seeds']} are more than the study has"
        yield document.fault((*at, "seeds"), problem, f"write at most {seeds}, or raise the study's `seeds`")


def _range_faults(document: Document, at: Key, entry: Mapping[str, float]) -> Iterator[Fault]:
    """What is wrong with a range of betas."""
    per_decade = int(entry["per_decade"])
    for end in ("from", "to"):
        if entry[end] != (nearest := nearest_value(entry[end], per_decade)):
            problem = f"{_digits(entry[end])} is not on the scale from 1 with {per_decade} values to each tenfold"
            yield document.fault((*at, end), problem, f"write {_digits(nearest)}, the nearest on it")
    if entry["from"] >= entry["to"]:
        problem = f"{_digits(entry['from'])} is not below `to`, {_digits(entry['to'])}"
        yield document.fault((*at, "from"), problem, "give the smaller one first, or one number in place of the range")
    elif (count := length_of(entry)) > MOST:
        fix = f"write a smaller one, or bring `from` and `to` closer, so that there are at most {MOST}"
        yield document.fault((*at, "per_decade"), f"the range stands for {count} betas", fix)


def _digits(number: float) -> str:
    """A number as a study can hold it: without an exponent, which YAML might read as text."""
    return format(Decimal(repr(float(number))).normalize(), "f")


def _exact_faults(document: Document, at: Key, entry: Mapping[str, Any]) -> Iterator[Fault]:
    for key in ("optimizer", "training"):
        if key in entry:
            yield document.fault((*at, key), "linear models are solved exactly, without steps", "remove this key")


def _name_clashes(document: Document) -> Iterator[Fault]:
    for name in document.data.get("arms", {}):
        if name in document.data["architectures"]:
            problem = "is the name of an architecture in use, which is an arm of that name"
            yield document.fault(("arms", name), problem, f"rename it, for example to {name}-2")


def _repeated_runs(document: Document, datasets: Table, architectures: Table) -> Iterator[Fault]:
    """Two arms must not train the same run: a run is named by its axes, and `training` is none of them.

    Level clean and beta 0 are in every arm, so arms with equal axes overlap wherever they share a dataset and a loss.
    """
    seen: dict[tuple[str, ...], Key] = {}
    for at, architecture, entry in _arms(document):
        linear = not architectures.get(architecture, {}).get("layers", ["unknown"])
        axes = (
            architecture,
            " ".join(entry.get("penalty", document.data["penalty"]).split()),
            "" if linear else entry.get("optimizer", document.data["optimizer"]),
            entry.get("scaling", CLEAN_SCALING),
        )
        runs = {
            (*axes, dataset, loss)
            for dataset in entry.get("datasets", document.data["datasets"])
            if datasets.get(dataset)
            for loss in entry["losses"].get(datasets[dataset]["task"], [])
        }
        if twice := sorted(runs & seen.keys()):
            problem = f"trains the same models as {key_text(seen[twice[0]])} on {twice[0][-2]}"
            fix = "give it another penalty, optimizer, scaling or architecture, or other datasets, or remove it"
            yield document.fault(at, problem, fix)
        seen = {**dict.fromkeys(runs, at), **seen}


def _image_faults(
    document: Document, at: Key, architecture: Mapping[str, Any], own: list[str], datasets: Table
) -> Iterator[Fault]:
    """Convolutions and pooling need an image."""
    if not any(str(layer).startswith(ON_IMAGES) for layer in architecture["layers"]):
        return
    flat = sorted(one for one in own if datasets.get(one) and not datasets[one].get("image"))
    if flat:
        images = [one for one in document.data["datasets"] if datasets.get(one, {}).get("image")]
        fix = f"add `datasets: [{', '.join(images)}]` here" if images else "remove it: this study has no image data"
        yield document.fault(at, f"convolutions need images, and {', '.join(flat)} has none", fix)


def _control_faults(document: Document, datasets: Table) -> Iterator[Fault]:
    controls = document.data.get("controls")
    if controls is None:
        return
    yield from _unknown(document, ("controls", "datasets"), controls["datasets"], datasets, "dataset")
    yield from _unknown(
        document,
        ("controls", "architectures"),
        controls["architectures"],
        document.data["architectures"],
        "architecture of this study",
    )
    levels = _level_names(document, _tasks(document, datasets, controls["datasets"]))
    yield from _unknown(
        document, ("controls", "contaminations"), controls["contaminations"], levels, "level of the controls' task"
    )
    for index, name in enumerate(controls["datasets"]):
        if datasets.get(name) and datasets[name].get("role") != "control":
            fix = "list it under the study's `datasets`, or give it `role: control` in config/datasets.yaml"
            yield document.fault(("controls", "datasets", index), f"'{name}' is not a planted design", fix)
