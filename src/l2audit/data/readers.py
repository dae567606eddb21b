"""Raw files to one table: archives are opened, compression is undone, the bytes are read.

Three layers, each chosen on its own. A container (zip, tar) gives members. Gzip gives the bytes inside a member. A
reader turns the parts, in the order declared, into a table with the features and the target column. Containers and
compression are recognised by their content, never by a file's name.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from l2audit.data.entries import Entry
from l2audit.errors import UserError
from l2audit.registry import Registry

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_OFFICE = "[Content_Types].xml"  # an .xlsx file is a zip archive, but not a container of tables
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)


@dataclass(frozen=True)
class Part:
    """One table's worth of bytes, uncompressed, and the name to call it by when it is broken."""

    name: str
    content: bytes


def parts_of(paths: list[Path], entry: Entry) -> list[Part]:
    """The parts of a dataset's raw files in the order declared; of an archive, the `members` that the entry names.

    UserError for an archive without `members`, for `members` without an archive, for a member that is not in it, and
    for a file that is broken.
    """
    parts = []
    for path in paths:
        try:
            for name, content in _unpacked(path, entry):
                parts.append(Part(name, gzip.decompress(content) if content.startswith(_GZIP) else content))
        except _BROKEN as error:
            raise UserError(
                f"cannot be unpacked: {error}",
                file=path,
                key=f"{entry.name}.files",
                fix="delete the file and download it again, or correct it at its source",
            ) from error
    return parts


def _unpacked(path: Path, entry: Entry) -> Iterator[tuple[str, bytes]]:
    content = path.read_bytes()
    members = _members(content)
    if members is None:
        if entry.members:
            raise entry.fault(f"'{path.name}' is no archive", key="members", fix="remove the key `members`")
        yield str(path), content
        return
    fix = f"name under `members` which files to read; it holds {', '.join(list(members)[:20])}"
    if not entry.members and _OFFICE not in members:
        raise entry.fault(f"'{path.name}' is an archive", key="members", fix=fix)
    if not entry.members:
        yield str(path), content
    for name in entry.members:
        if name not in members:
            raise entry.fault(f"'{path.name}' has no member '{name}'", key="members", fix=fix)
        yield f"{path}: {name}", members[name]()


def _members(content: bytes) -> dict[str, Callable[[], bytes]] | None:
    """The files of a zip or tar archive by their names, each to be read when wanted; None: no archive.

    A tar archive may be compressed. A truncated gzip stream is not taken for one; undoing it fails later.
    """
    if content.startswith(_ZIP):
        zipped = zipfile.ZipFile(io.BytesIO(content))
        return {item.filename: partial(zipped.read, item.filename) for item in zipped.infolist() if not item.is_dir()}
    try:
        tarred = tarfile.open(fileobj=io.BytesIO(content))  # noqa: SIM115 - its members are read later
    except _BROKEN:
        return None
    streams = {item.name: tarred.extractfile(item) for item in tarred if item.isfile()}
    return {name: stream.read for name, stream in streams.items() if stream}


Read = Callable[[list[Part], Entry], pd.DataFrame]
ReadOne = Callable[[io.BytesIO, Entry], pd.DataFrame]
readers: Registry[Read] = Registry("reader")

_MISSING = ["", "?", "NA", "N/A", "NaN", "nan", "null", "."]
_IDX_UNSIGNED_BYTE = 0x08
_IDX_IMAGE_DIMENSIONS = 3


def read_raw(paths: list[Path], entry: Entry) -> pd.DataFrame:
    """The table in the raw files of `entry`, by the reader that it declares; its target column is present."""
    table = entry.known(readers, entry.reader, "reader")(parts_of(paths, entry), entry)
    if entry.target not in table:
        raise entry.fault(
            f"the table has no column '{entry.target}'",
            key="target",
            fix=f"use one of its columns: {', '.join(map(str, table.columns[:40]))}",
        )
    return table


def joined(read: ReadOne, format_: str, fix: str) -> Read:
    """A reader of any number of parts, made of one that reads a single part; UserError for one it cannot."""

    def read_all(parts: list[Part], entry: Entry) -> pd.DataFrame:
        tables = []
        for part in parts:
            try:
                table = read(io.BytesIO(part.content), entry)
            # pyarrow's and calamine's errors are of no common kind
            except Exception as error:
                raise UserError(
                    f"cannot be read as {format_}: {error}", file=part.name, key=f"{entry.name}.reader", fix=fix
                ) from error
            tables.append(table.rename(columns=str))
        return pd.concat(tables, ignore_index=True)

    return read_all


def separated(separator: str | None) -> ReadOne:
    """A reader of text, UTF-8, whose cells are separated by the expression `separator` (None: as the entry says).

    The first line names the columns unless the entry gives `header`. An empty cell, `?`, `.`, `NA`, `NaN` and `null`
    are missing.
    """

    def read(stream: io.BytesIO, entry: Entry) -> pd.DataFrame:
        with warnings.catch_warnings():
            # Rows with more cells than there are names: pandas warns and cuts them off.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                stream,
                sep=separator or entry.separator,
                na_values=_MISSING,
                keep_default_na=False,
                skipinitialspace=True,
                index_col=False,
                header=0 if entry.header is None else None,
                names=None if entry.header is None else list(entry.header),
            )

    return read


def read_excel(stream: io.BytesIO, entry: Entry) -> pd.DataFrame:
    """The first sheet of an .xlsx or .xls workbook, columns named as in `separated`.

    Rows and columns that are empty altogether are left out: a sheet's used range often reaches beyond its table.
    """
    table = pd.read_excel(
        stream,
        engine="calamine",
        na_values=_MISSING,
        keep_default_na=False,
        header=0 if entry.header is None else None,
        names=None if entry.header is None else list(entry.header),
    )
    return table.dropna(how="all").dropna(axis=1, how="all")


def read_parquet(stream: io.BytesIO, entry: Entry) -> pd.DataFrame:
    """A Parquet file; its columns have names and types of their own."""
    return pd.read_parquet(stream)


_CHECK_TEXT = "check `separator` and `header` in the entry, and that the file is UTF-8 text"
readers.add("csv", joined(separated(None), "separated text", _CHECK_TEXT))
readers.add("whitespace", joined(separated(r"\s+"), "text in columns", _CHECK_TEXT))
readers.add(
    "excel", joined(read_excel, "an Excel workbook", "check `header`, and that the table is on the first sheet")
)
readers.add("parquet", joined(read_parquet, "Parquet", "write the file again, or choose another `reader`"))


@readers.register("idx")
def read_idx(parts: list[Part], entry: Entry) -> pd.DataFrame:
    """Images and labels in the IDX format of MNIST (LeCun, Cortes & Burges).

    One part holds unsigned bytes (n, height, width), another the labels (n,), in either order. Columns: `pixel_R_C`
    with values 0..255, then `target`.
    """
    arrays = [parse_idx(part) for part in parts]
    images = [a for a in arrays if a.ndim == _IDX_IMAGE_DIMENSIONS]
    labels = [a for a in arrays if a.ndim == 1]
    if len(images) != 1 or len(labels) != 1 or len(images[0]) != len(labels[0]):
        raise entry.fault(
            f"found {len(images)} image and {len(labels)} label files, or of unequal length",
            key="files",
            fix="give one IDX file of images and the IDX file of their labels",
        )
    n, height, width = images[0].shape
    names = [f"pixel_{r}_{c}" for r in range(height) for c in range(width)]
    return pd.DataFrame(images[0].reshape(n, -1), columns=names).assign(target=labels[0])


def parse_idx(part: Part) -> np.ndarray:
    """The uint8 array in an IDX file: bytes 0 0 8 d, then d big-endian 32-bit sizes, then the values."""
    content = part.content
    try:
        if len(content) < 4 or content[:3] != bytes([0, 0, _IDX_UNSIGNED_BYTE]):
            raise ValueError("the first bytes are not those of IDX with unsigned bytes")
        rank = content[3]
        shape = tuple(int(size) for size in np.frombuffer(content, dtype=">u4", count=rank, offset=4))
        return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)
    except ValueError as error:
        raise UserError(
            f"not a whole IDX file: {error}", file=part.name, fix="delete the file and download it again"
        ) from error
