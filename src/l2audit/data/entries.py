"""One entry of `config/datasets.yaml` or `config/datasets/` as a typed value.

Whether an entry's keys and values are allowed is the schema's business (`schemas/datasets.schema.yaml`): the
configuration is held against it before anything runs. Here is what a schema cannot say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

import yaml

from l2audit.errors import UserError
from l2audit.registry import Registry, UnknownName, near

T = TypeVar("T")

CONFIG = "config/datasets.yaml"
FOLDER = "config/datasets"
"""A folder of further entries: each in a file of its own, which has its name."""
_RANGE = re.compile(r"(\w*?)(\d{1,6})\.\.(\d{1,6})")  # more columns than that would fill the memory


def public(address: str) -> str:
    """`address` as messages, results and the page show it: without a user's name and password."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def as_yaml(value: str | Iterable[str]) -> str:
    """A name or a list of names on one line, as an entry would have it."""
    listed = [value] if isinstance(value, str) else list(value)
    text: str = yaml.safe_dump(listed, default_flow_style=True, allow_unicode=True, width=10**9).strip()
    return text[1:-1] if isinstance(value, str) else text


@dataclass(frozen=True)
class RemoteFile:
    """A file on the network: its first address, what its bytes must be, and where else it can be had."""

    url: str
    sha256: str
    bytes: int | None = None
    mirrors: tuple[str, ...] = ()
    kept_as: str | None = None

    @property
    def name(self) -> str:
        """The file's name on disk: the last segment of its address, unless it is kept under another."""
        return self.kept_as or PurePosixPath(unquote(urlsplit(self.url).path)).name

    @property
    def public_url(self) -> str:
        """`url` without a user's name and password."""
        return public(self.url)


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
    reader: str | None = None
    separator: str = ","
    header: tuple[str, ...] | None = None
    skip_lines: int = 0
    comment: str | None = None
    encoding: str | None = None
    decimal: str = "."
    thousands: str | None = None
    sheet: str | int = 1
    missing_values: tuple[str, ...] | None = None
    target: str = "target"
    target_transform: str = "identity"
    threshold: float | None = None
    categorical: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    missing: str = "refuse"
    image: tuple[int, int] | None = None
    scale: tuple[float, float] | None = None
    shrink: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    shares_table_with: tuple[str, ...] = ()
    notes: str = ""

    @property
    def kind(self) -> str:
        """What kind of source: bundled, synthetic, file, https or openml."""
        return self.source.partition(":")[0]

    @property
    def locator(self) -> str:
        """What the source names within its kind: `sklearn/digits`, a generator, a path, an id; empty for `https`."""
        return self.source.partition(":")[2]

    @property
    def public_source(self) -> str:
        """`source` as results and the page show it: of a file, the name alone, for its path is nobody's business."""
        return f"file:{PurePath(self.locator).name}" if self.kind == "file" else self.source

    @property
    def pixels(self) -> tuple[int, int] | None:
        """Height and width of a prepared image: those in the file, divided by `shrink`."""
        return (self.image[0] // self.shrink, self.image[1] // self.shrink) if self.image else None

    def fault(self, problem: str, *, key: str | None = None, fix: str) -> UserError:
        """A UserError that names this entry (and `key` within it)."""
        own = Path(FOLDER) / f"{self.name}.yaml"
        file = own if own.is_file() else CONFIG
        return UserError(problem, file=file, key=self.name if key is None else f"{self.name}.{key}", fix=fix)

    def known(self, registry: Registry[T], name: str, key: str) -> T:
        """What is registered under `name`, the value of `key`; UserError if nothing is."""
        try:
            return registry[name]
        except UnknownName as error:
            raise self.fault(str(error), key=key, fix="use one of the known names") from None


def read_entry(name: str, declared: Mapping[str, Any]) -> Entry:
    """The entry declared under `name`; UserError for the first key or value that cannot stand."""
    for fault in entry_faults(name, declared):
        raise fault
    return _entry(name, declared)


def entry_faults(name: str, declared: Mapping[str, Any]) -> Iterator[UserError]:
    """What is wrong with an entry although it fits the schema; of one that does not, that it cannot be read."""
    try:
        entry = _entry(name, declared)
    except (TypeError, KeyError, AttributeError) as error:
        fix = "run `python -m l2audit check`, which tells each fault and its line"
        yield UserError(f"does not fit the schema of datasets: {error}", file=CONFIG, key=name, fix=fix)
        return
    names = [file.name for file in entry.files]
    if "" in names or len(set(names)) < len(names):
        fix = "each url must end in a file name of its own"
        yield entry.fault("two files would have one name, or none", key="files", fix=fix)
    if entry.decimal == entry.thousands:
        yield entry.fault("the decimal sign is that of thousands", key="decimal", fix="give each a sign of its own")
    if entry.image is not None and any(size % entry.shrink for size in entry.image):
        fix = "use a divisor of its height and of its width"
        yield entry.fault(f"{entry.shrink} does not divide the image", key="shrink", fix=fix)
    if entry.scale is not None and not entry.scale[0] < entry.scale[1]:
        yield entry.fault("the first is not below the second", key="scale", fix="write `scale: [darkest, brightest]`")
    if entry.header is None:
        return
    for key, columns in (("target", [entry.target]), ("categorical", entry.categorical), ("drop", entry.drop)):
        for index, column in enumerate(columns):
            if column not in entry.header:
                fix = near(column, entry.header) or f"use one of {', '.join(entry.header[:40])}"
                at = key if key == "target" else f"{key}[{index}]"
                yield entry.fault(f"the header has no column '{column}'", key=at, fix=fix)


def local_file(entry: Entry) -> Path:
    """The file of an entry with `source: file:PATH`, from the folder that the workflow runs in; UserError: none."""
    path = Path(entry.locator)
    if not path.is_file():
        fix = "give its path from the folder you run the workflow in"
        raise entry.fault(f"there is no file '{path}'", key="source", fix=fix)
    return path


def _entry(name: str, declared: Mapping[str, Any]) -> Entry:
    values = dict(declared)
    for key in ("members", "categorical", "drop", "image", "scale", "missing_values", "shares_table_with"):
        if key in values:
            values[key] = tuple(values[key])
    if "missing_values" in values:
        values["missing_values"] = tuple(map(str, values["missing_values"]))
    if "header" in values:
        values["header"] = tuple(column for word in values["header"] for column in _expanded(word))
    values["files"] = tuple(
        RemoteFile(one["url"], one["sha256"], one.get("bytes"), tuple(one.get("mirrors", ())))
        for one in declared.get("files", ())
    )
    return Entry(name=name, **values)


def _expanded(word: str) -> list[str]:
    """The column names that one word of `header` stands for: `band_1..3` is band_1, band_2, band_3."""
    match = _RANGE.fullmatch(word)
    if match is None:
        return [word]
    return [f"{match[1]}{number}" for number in range(int(match[2]), int(match[3]) + 1)]
