"""Everything that can be known to fail before anything is trained, and that no schema knows.

Whether a source exists, a layer's text is a layer, layers fit each other and the images, a penalty is one, whether the
engine that an arm needs can do what it asks for, and whether a dataset has rows enough. No TensorFlow and no pandas:
every job of the workflow asks, and it is told in a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from l2audit.config.faults import ConfigError, Fault, Key, key_of, nearest
from l2audit.config.reader import Document
from l2audit.config.study import CLASSIFICATION, Arm, Config
from l2audit.data.entries import Entry, entry_faults, local_file, read_entry
from l2audit.data.sources import loader_of, recipe_of
from l2audit.data.split import Sizes, sizes_for
from l2audit.errors import UserError
from l2audit.facts.fact import CLAIMS
from l2audit.linear.fit import supports
from l2audit.models.architectures import Architecture
from l2audit.models.penalties import Penalty, read_penalty
from l2audit.plan import network_of
from l2audit.registry import UnknownName

EXAMPLES = "write for example `l2`, `l2 except output`, `l2 with biases`, `l1` or `decay` (docs/workflow.md)"
SOURCES: Mapping[str, Callable[[Entry], object]] = {
    "bundled": loader_of,
    "synthetic": recipe_of,
    "file": local_file,
}
"""Kind of source -> what finds the source of an entry, where that takes no network; UserError: it is not there."""


def verify(config: Config) -> None:
    """Nothing, if every run of the study can be trained. ConfigError: everything that stands in the way."""
    if faults := training_faults(config):
        raise ConfigError(faults)


def training_faults(config: Config) -> list[Fault]:
    """Why runs of a study cannot be trained.

    The configuration may be a draft: what its own faults say already is left out.
    """
    datasets = [name for name in config.study.all_datasets if config.datasets.get(name)]
    architectures = {arm.architecture for arm in config.study.arms.values()} & config.architectures.keys()
    return [
        *source_faults(config.documents["datasets"], datasets),
        *layer_faults(config.documents["architectures"], architectures),
        *(fault for arm in config.study.arms.values() for fault in _arm_faults(config, arm)),
        *_row_faults(config, datasets),
    ]


def source_faults(document: Document, names: Iterable[str]) -> Iterator[Fault]:
    """What is wrong with the entries `names` of the table of datasets, and sources that are not there."""
    for name in names:
        declared = document.data[name]
        found = list(entry_faults(name, declared))
        if not found:
            entry = read_entry(name, declared)
            try:
                if entry.kind in SOURCES:
                    SOURCES[entry.kind](entry)
            except UserError as error:
                found = [error]
        yield from (_fault(document, key_of(error.key or name), error) for error in found)
        shared = declared.get("shares_table_with", ())
        for index, other in enumerate(shared):
            if other not in document.data:
                at = (name, "shares_table_with", index)
                yield document.fault(at, f"unknown dataset '{other}'", nearest(other, document.data))


def layer_faults(document: Document, names: Iterable[str]) -> Iterator[Fault]:
    """Texts that are no layers in the entries `names` of the table of architectures."""
    for name in sorted(names):
        for index, text in enumerate(document.data[name].get("layers", ())):
            try:
                Architecture(name, [text])
            except UserError as error:
                yield _fault(document, (name, "layers", index), error)


def check_faults(document: Document) -> Iterator[Fault]:
    """Exact checks that claims of a registration name and that nothing computes for that claim."""
    known = {name: claim for claim, names in CLAIMS.items() for name in names}
    for index, claim in enumerate(document.data["claims"]):
        for number, part in enumerate(claim["parts"]):
            for place, name in enumerate(part.get("checks", ())):
                key = ("claims", index, "parts", number, "checks", place)
                own = known.get(name)
                if own is None:
                    yield document.fault(key, f"unknown check '{name}'", nearest(name, known))
                elif own != claim["id"]:
                    fix = f"checks of claim {claim['id']} are: {', '.join(CLAIMS.get(claim['id'], ())) or 'none'}"
                    yield document.fault(key, f"'{name}' is a check of claim {own}", fix)


def _fault(document: Document, key: Key, error: UserError) -> Fault:
    return document.fault(key, error.problem, error.fix)


def _arm_faults(config: Config, arm: Arm) -> Iterator[Fault]:
    """A penalty that is none, and what the engine of the arm cannot do with it on one of its datasets."""
    study = config.documents["study"]
    own = ("arms", arm.name, "penalty")
    key = own if own in study.lines else ("penalty",)
    try:
        penalty = read_penalty(arm.penalty)
    except ValueError as error:
        yield study.fault(key, str(error), EXAMPLES)
        return
    for dataset in _datasets_of(config, arm):
        try:
            _fits(config, arm, dataset, penalty)
        except UserError as error:
            yield _fault(config.documents["architectures"], (arm.architecture, "layers"), error)
        except (ValueError, UnknownName) as error:
            yield study.fault(key, str(error), EXAMPLES)


def _datasets_of(config: Config, arm: Arm) -> list[str]:
    """Datasets that an arm is trained on, those with faults of their own left out."""
    study = config.study
    own = study.datasets if arm.datasets is None else arm.datasets
    controls = study.controls.datasets if arm.name in study.controls.architectures else ()
    return [name for name in (*own, *controls) if config.datasets.get(name)]


def _fits(config: Config, arm: Arm, dataset: str, penalty: Penalty) -> None:
    """ValueError, UnknownName: the engine cannot have the penalty; UserError: layers that do not fit each other."""
    layers = config.architectures.get(arm.architecture, {}).get("layers")
    if layers is None:
        return
    try:
        architecture = Architecture(arm.architecture, layers)
    except UserError:  # told by `layer_faults`
        return
    if not layers:  # the output layer alone: solved exactly
        for loss in arm.losses.get(config.task(dataset), ()):
            supports(loss, penalty)
    elif config.datasets[dataset].get("image") or not architecture.takes_images:  # else told by `config.checks`
        penalty.covers(len(network_of(config, arm, dataset).kernels))


def _row_faults(config: Config, datasets: Iterable[str]) -> Iterator[Fault]:
    """Parts of a dataset with fewer rows than classes, and levels that hit none of its rows."""
    study = config.documents["study"]
    caps = Sizes(**config.study.rows)
    for name in datasets:
        entry = config.datasets[name]
        told = {**entry.get("parameters", {}), **entry.get("facts", {})}
        try:
            sizes = sizes_for(int(told["rows"]), caps) if "rows" in told else caps
        except UserError as error:
            yield _fault(config.documents["datasets"], (name,), error)
            continue
        classes = len(told.get("class_counts", ())) or told.get("classes", 0)
        for part, size in vars(sizes).items():
            if entry["task"] == CLASSIFICATION and size < classes:
                problem = f"the {size} {part} rows of {name} cannot hold its {classes} classes"
                yield study.fault(("rows", part), problem, "allow more rows, or take another dataset")
        yield from _missed(config, name, told, min(sizes.train, sizes.validation))


def _missed(config: Config, dataset: str, told: Mapping[str, Any], rows: int) -> Iterator[Fault]:
    """Levels that hit nothing in the smaller one of the two parts of a dataset that are contaminated."""
    entries = config.documents["study"].data["contaminations"].get(config.task(dataset), ())
    for index, level in enumerate(entries):
        kind = config.contaminations.get(level["kind"])
        if not kind:
            continue
        units = rows * told.get("columns", 1) if kind["rate"] == "cells" else rows
        known = kind["rate"] == "rows" or (kind["rate"] == "cells" and "columns" in told)
        if known and round(level["rate"] * units) == 0:
            problem = f"{level['rate']:g} of {units} {kind['rate']} of {dataset} is none"
            fix = f"write a value above {0.5 / units:.2g}, or use a dataset with more rows"
            yield config.documents["study"].fault(("contaminations", config.task(dataset), index, "rate"), problem, fix)
