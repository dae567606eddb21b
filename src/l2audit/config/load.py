"""Reading a whole configuration: every file strictly, every fault of every file at once, then typed values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from l2audit.config.claims import arms_named, table_faults
from l2audit.config.faults import ConfigError, Fault, Key, gathered
from l2audit.config.reader import Document, read, shown
from l2audit.config.schema import departures
from l2audit.config.studies import study_faults, study_of
from l2audit.config.study import Config
from l2audit.data.entries import FOLDER
from l2audit.registry import nearest

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
    """The study `study`, a name or a path, with the tables under `root` (see `Tables`); ConfigError: every fault."""
    config, faults = Tables(root, registration).draft(study)
    if faults or config is None:
        raise ConfigError(faults)
    return config


def table(root: Path, name: str) -> Mapping[str, Any]:
    """One table of config/ (datasets, architectures, contaminations, claims), checked against its schema."""
    found = Tables(root, names=[name])
    if found.faults:
        raise ConfigError(found.faults)
    entries: Mapping[str, Any] = found.documents[name].data
    return entries


class Tables:
    """The tables of config/: those that a study can be checked against, and every fault of any of them.

    An entry with faults is empty in its document. A table that could not be read has no document, nor have claims with
    faults. registration: a file of claims in place of config/claims.yaml.
    """

    def __init__(self, root: Path, registration: Path | None = None, names: Iterable[str] = TABLES) -> None:
        self.root = root
        self.documents: dict[str, Document] = {}
        self.faults: list[Fault] = []
        for name in names:
            chosen = registration if name == "claims" else None
            with gathered(self.faults):
                document = read(chosen or root / "config" / f"{name}.yaml")
                broken: set[str] = set()
                if name == "datasets" and isinstance(document.data, dict):
                    document, broken, faults = with_folder(document, root / FOLDER)
                    self.faults += faults
                found = departures(document, name)
                self.faults += [document.fault(*one) for one in found]
                if broken:
                    document = replace(document, data=document.data | {key: {} for key in broken})
                faulty = {key[:1] for key, _, _ in found} | {(one,) for one in broken}
                if not faulty:
                    self.documents[name] = document
                elif () not in faulty and name != "claims":
                    data = {key: {} if (key,) in faulty else entry for key, entry in document.data.items()}
                    self.documents[name] = replace(document, data=data)
        if claims := self.documents.get("claims"):
            self.faults += table_faults(claims, self.entries("datasets"), self.entries("contaminations"))

    def entries(self, name: str) -> Any:
        """The values of a table; None if it could not be read."""
        return self.documents[name].data if name in self.documents else None

    def sound(self, name: str) -> list[str]:
        """Names of the entries of a table that have no faults of form."""
        return [entry for entry, values in (self.entries(name) or {}).items() if values]

    def draft(self, study: str) -> tuple[Config | None, list[Fault]]:
        """A study as far as it could be read, and every fault of it and of the tables.

        None where the study does not fit its schema or a table could not be read. A draft with faults is there to look
        for more of them: it may name what does not exist.
        """
        faults = list(self.faults)
        try:
            document = read(study_path(self.root, study))
        except ConfigError as error:
            return None, [*faults, *error.faults]
        if claims := self.documents.get("claims"):
            faults += self.unknown_arms(claims, arms_named(claims), document)
        own = departures(document, "study")
        faults += [document.fault(*one) for one in own]
        datasets, architectures, kinds = (self.entries(name) for name in TABLES[:3])
        if datasets is None or architectures is None or kinds is None or not isinstance(document.data, dict):
            return None, faults
        unusable = {str(key[0]) for key, _, _ in own if key}
        faults += study_faults(document, datasets, architectures, kinds, unusable)
        if own:
            return None, faults
        documents = {**self.documents, "study": document}
        values = study_of(document.data)
        return Config(self.root, document.file, values, datasets, architectures, kinds, documents), faults

    def unknown_arms(
        self, document: Document, named: Iterable[tuple[Key, str]], study: Document | None = None
    ) -> list[Fault]:
        """Arms named in `document` that are no architecture, no arm of `study` and none of a study in config/studies/.

        An architecture would be an arm of that name if a study listed it. None at all while one of these cannot be
        read: the arm might be there.
        """
        named = list(named)
        known = {*(self.entries("architectures") or ()), *_arms_in(study)}
        if "architectures" not in self.documents or all(name in known for _, name in named):
            return []
        try:
            for other in studies(self.root):
                known |= _arms_in(read(study_path(self.root, other)))
        except ConfigError:
            return []
        problem = "unknown arm '{}': it is no architecture, and no study has an arm of that name"
        return [
            document.fault(key, problem.format(name), nearest(name, known)) for key, name in named if name not in known
        ]


def with_folder(document: Document, folder: Path) -> tuple[Document, set[str], list[Fault]]:
    """A table and the entries that stand in files of their own, `folder`/NAME.yaml, each the mapping `NAME: {...}`.

    Also the names of the files that cannot be used, which have no entry, and what is wrong with them.
    """
    data, lines, files = dict(document.data), dict(document.lines), dict[str, str]()
    broken, faults = set[str](), list[Fault]()
    for path in sorted(folder.glob("*.yaml")):
        name, before = path.stem, len(faults)
        with gathered(faults):
            own = read(path)
            if not isinstance(own.data, dict):
                raise ConfigError([own.fault((), "is no mapping", f"write `{name}:` and its keys below it")])
            for key in own.data:
                if key != name:
                    fix = f"write `{name}:`, or move the entry to a file of its own, {key}.yaml"
                    faults.append(own.fault((key,), f"the file {path.name} holds another entry than '{name}'", fix))
                elif key in document.data:
                    there = f"the other is on line {document.lines[(key,)]} of {document.file}"
                    faults.append(own.fault((key,), "is given twice", f"keep one of them ({there})"))
            if len(faults) == before:
                data |= own.data
                lines |= {key: line for key, line in own.lines.items() if key}
                files[name] = own.file
        if len(faults) > before and name not in data:
            broken.add(name)
    return replace(document, data=data, lines=lines, files=files), broken, faults


def _arms_in(study: Document | None) -> set[str]:
    """Names of the arms of a study that may have faults."""
    data = study.data if study and isinstance(study.data, dict) else {}
    lists = (data.get(key) for key in ("architectures", "arms"))
    return {name for arms in lists if isinstance(arms, dict) for name in arms}
