"""Reading a whole configuration: every file strictly, every fault of every file at once, then typed values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from l2audit.config.betas import betas_of
from l2audit.config.checks import arms_of_claims, claims_faults, study_faults, unknown_arms
from l2audit.config.faults import ConfigError, Fault, Key, gathered
from l2audit.config.reader import Document, read, shown
from l2audit.config.schema import departures
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
    config, faults = draft(read_tables(root, registration), study)
    if faults or config is None:
        raise ConfigError(faults)
    return config


@dataclass(frozen=True)
class Tables:
    """The tables of config/: those that a study can be held against, and every fault of any of them.

    An entry with a fault of its own is there as {}: known by its name, and nothing else (see `config.checks`).
    """

    root: Path
    documents: Mapping[str, Document]
    faults: Sequence[Fault]

    def entries(self, name: str) -> Mapping[str, Mapping[str, Any]] | None:
        """The entries of the table `name`; None where it could not be read."""
        return self.documents[name].data if name in self.documents else None


def read_tables(root: Path, registration: Path | None = None) -> Tables:
    """The tables under `root`; registration: a file of claims in place of config/claims.yaml."""
    paths = {name: root / "config" / f"{name}.yaml" for name in TABLES}
    documents, faults = _read_all(paths if registration is None else {**paths, "claims": registration})
    tables = Tables(root, documents, faults)
    if "claims" in documents:
        faults += claims_faults(documents["claims"], tables.entries("datasets"), tables.entries("contaminations"))
    return tables


def draft(tables: Tables, study: str) -> tuple[Config | None, list[Fault]]:
    """A study as far as it could be read, and every fault of it and of the tables.

    None where the study does not fit its schema or a table could not be read. A draft with faults is there to look for
    more of them: it may name what does not exist.
    """
    faults = list(tables.faults)
    try:
        document = read(study_path(tables.root, study))
    except ConfigError as error:
        return None, [*faults, *error.faults]
    if claims := tables.documents.get("claims"):
        faults += arm_faults(tables, claims, arms_of_claims(claims), document)
    own = departures(document, "study")
    unusable = {str(key[0]) for key, _, _ in own if key}
    datasets, architectures, kinds = map(tables.entries, TABLES[:3])
    faults += [document.fault(*one) for one in own]
    if datasets is None or architectures is None or kinds is None or not isinstance(document.data, dict):
        return None, faults
    faults += study_faults(document, datasets, architectures, kinds, unusable)
    if own:
        return None, faults
    config = Config(
        root=tables.root,
        file=document.file,
        study=_study(document.data),
        datasets=datasets,
        architectures=architectures,
        contaminations=kinds,
        claims=tables.entries("claims") or {},
        documents={**tables.documents, "study": document},
    )
    return config, faults


def arm_faults(
    tables: Tables, document: Document, named: Iterable[tuple[Key, str]], study: Document | None = None
) -> list[Fault]:
    """Arms named in `document` that are no architecture, no arm of `study` and none of a study in config/studies/.

    None at all while one of these cannot be read: the arm might be there.
    """
    named = list(named)
    known = set(tables.entries("architectures") or []) | _arms_in(study)
    if "architectures" not in tables.documents or all(name in known for _, name in named):
        return []
    try:
        for other in studies(tables.root):
            known |= _arms_in(read(study_path(tables.root, other)))
    except ConfigError:
        return []
    return list(unknown_arms(document, named, known))


def _arms_in(study: Document | None) -> set[str]:
    """Names of the arms of a study that may have faults."""
    data = study.data if study and isinstance(study.data, dict) else {}
    lists = (data.get(key) for key in ("architectures", "arms"))
    return {name for arms in lists if isinstance(arms, dict) for name in arms}


def table(root: Path, name: str) -> Mapping[str, Any]:
    """One table of config/ (datasets, architectures, contaminations, claims), checked against its schema."""
    documents, faults = _read_all({name: root / "config" / f"{name}.yaml"})
    if faults:
        raise ConfigError(faults)
    found: Mapping[str, Any] = documents[name].data
    return found


def _read_all(paths: Mapping[str, Path]) -> tuple[dict[str, Document], list[Fault]]:
    """The tables that can be used, faulty entries emptied, and the faults of all of them."""
    documents: dict[str, Document] = {}
    faults: list[Fault] = []
    for name, path in paths.items():
        with gathered(faults):
            document = read(path)
            found = departures(document, name)
            faults += [document.fault(*one) for one in found]
            keys = {key[:1] for key, _, _ in found}
            if not keys:
                documents[name] = document
            elif () not in keys and name != "claims":
                data = {key: {} if (key,) in keys else entry for key, entry in document.data.items()}
                documents[name] = replace(document, data=data)
    return documents, faults


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
