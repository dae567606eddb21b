"""Reading a whole configuration: every file strictly, every fault of every file at once, then typed values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l2audit.config.betas import betas_of
from l2audit.config.checks import claims_faults, study_faults
from l2audit.config.faults import ConfigError, Fault
from l2audit.config.reader import Document, read, shown
from l2audit.config.schema import schema_faults
from l2audit.config.study import CLEAN_SCALING, Arm, Config, Contamination, Controls, Study

TABLES = ("datasets", "architectures", "contaminations", "claims")


def study_path(root: Path, study: str) -> Path:
    """The file of a study: `study` is a name in config/studies/, or the path of a YAML file."""
    if study.endswith((".yaml", ".yml")) or "/" in study:
        return Path(study)
    path = root / "config" / "studies" / f"{study}.yaml"
    if not path.exists():
        known = ", ".join(studies(root)) or "none"
        fix = f"use one of {known}, or give the path of a YAML file: --config study=path/to/mine.yaml"
        raise ConfigError([Fault(shown(path), 0, "", f"there is no study '{study}'", fix)])
    return path


def studies(root: Path) -> list[str]:
    """Names of the studies that come with the project, sorted."""
    return sorted(path.stem for path in (root / "config" / "studies").glob("*.yaml"))


def load(root: Path, study: str, registration: Path | None = None) -> Config:
    """Read config/ under `root` and the study `study` (a name or a path). ConfigError: lists every fault found.

    registration: a file of claims in place of config/claims.yaml.
    """
    paths = {name: root / "config" / f"{name}.yaml" for name in TABLES}
    documents, faults = _read_all(paths if registration is None else {**paths, "claims": registration})
    try:
        document = read(study_path(root, study))
    except ConfigError as error:
        raise ConfigError([*faults, *error.faults]) from None
    own = schema_faults(document, "study")
    faults += own
    if not own and documents.keys() == set(TABLES):
        faults += study_faults(document, documents["datasets"].data, documents["architectures"].data, _kinds(documents))
    if faults:
        raise ConfigError(faults)
    tables = {name: documents[name].data for name in TABLES}
    return Config(root=root, file=document.file, study=_study(document.data), **tables)


def table(root: Path, name: str) -> Mapping[str, Any]:
    """One table of config/ (datasets, architectures, contaminations, claims), checked against its schema."""
    documents, faults = _read_all({name: root / "config" / f"{name}.yaml"})
    if faults:
        raise ConfigError(faults)
    found: Mapping[str, Any] = documents[name].data
    return found


def _read_all(paths: Mapping[str, Path]) -> tuple[dict[str, Document], list[Fault]]:
    """The tables that are free of faults, and the faults of the others."""
    documents, faults = {}, []
    for name, path in paths.items():
        try:
            document = read(path)
        except ConfigError as error:
            faults += error.faults
            continue
        found = schema_faults(document, name)
        faults += found
        if not found:
            documents[name] = document
    if "claims" in documents and "contaminations" in documents:
        faults += claims_faults(documents["claims"], _kinds(documents))
    return documents, faults


def _kinds(documents: Mapping[str, Document]) -> Mapping[str, Mapping[str, Any]]:
    kinds: Mapping[str, Mapping[str, Any]] = documents["contaminations"].data
    return kinds


def _study(data: Mapping[str, Any]) -> Study:
    return Study(
        name=data["name"],
        title=data["title"],
        verdicts=data["verdicts"],
        datasets=tuple(sorted(data["datasets"])),
        controls=_controls(data.get("controls")),
        architectures={
            name: _arm(data, name, {**data["architectures"][name], "architecture": name})
            for name in sorted(data["architectures"])
        },
        further={name: _arm(data, name, entry) for name, entry in sorted(data.get("arms", {}).items())},
        contaminations={task: _levels(entries) for task, entries in sorted(data["contaminations"].items())},
        seeds=data["seeds"],
        rows=dict(data["rows"]),
        training=dict(data["training"]),
    )


def _arm(data: Mapping[str, Any], name: str, entry: Mapping[str, Any]) -> Arm:
    """One arm; what its entry leaves out is the study's."""

    def restriction(key: str) -> tuple[str, ...] | None:
        return tuple(sorted(entry[key])) if key in entry else None

    return Arm(
        name=name,
        architecture=entry["architecture"],
        penalty=" ".join(entry.get("penalty", data["penalty"]).split()),
        optimizer=entry.get("optimizer", data["optimizer"]),
        scaling=entry.get("scaling", CLEAN_SCALING),
        betas=betas_of(entry["betas"]),
        losses={task: tuple(sorted(losses)) for task, losses in sorted(entry["losses"].items())},
        datasets=restriction("datasets"),
        levels=restriction("contaminations"),
        training=dict(entry.get("training", {})),
        seeds=entry.get("seeds"),
    )


def _levels(entries: list[Mapping[str, Any]]) -> tuple[Contamination, ...]:
    found = (Contamination(one["kind"], float(one["rate"]), float(one.get("magnitude", 0.0))) for one in entries)
    return tuple(sorted(found))


def _controls(entry: Mapping[str, Any] | None) -> Controls:
    if entry is None:
        return Controls()
    keys = ("datasets", "architectures", "contaminations")
    return Controls(*(tuple(sorted(entry[key])) for key in keys))
