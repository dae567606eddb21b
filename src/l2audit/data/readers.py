"""Raw files to one table: archives are opened, compression is undone, the bytes are read.

Three layers, each chosen on its own. A container (zip, tar) gives members. Gzip gives the bytes inside a member. A
reader turns the parts, in the order declared, into a table with the features and the target column. Containers,
compression and the format are recognised by their content, never by a file's name; text is read as `csv`.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype, is_string_dtype
from scipy.io import arff

from l2audit.data.entries import Entry
from l2audit.errors import UserError, one_line
from l2audit.registry import Registry, near

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


@dataclass(frozen=True)
class Raw:
    """The table in the raw files of a dataset, as read; `places`: the file of each part, and its lines or rows.

    An index of the table counts its rows over all parts. `notes`: what was done to the cells, for the data card.
    `codes`: of columns of text, the words that were taken for marks of a missing cell, and could be values.
    """

    table: pd.DataFrame
    places: tuple[tuple[str, int, Callable[[int], str]], ...] = ()
    notes: tuple[str, ...] = ()
    codes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def marks(self, columns: Iterable[str]) -> list[str]:
        """The `codes` in some columns, sorted."""
        return sorted({mark for column in columns for mark in self.codes.get(column, ())})

    def place(self, row: int) -> str:
        """Where row `row` of the table stands, as `line 17 of my.csv`."""
        for name, rows, line in self.places:
            if row < rows:
                return f"{line(row)} of {Path(name).name}"
            row -= rows
        return f"row {row + 1}"


Read = Callable[[list[Part], Entry], Raw]
ReadOne = Callable[[Part, Entry], Raw]
readers: Registry[Read] = Registry("reader")

MISSING = ("?", "NA", "N/A", "NaN", "nan", "null", ".")
"""Marks of a missing cell, where an entry does not list its own; an empty cell is one always."""
UNNAMED = "column {}"
"""What a column without a name is called, counted from 1."""
SIGNATURES = {
    b"PAR1": "parquet",
    _ZIP: "excel",
    b"\xd0\xcf\x11\xe0": "excel",
    bytes([0, 0, 8, 1]): "idx",
    bytes([0, 0, 8, 3]): "idx",
}
"""First bytes of a file, its archive and gzip undone, whose format they tell."""
_IDX_UNSIGNED_BYTE = 0x08
_IDX_IMAGE_DIMENSIONS = 3


def reader_of(part: Part) -> str:
    """The reader that the first bytes of a part ask for; `csv` where they tell nothing."""
    for signature, name in SIGNATURES.items():
        if part.content.startswith(signature):
            return name
    lines = (line.strip().lower() for line in part.content[:65536].splitlines())
    first = next((line for line in lines if line and not line.startswith(b"%")), b"")
    return "arff" if first.startswith(b"@relation") else "csv"


def read_raw(paths: list[Path], entry: Entry) -> Raw:
    """The table in the raw files of `entry`, by the reader that it declares; its target column is present.

    Blanks around names and cells are taken away. A column without a name is left out where it holds nothing, or the
    numbers of the rows; else it is a fault, as are two columns of one name.
    """
    parts = parts_of(paths, entry)
    raw = entry.known(readers, entry.reader or reader_of(parts[0]), "reader")(parts, entry)
    if entry.target in raw.table:
        return raw
    columns = [str(column) for column in raw.table.columns]
    if len(columns) == 1 and (found := _separator_in(columns[0])):
        raise entry.fault(
            f"the table has a single column, '{one_line(columns[0])}'", key="separator", fix=f"say `{found}`"
        )
    fix = near(entry.target, columns) or f"use one of its columns: {', '.join(map(repr, columns[:40]))}"
    raise entry.fault(f"the table has no column '{entry.target}'", key="target", fix=fix)


def _separator_in(text: str) -> str:
    counts = {mark: text.count(mark) for mark in (";", "\t", "|", ",")}
    best = max(counts, key=lambda mark: counts[mark])
    return f'separator: "{best}"'.replace("\t", "\\t") if counts[best] else "reader: whitespace" if " " in text else ""


def joined(read: ReadOne, format_: str, fix: str) -> Read:
    """A reader of any number of parts, made of one that reads a single part; UserError for one it cannot."""

    def read_all(parts: list[Part], entry: Entry) -> Raw:
        found = []
        for part in parts:
            try:
                found.append(_tidied(read(part, entry), entry, part))
            except UserError:
                raise
            except Exception as error:  # pyarrow's and calamine's errors are of no common kind
                raise UserError(
                    f"cannot be read as {format_}: {error}", file=part.name, key=f"{entry.name}.reader", fix=fix
                ) from error
        codes = {column: one.codes[column] for one in found for column in one.codes}
        return Raw(
            pd.concat([one.table for one in found], ignore_index=True),
            tuple(place for one in found for place in one.places),
            tuple(dict.fromkeys(note for one in found for note in one.notes)),
            {column: frozenset().union(*(one.codes.get(column, ()) for one in found)) for column in codes},
        )

    return read_all


def _tidied(raw: Raw, entry: Entry, part: Part) -> Raw:
    """The same with blanks stripped, missing cells marked, numbers read as numbers, and no column without a name."""
    table, notes, codes = raw.table, list(raw.notes), dict(raw.codes)
    table.columns = [str(name).strip() for name in table.columns]
    repeated = list(table.columns[table.columns.duplicated()])
    if repeated:
        places = [str(k + 1) for k, name in enumerate(table.columns) if name == repeated[0]]
        raise UserError(
            f"two columns are called '{repeated[0]}' (columns {' and '.join(places)})",
            file=part.name,
            key=f"{entry.name}.header",
            fix="give the columns names of their own: `header: [...]`, with `skip_lines: 1` for the line of names",
        )
    pieces = []
    for number, name in enumerate(table.columns):
        series, told, marks = _cells(table[name], entry)
        if told and name in (entry.target, *entry.categorical):
            notes.append(f"{name}: {told}")
        if marks:
            codes[name] = codes.get(name, frozenset()) | marks
        if name == UNNAMED.format(number + 1) and entry.header is None and name not in entry.drop:
            if series.isna().all():  # what a separator at the end of each line makes
                continue
            if is_numeric_dtype(series) and (np.diff(series.to_numpy(float)) == 1).all():
                notes.append(f"{name} has no name and numbers the rows: left out")
                continue
            raise UserError(
                f"column {number + 1} has no name (it begins {', '.join(map(repr, series.head(3).tolist()))})",
                file=part.name,
                key=f"{entry.name}.drop",
                fix=f"name it in the file, or say `drop: [{name}]`, or give `header:` and `skip_lines: 1`",
            )
        pieces.append(series.rename(name))
    table = pd.concat(pieces, axis=1) if pieces else table.iloc[:, :0]
    return Raw(table, raw.places, tuple(notes), {name: codes[name] for name in codes if name in table})


def _cells(series: pd.Series, entry: Entry) -> tuple[pd.Series, str, frozenset[str]]:
    """A column without blanks and quotes around its cells, NaN where one is missing; what was done; marks in text."""
    nothing: frozenset[str] = frozenset()
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    if series.dtype.kind in "mM":
        return series.astype(str).where(series.notna()), "", nothing
    if not (is_string_dtype(series.dtype) or series.dtype == object):
        gaps = series.dtype.kind in "iuf" and bool(series.isna().any())
        return series.astype(float) if gaps else series, "", nothing
    known = series.dropna()
    if len(known) and known.map(lambda cell: isinstance(cell, Decimal)).all():
        return series.astype(float), "", nothing
    is_text = series.map(lambda cell: isinstance(cell, str)).astype(bool)
    words = series[is_text].str.strip()
    told = "" if words.equals(series[is_text]) else "blanks around its cells are left out"
    if len(words) and words.str.fullmatch(r"'[^']*'").all():
        words, told = words.str[1:-1].str.strip(), "single quotes around its cells are left out"
    marks = MISSING if entry.missing_values is None else entry.missing_values
    gone = words.isin(["", *marks])
    series = series.astype(object)
    series[is_text] = words.where(~gone, np.nan).astype(object)
    left = series.dropna()
    numbers = pd.to_numeric(_plain_numbers(left, entry), errors="coerce")
    booleans = left.isin([True, False, "True", "False"])
    if len(left) and booleans.all() and not left.map(lambda cell: type(cell) in (int, float)).any():
        truth = series.map({"True": True, "False": False, True: True, False: False})
        return truth.astype(bool) if len(left) == len(series) else truth, told, nothing
    if len(left) and numbers.notna().all():
        return numbers.reindex(series.index), "", nothing
    return series, told, frozenset(words[gone & (words != "")])


def _plain_numbers(series: pd.Series, entry: Entry) -> pd.Series:
    text = series.astype("str")
    if entry.thousands:
        text = text.str.replace(entry.thousands, "", regex=False)
    return text.str.replace(entry.decimal, ".", regex=False) if entry.decimal != "." else text


def decoded(part: Part, entry: Entry) -> str:
    """The text of a part: UTF-8, or UTF-16 where it begins so, unless the entry names its `encoding`.

    UserError: it is none, with the line and what it would read in Latin-1.
    """
    content = part.content
    encoding = entry.encoding or ("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        shown = one_line(content.splitlines()[line - 1].decode("latin-1"), 200)
        raise UserError(
            f"line {line} is not {error.encoding.upper()} text; read as Latin-1 it says: {shown}",
            file=part.name,
            key=f"{entry.name}.encoding",
            fix="if that is right say `encoding: latin-1`, otherwise the encoding that the file was saved in",
        ) from None


def separated(separator: str | None) -> ReadOne:
    """A reader of text whose cells are separated by the expression `separator` (None: as the entry says).

    The first line that is not skipped names the columns, unless the entry gives `header`.
    """

    def read(part: Part, entry: Entry) -> Raw:
        text, mark = decoded(part, entry), separator or entry.separator
        says: dict[str, Any] = {
            "sep": mark,
            "na_values": ["", *(MISSING if entry.missing_values is None else entry.missing_values)],
            "keep_default_na": False,
            "skipinitialspace": True,
            "index_col": False,
            "skiprows": entry.skip_lines,
            "comment": entry.comment,
            "decimal": entry.decimal,
            "thousands": entry.thousands,
            "low_memory": False,
        }
        lines = list(_lines(text, mark, entry))
        if not lines:
            raise ValueError("there is no line with cells")
        names = list(entry.header) if entry.header is not None else _names(next(_rows(text, mark, entry))[1])
        if entry.header is None:
            lines = lines[1:]
        widest = max((cells for _, cells, _ in lines), default=0)
        ends = widest == len(names) + 1 and all(blank for _, cells, blank in lines if cells == widest)
        if widest > len(names) and not ends:
            line, row = next((line, row) for line, row in _rows(text, mark, entry) if len(row) > len(names))
            raise UserError(
                f"line {line} has {len(row)} cells and there are {len(names)} names: {one_line(mark.join(row), 200)}",
                file=part.name,
                key=f"{entry.name}.{'separator' if entry.header is None else 'header'}",
                fix="correct the line, or `separator`, or `header` in the entry",
            )
        if entry.header is not None and widest < len(names):
            raise entry.fault(
                f"`header` names {len(names)} columns and the lines of {Path(part.name).name} have {widest} cells",
                key="header",
                fix="give one name for each column, and check `separator`",
            )
        given = [*names, ENDS] if ends else names
        table = pd.read_csv(io.StringIO(text), header=0 if entry.header is None else None, names=_unique(given), **says)
        table.columns = given
        table = table.drop(columns=ENDS) if ends else table
        codes = {}
        for name in (name for name in names if is_string_dtype(table[name]) and table[name].isna().any()):
            says |= {"na_values": [], "usecols": [names.index(name)], "dtype": str}
            cells = pd.read_csv(io.StringIO(text), header=0 if entry.header is None else None, **says).iloc[:, 0]
            codes[name] = frozenset(cells[table[name].isna().to_numpy()].str.strip()) - {""}
        place = (part.name, len(table), lambda row: f"line {lines[row][0]}" if row < len(lines) else f"row {row + 1}")
        return Raw(table, (place,), codes=codes)

    return read


ENDS = "\0end"
"""The name of the empty column that a separator at the end of each line makes."""


def _rows(text: str, separator: str, entry: Entry) -> Iterator[tuple[int, list[str]]]:
    """The lines with cells, that of names too: the number of each in the file, and its cells."""
    rows: Iterator[tuple[int, list[str]]]
    if len(separator) > 1:
        rows = enumerate((re.split(separator, line.strip()) for line in text.splitlines()), start=1)
    else:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        rows = ((reader.line_num, row) for row in reader)
    for line, row in rows:
        comment = entry.comment and row and row[0].lstrip().startswith(entry.comment)
        if line > entry.skip_lines and any(row) and not comment:
            yield line, row


def _lines(text: str, separator: str, entry: Entry) -> Iterator[tuple[int, int, bool]]:
    """Of each line of `_rows` its number, its count of cells, and whether the last is blank."""
    return ((line, len(row), not row[-1].strip()) for line, row in _rows(text, separator, entry))


def _names(cells: Sequence[object]) -> list[str]:
    """Names of columns; those without one are numbered."""
    return [str(cell).strip() or UNNAMED.format(k + 1) for k, cell in enumerate(cells)]


def _unique(names: Sequence[str]) -> list[str]:
    """Names that pandas takes: it refuses equal ones, which `_tidied` tells with their places."""
    return [f"{k}\0{name}" for k, name in enumerate(names)]


def read_excel(part: Part, entry: Entry) -> Raw:
    """A sheet of an .xlsx or .xls workbook, the first unless the entry names another; columns named as in `separated`.

    Rows and columns that are empty altogether are left out: a sheet's used range often reaches beyond its table.
    """
    book = pd.ExcelFile(io.BytesIO(part.content), engine="calamine")
    sheets = dict(enumerate(book.sheet_names, start=1)) | {name: name for name in book.sheet_names}
    if entry.sheet not in sheets:
        fix = f"use one of {', '.join(map(repr, book.sheet_names))}"
        raise entry.fault(f"the workbook has no sheet {entry.sheet!r}", key="sheet", fix=fix)
    table = pd.read_excel(
        book,
        sheet_name=sheets[entry.sheet],
        na_values=[""],
        keep_default_na=False,
        header=None,
        skiprows=entry.skip_lines,
    )
    table = table.dropna(how="all").dropna(axis=1, how="all")
    rows = [int(row) + entry.skip_lines + 1 for row in table.index]
    if entry.header is None:
        first = table.iloc[0]
        if first.isna().sum() > len(first) / 2:
            raise UserError(
                f"row {rows[0]} names {int(first.notna().sum())} of {len(first)} columns: is it a title?",
                file=part.name,
                key=f"{entry.name}.skip_lines",
                fix=f"say `skip_lines: {rows[0]}` if the names stand below it, or give `header:`",
            )
        names = _names(["" if pd.isna(cell) else cell for cell in first])
        table, rows = table.iloc[1:], rows[1:]
    else:
        names = list(entry.header)
        if len(names) != table.shape[1]:
            fix = "give one name for each column"
            raise entry.fault(
                f"`header` names {len(names)} columns, the sheet has {table.shape[1]}", key="header", fix=fix
            )
    table.columns = names
    table = table.reset_index(drop=True).infer_objects()
    return Raw(table, ((part.name, len(table), lambda row: f"row {rows[row]}"),))


def read_parquet(part: Part, entry: Entry) -> Raw:
    """A Parquet file; its columns have names and types of their own. An index that pandas stored is one without."""
    table = pq.read_table(io.BytesIO(part.content)).to_pandas(ignore_metadata=True)
    table.columns = ["" if name.startswith("__index_level_") else name for name in table.columns]
    table.columns = _names(list(table.columns))
    return Raw(table, ((part.name, len(table), lambda row: f"row {row + 1}"),))


def read_arff(part: Part, entry: Entry) -> Raw:
    """A file in Weka's attribute-relation format; `?` is missing. The names are the file's own."""
    data, meta = arff.loadarff(io.StringIO(decoded(part, entry)))
    table = pd.DataFrame(data)
    for name in table:
        if meta[name][0] != "numeric":
            table[name] = table[name].str.decode("utf-8")
    return Raw(table, ((part.name, len(table), lambda row: f"row {row + 1}"),))


_CHECK_TEXT = "check `separator`, `header` and `reader` in the entry"
readers.add("csv", joined(separated(None), "separated text", _CHECK_TEXT))
readers.add("whitespace", joined(separated(r"\s+"), "text in columns", _CHECK_TEXT))
readers.add("excel", joined(read_excel, "an Excel workbook", "check `sheet`, `skip_lines` and `header` in the entry"))
readers.add("parquet", joined(read_parquet, "Parquet", "write the file again, or choose another `reader`"))
readers.add("arff", joined(read_arff, "ARFF", "correct the line that it names, or write the table as CSV"))


@readers.register("raw")
def read_bytes(parts: list[Part], entry: Entry) -> Raw:
    """Images of one byte a pixel without a header, one file a class: the class is the file's name.

    Columns: `pixel_R_C` with values 0..255, then `target`. UserError: no `image`, or a file with a part of one.
    """
    if entry.image is None:
        raise entry.fault("raw bytes do not tell the size of an image", key="image", fix="say `image: [height, width]`")
    height, width = entry.image
    tables = []
    for part in parts:
        if not part.content or len(part.content) % (height * width):
            fix = "correct `image`, or download the file again"
            problem = f"{len(part.content)} bytes are no whole number of images of {height} x {width}"
            raise UserError(problem, file=part.name, key=f"{entry.name}.image", fix=fix)
        pixels = np.frombuffer(part.content, dtype=np.uint8).reshape(-1, height, width)
        tables.append(_pixel_table(pixels, np.repeat(Path(part.name).stem, len(pixels))))
    return Raw(pd.concat(tables, ignore_index=True))


def _pixel_table(images: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    n, height, width = images.shape
    names = [f"pixel_{r}_{c}" for r in range(height) for c in range(width)]
    return pd.DataFrame(images.reshape(n, -1), columns=names).assign(target=labels)


@readers.register("idx")
def read_idx(parts: list[Part], entry: Entry) -> Raw:
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
    return Raw(_pixel_table(images[0], labels[0]))


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
