"""One entry of `config/datasets.yaml` as a typed, checked value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

from l2audit.data.raw import RemoteFile
from l2audit.errors import UserError

CONFIG = "config/datasets.yaml"
TASKS = ("classification", "regression")
ROLES = ("study", "control")
MISSING_POLICIES = ("refuse", "drop_rows")
SOURCE_KINDS = ("bundled", "synthetic", "file", "https", "openml")
# Which sources a key goes with; a key that is not listed goes with all.
_KEYS_OF = {
    "parameters": ("synthetic",),
    "files": ("https",),
    "members": ("file", "https"),
    "reader": ("file", "https"),
    "separator": ("file", "https"),
    "header": ("file", "https"),
    "sha256": ("openml",),
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"(\w*?)(\d{1,6})\.\.(\d{1,6})")  # more columns than that would fill the memory


@dataclass(frozen=True)
class Entry:
    """A dataset as declared. The keys, and what each is for, are those of `schemas/datasets.schema.yaml`."""

    name: str
    source: str
    task: str
    licence: str
    citation: str
    description: str
    role: str = "study"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[RemoteFile, ...] = ()
    sha256: str | None = None
    members: tuple[str, ...] = ()
    reader: str = "csv"
    separator: str = ","
    header: tuple[str, ...] | None = None
    target: str = "target"
    target_transform: str = "identity"
    threshold: float | None = None
    categorical: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    missing: str = "refuse"
    image: tuple[int, int] | None = None
    pixel_maximum: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    shares_table_with: tuple[str, ...] = ()
    notes: str = ""

    @property
    def kind(self) -> str:
        """What kind of source: one of `SOURCE_KINDS`."""
        return self.source.partition(":")[0]

    @property
    def locator(self) -> str:
        """What the source names within its kind: `sklearn/digits`, a generator, a path, an id; empty for `https`."""
        return self.source.partition(":")[2]

    @property
    def public_source(self) -> str:
        """`source` as results and the page show it: of a file, the name alone, for its path is nobody's business."""
        return f"file:{PurePath(self.locator).name}" if self.kind == "file" else self.source

    def fault(self, problem: str, *, key: str | None = None, fix: str) -> UserError:
        """A UserError that names this entry (and `key` within it)."""
        return UserError(problem, file=CONFIG, key=self.name if key is None else f"{self.name}.{key}", fix=fix)


def read_entry(name: str, declared: Mapping[str, Any]) -> Entry:
    """The entry declared under `name`; UserError for the first key or value that cannot stand."""
    for fault in entry_faults(name, declared):
        raise fault
    return _entry(name, declared)


def entry_faults(name: str, declared: Mapping[str, Any]) -> Iterator[UserError]:
    """Every key or value of an entry that cannot stand.

    Types are the schema's business; here is what a schema cannot say, and the bare minimum for a caller without one.
    """
    unreadable = [*_unknown(name, declared), *_faulty_files(name, declared)]
    if unreadable:
        yield from unreadable
        return
    entry = _entry(name, declared)
    yield from _faulty_words(entry)
    yield from _faulty_source(entry)
    yield from _needless_keys(entry, declared)
    yield from _unpaired_keys(entry)
    yield from _absent_columns(entry)


def local_file(entry: Entry) -> Path:
    """The file of an entry with `source: file:PATH`, from the folder that the workflow runs in; UserError: none."""
    path = Path(entry.locator)
    if not path.is_file():
        fix = "give its path from the folder you run the workflow in"
        raise entry.fault(f"there is no file '{path}'", key="source", fix=fix)
    return path


def _entry(name: str, declared: Mapping[str, Any]) -> Entry:
    values = dict(declared)
    for key in ("members", "categorical", "drop", "image", "shares_table_with"):
        if values.get(key) is not None:
            values[key] = tuple(values[key])
    if values.get("header") is not None:
        values["header"] = tuple(column for word in values["header"] for column in expanded(word))
    values["files"] = tuple(
        RemoteFile(one["url"], one["sha256"], one.get("bytes"), tuple(one.get("mirrors", ())))
        for one in declared.get("files") or ()
    )
    return Entry(name=name, **values)


def expanded(word: str) -> list[str]:
    """The column names that one word of `header` stands for: `band_1..3` is band_1, band_2, band_3."""
    match = _RANGE.fullmatch(word)
    if match is None:
        return [word]
    return [f"{match[1]}{number}" for number in range(int(match[2]), int(match[3]) + 1)]


def _unknown(name: str, declared: Mapping[str, Any]) -> Iterator[UserError]:
    """A name that is none, and keys that are unknown or absent."""
    keys = {f.name: f for f in fields(Entry) if f.name != "name"}
    if not _NAME.fullmatch(name):
        yield UserError(
            f"'{name}' is no dataset name", file=CONFIG, key=name, fix="use small letters, digits and underscores"
        )
    for key in declared:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            fix = f"did you mean '{near[0]}'?" if near else f"known keys are {', '.join(keys)}"
            yield UserError(f"unknown key '{key}'", file=CONFIG, key=f"{name}.{key}", fix=fix)
    for key, spec in keys.items():
        if spec.default is MISSING and spec.default_factory is MISSING and not declared.get(key):
            yield UserError(f"the key '{key}' is absent", file=CONFIG, key=name, fix=f"add `{key}:` to this entry")


def _faulty_files(name: str, declared: Mapping[str, Any]) -> Iterator[UserError]:
    for index, file in enumerate(declared.get("files") or ()):
        key = f"{name}.files[{index}]"
        for address in (file.get("url", ""), *file.get("mirrors", ())):
            if not _is_web_address(str(address)):
                yield UserError(f"'{address}' is no web address", file=CONFIG, key=key, fix="write https://HOST/PATH")
        sha256 = file.get("sha256", "")
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            yield UserError(
                "a file from the network needs its SHA-256, or wrong bytes could pass as data",
                file=CONFIG,
                key=f"{key}.sha256",
                fix="run `sha256sum FILE` on a copy that you trust and write the 64 hexadecimal digits, in quotes",
            )


def _is_web_address(address: str) -> bool:
    try:
        return urlsplit(address).scheme in ("http", "https")
    except ValueError:  # a bracket without its other half
        return False


def _faulty_words(entry: Entry) -> Iterator[UserError]:
    for key, value, known in (
        ("task", entry.task, TASKS),
        ("role", entry.role, ROLES),
        ("missing", entry.missing, MISSING_POLICIES),
    ):
        if value not in known:
            yield entry.fault(f"'{value}' is no {key}", key=key, fix=f"use one of: {', '.join(known)}")


def _faulty_source(entry: Entry) -> Iterator[UserError]:
    if entry.kind not in SOURCE_KINDS:
        yield entry.fault(
            f"'{entry.source}' is no source",
            key="source",
            fix="use bundled:PACKAGE/NAME, synthetic:NAME, file:PATH, openml:ID, or https with a list of files",
        )
        return
    if entry.kind == "https" and not entry.files:
        yield entry.fault(
            "`source: https` has no files", key="files", fix="list each file under `files:` with url, sha256 and bytes"
        )
    if entry.kind != "https" and not entry.locator:
        yield entry.fault(
            f"'{entry.source}' names nothing after the colon", key="source", fix=f"write {entry.kind}:NAME"
        )
    if entry.kind == "openml" and not (entry.locator.isdigit() and _SHA256.fullmatch(entry.sha256 or "")):
        yield entry.fault(
            "an OpenML dataset needs its number and the SHA-256 of its table, or other data could pass as this",
            key="sha256",
            fix="write `source: openml:ID` and 64 zeros as `sha256`: downloading then tells the right one",
        )
    names = [file.name for file in entry.files]
    if "" in names or len(set(names)) < len(names):
        yield entry.fault(
            "two files would have one name, or none",
            key="files",
            fix="each url must end in a file name of its own",
        )


def _needless_keys(entry: Entry, declared: Mapping[str, Any]) -> Iterator[UserError]:
    for key, kinds in _KEYS_OF.items():
        if declared.get(key) and entry.kind not in kinds:
            yield entry.fault(
                f"the key '{key}' means nothing for `source: {entry.source}`, only for {' and '.join(kinds)}",
                key=key,
                fix=f"remove the key `{key}`",
            )


def _unpaired_keys(entry: Entry) -> Iterator[UserError]:
    if (entry.target_transform == "above") != (entry.threshold is not None):
        yield entry.fault(
            "`target_transform: above` and a threshold belong together",
            key="threshold",
            fix="give both, or neither",
        )
    if (entry.image is None) != (entry.pixel_maximum is None):
        yield entry.fault(
            "an image needs both its shape and its brightest value",
            key="image",
            fix="give `image: [height, width]` and `pixel_maximum:` together",
        )


def _absent_columns(entry: Entry) -> Iterator[UserError]:
    """Columns that the entry names and that its own `header` has not."""
    if entry.header is None:
        return
    for key, names in (("target", [entry.target]), ("categorical", entry.categorical), ("drop", entry.drop)):
        for index, name in enumerate(names):
            if name not in entry.header:
                near = difflib.get_close_matches(name, entry.header, n=1)
                fix = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(entry.header[:40])}"
                at = key if key == "target" else f"{key}[{index}]"
                yield entry.fault(f"the header has no column '{name}'", key=at, fix=fix)
