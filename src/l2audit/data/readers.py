"""Raw files to one table: archives are opened, compression is undone, the bytes are read.

Three layers, each chosen on its own. A container (zip, tar) gives members. Gzip gives the bytes inside a member. A
reader turns the parts, in the order declared, into a table with the features and the target column. Containers,
compression and the format are recognised by their content, never by a file's name; text is read as `csv`.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import re
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pandas.api.types import is_hashable, is_numeric_dtype, is_string_dtype

from l2audit.data.entries import Entry, as_yaml
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
    `warnings`: what was left out and could be wanted.
    """

    table: pd.DataFrame
    places: tuple[tuple[str, int, Callable[[int], str]], ...] = ()
    notes: tuple[str, ...] = ()
    codes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

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
HEEDED = {
    "header": ("csv", "whitespace", "excel", "parquet", "arff"),
    "skip_lines": ("csv", "whitespace", "excel"),
    "separator": ("csv",),
    "comment": ("csv", "whitespace"),
    "encoding": ("csv", "whitespace", "arff"),
    "sheet": ("excel",),
}
"""Keys that some readers heed -> these readers."""


def reader_of(part: Part) -> str:
    """The reader that the first bytes of a part ask for; `csv` where they tell nothing."""
    for signature, name in SIGNATURES.items():
        if part.content.startswith(signature):
            return name
    lines = (line.strip().lower() for line in part.content[:65536].splitlines())
    first = next((line for line in lines if line and not line.startswith(b"%")), b"")
    return "arff" if first.removeprefix(b"\xef\xbb\xbf").startswith(b"@relation") else "csv"


def read_raw(paths: list[Path], entry: Entry) -> Raw:
    """The table in the raw files of `entry`, by the reader that it declares; its target column is present.

    Blanks around names and cells are taken away. A column without a name is left out where it holds nothing, or the
    numbers of the rows; else it is a fault, as are two columns of one name.
    """
    parts = parts_of(paths, entry)
    for part in parts:
        if re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html)", part.content[:1000], re.IGNORECASE):
            fix = "download the table itself, not the page that links to it or asks for a login"
            raise UserError("this is an HTML page and no table", file=part.name, key=f"{entry.name}.source", fix=fix)
    name = entry.reader or reader_of(parts[0])
    read = entry.known(readers, name, "reader")
    given = {one.name for one in fields(Entry) if one.name in HEEDED and getattr(entry, one.name) != one.default}
    for key in sorted(given):
        if name not in HEEDED[key]:
            told = ", ".join(HEEDED[key])
            fix = f"remove the key `{key}`, or say which `reader` is right"
            raise entry.fault(f"the reader `{name}` does not heed this key, which is for {told}", key=key, fix=fix)
    raw = read(parts, entry)
    if entry.target in raw.table:
        return raw
    columns = [str(column) for column in raw.table.columns]
    if len(columns) == 1 and (found := _separator_in(columns[0])):
        raise entry.fault(
            f"the table has a single column, '{one_line(columns[0])}'", key="separator", fix=f"say `{found}`"
        )
    shown = ", ".join(map(repr, columns[:40]))
    if sum(map(_is_number, columns)) > len(columns) / 2:
        fix = f"its first line seems to hold values: name its {len(columns)} columns under `header`"
        raise entry.fault(f"the table has no column '{entry.target}', it has {shown}", key="header", fix=fix)
    same = [column for column in columns if column.casefold() == entry.target.casefold()]
    fix = (
        f"say `target: {as_yaml(same[0])}`"
        if same
        else near(entry.target, columns) or f"use one of its columns: {shown}"
    )
    raise entry.fault(f"the table has no column '{entry.target}'", key="target", fix=fix)


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[-+]?(\d[\d.,' ]*|[.,]\d+)([eE][-+]?\d+)?", cell.strip()) is not None


def _separator_in(text: str) -> str:
    counts = {mark: text.count(mark) for mark in (";", "\t", "|", ",")}
    best = max(counts, key=lambda mark: counts[mark])
    if not counts[best]:
        return "reader: whitespace" if re.search(r"\S\s+\S", text) else ""
    return f'separator: "{best}"'.replace("\t", "\\t")


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
        for part, one in zip(parts[1:], found[1:], strict=True):
            if set(one.table) != set(found[0].table):
                odd = sorted(map(str, set(one.table) ^ set(found[0].table)))
                raise UserError(
                    f"its columns are not those of {Path(parts[0].name).name}: {', '.join(map(repr, odd[:_SHOWN]))}",
                    file=part.name,
                    key=f"{entry.name}.{'members' if entry.members else 'files'}",
                    fix="list files of equal columns alone, or correct the names in one of them",
                )
        table = pd.concat([one.table for one in found], ignore_index=True)
        wanted = {entry.target, *entry.drop, *entry.categorical}
        empty = [str(name) for name in table if name not in wanted and table[name].isna().all()]
        return Raw(
            table.drop(columns=empty) if len(table) else table,
            tuple(place for one in found for place in one.places),
            tuple(dict.fromkeys(note for one in found for note in one.notes)),
            {name: frozenset().union(*(one.codes.get(name, ()) for one in found)) for name in map(str, table)},
            (
                *dict.fromkeys(warning for one in found for warning in one.warnings),
                *(f"the column '{name}' holds nothing: left out" for name in empty if len(table)),
            ),
        )

    return read_all


_SHOWN = 8


def _tidied(raw: Raw, entry: Entry, part: Part) -> Raw:
    """The same with blanks stripped, missing cells marked, numbers read as numbers, and no column without a name."""
    table, notes, warnings, codes = raw.table, list(raw.notes), list(raw.warnings), dict(raw.codes)
    names = [str(name).strip() for name in table.columns]
    if all(re.fullmatch(r"'[^']*'", name) for name in names):
        names = [name[1:-1].strip() for name in names]
    table.columns = names
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        places = [str(k + 1) for k, name in enumerate(names) if name == repeated[0]]
        others = as_yaml(name if number == 0 else f"{name} {number + 1}" for name, number in _counted(names))
        named = entry.header is None and not part.content.startswith(b"PAR1")
        lines = f" with `skip_lines: {entry.skip_lines + 1}`" if named else ""
        raise UserError(
            f"two columns are called '{repeated[0]}' (columns {' and '.join(places)})",
            file=part.name,
            key=f"{entry.name}.header",
            fix=f"give each column a name of its own: `header: {others}`{lines}",
        )
    pieces = []
    for number, name in enumerate(names):
        if name in entry.drop:
            pieces.append(table[name])
            continue
        series, told, marks = _cells(table[name], entry)
        if told and name in (entry.target, *entry.categorical):
            notes.append(f"{name}: {told}")
        if marks:
            codes[name] = codes.get(name, frozenset()) | marks
        if name == UNNAMED.format(number + 1) and entry.header is None:
            if series.isna().all():  # what a separator at the end of each line makes
                continue
            if is_numeric_dtype(series) and (np.diff(series.to_numpy(float)) == 1).all():
                warnings.append(f"{name} has no name and numbers the rows: left out")
                continue
            raise UserError(
                f"column {number + 1} has no name (it begins {', '.join(map(repr, series.head(3).tolist()))})",
                file=part.name,
                key=f"{entry.name}.drop",
                fix=f"say `drop: [{as_yaml(name)}]`, or name it in the file",
            )
        pieces.append(series)
    table = pd.concat(pieces, axis=1) if pieces else table.iloc[:, :0]
    kept = {name: codes[name] for name in codes if name in table}
    return Raw(table, raw.places, tuple(notes + warnings), kept, tuple(warnings))


def _counted(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Each name and how often it stood before."""
    seen: Counter[str] = Counter()
    for name in names:
        yield name, seen[name]
        seen[name] += 1


def _cells(series: pd.Series, entry: Entry) -> tuple[pd.Series, str, frozenset[str]]:
    """A column without blanks and quotes around its cells, NaN where one is missing; what was done; marks in text."""
    nothing: frozenset[str] = frozenset()
    marks = MISSING if entry.missing_values is None else entry.missing_values
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    if series.dtype.kind in "mM":
        return series.astype(str).where(series.notna()), "", nothing
    known = series.dropna()
    if series.dtype == object and len(known) and known.map(lambda cell: isinstance(cell, Decimal)).all():
        series = series.astype(float)
    if not (is_string_dtype(series.dtype) or series.dtype == object):
        numbered = [number for number in map(_as_float, marks) if number is not None]
        gone = series.isin(numbered) | series.isna() if series.dtype.kind in "iuf" else series.isna()
        return series.astype(float).where(~gone) if gone.any() else series, "", nothing
    if not known.map(is_hashable).all():
        problem, fix = f"the column '{series.name}' holds lists", f"say `drop: [{as_yaml(str(series.name))}]`"
        raise entry.fault(problem, key="drop", fix=fix)
    is_text = series.map(lambda cell: isinstance(cell, str)).astype(bool)
    words = series[is_text].str.strip()
    told = "" if words.equals(series[is_text]) else "blanks around its cells are left out"
    if len(words) and words.str.fullmatch(r"'[^']*'").all():
        words, told = words.str[1:-1].str.strip(), "single quotes around its cells are left out"
    gone = words.isin(["", *marks])
    series = series.astype(object)
    series[is_text] = words.where(~gone, np.nan).astype(object)
    left = series.dropna()
    truth = left.map(lambda cell: _TRUTH.get(cell.casefold()) if isinstance(cell, str) else cell)
    if len(left) and truth.map(lambda cell: isinstance(cell, (bool, np.bool_))).all():
        truth = truth.astype(bool)
        return truth if len(left) == len(series) else truth.astype(object).reindex(series.index), told, nothing
    numbers = pd.to_numeric(left.map(lambda cell: plain_number(cell, entry)), errors="coerce")
    if len(left) and numbers.notna().all():
        return numbers.reindex(series.index), "", nothing
    return series, told, frozenset(words[gone & (words != "")])


_TRUTH = {"true": True, "false": False}


def _as_float(mark: str) -> float | None:
    try:
        return float(mark)
    except ValueError:
        return None


def plain_number(cell: object, entry: Entry) -> object:
    """A cell of text as Python writes numbers; None: whole, and too large for a float to hold its last digit."""
    if not isinstance(cell, str):
        return None if isinstance(cell, (int, np.integer)) and abs(int(cell)) > EXACT else cell
    if entry.thousands and entry.thousands in cell:
        if not _grouped(entry).fullmatch(cell):
            return None
        cell = cell.replace(entry.thousands, "")
    if entry.decimal != ".":
        cell = cell.replace(".", "x").replace(entry.decimal, ".")
    digits = re.fullmatch(r"[-+]?\d{16,400}", cell) is not None and abs(int(cell)) > EXACT
    return None if digits or cell.casefold() in _TRUTH else cell


EXACT = 2**53
"""Above it a float64 cannot tell a whole number from the next."""


def _grouped(entry: Entry) -> re.Pattern[str]:
    """Numbers whose thousands are set apart, the Indian way too."""
    sign, point = re.escape(entry.thousands or ""), re.escape(entry.decimal)
    return re.compile(rf"[-+]?\d{{1,3}}({sign}\d{{2,3}})*{sign}\d{{3}}({point}\d*)?([eE][-+]?\d+)?")


def decoded(part: Part, entry: Entry) -> str:
    """The text of a part: UTF-8, or UTF-16 where it begins so, unless the entry names its `encoding`.

    UserError: it is none, with the line and what it would read in a Western encoding.
    """
    content = part.content
    encoding = entry.encoding or ("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    key = f"{entry.name}.encoding"
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if re.search(rb"[\x00-\x08]", content[:4096]) and not encoding.startswith("utf-16"):
            other = reader_of(part)
            fix = f"say `reader: {other}`" if other != "csv" else "give the table as text, Parquet or a workbook"
            raise UserError("its bytes are no text", file=part.name, key=f"{entry.name}.reader", fix=fix) from None
        line = content.count(b"\n", 0, error.start) + 1
        guess = "cp1252" if re.search(rb"[\x80-\x9f]", content) else "latin-1"
        shown = one_line(content.split(b"\n")[line - 1].decode(guess, errors="replace"), 200)
        raise UserError(
            f"line {line} is not {error.encoding.upper()} text; as {guess} it says: {shown}",
            file=part.name,
            key=key,
            fix=f"if that is right say `encoding: {guess}`, otherwise the encoding that the file was saved in",
        ) from None
    except (LookupError, UnicodeError) as error:
        fix = "use a name that Python knows, such as `utf-8`, `latin-1`, `cp1252` or `utf-16`"
        raise UserError(f"cannot be read in this encoding: {error}", file=part.name, key=key, fix=fix) from None
    if "\0" in text:
        wide = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be" if content[:1] == b"\0" else ""
        fix = f"say `encoding: {wide}`" if wide else "give the table as text, Parquet or a workbook"
        problem = (
            f"line {text[: text.index(chr(0))].count(chr(10)) + 1} holds zero bytes, so it is no text in {encoding}"
        )
        raise UserError(problem, file=part.name, key=key if wide else f"{entry.name}.reader", fix=fix)
    return text


def separated(separator: str | None) -> ReadOne:
    """A reader of text whose cells are separated by the expression `separator` (None: as the entry says).

    The first line that is not skipped names the columns, unless the entry gives `header`. The lines are taken apart
    here, so that each row has its line, and pandas reads the cells.
    """

    def read(part: Part, entry: Entry) -> Raw:
        mark = separator or entry.separator
        if mark == entry.decimal:
            fix = 'a file with decimal commas has `separator: ";"` or a tab'
            raise entry.fault("the decimal sign is that of the separator", key="separator", fix=fix)
        rows = _rows(decoded(part, entry), mark, entry, part)
        first = next(rows, None)
        if first is None:
            raise ValueError("there is no line with cells" + " below those skipped" * bool(entry.skip_lines))
        names = list(entry.header) if entry.header is not None else _names(first[1])
        text, lines, widths, begin = io.StringIO(), list[int](), Counter[int](), list[tuple[int, list[str]]]()
        writer = csv.writer(text, delimiter=_UNIT, lineterminator="\n")
        odd: tuple[int, list[str]] | None = None
        for line, cells in rows if entry.header is None else itertools.chain([first], rows):
            while len(cells) > len(names) and not cells[-1].strip():
                cells.pop()
            remark = entry.comment is None and len(cells) < len(names) and cells[0][:1] in ("#", "%")
            if odd is None and (len(cells) > len(names) or remark):
                odd = line, cells
            if len(begin) < 3:
                begin.append((line, cells))
            joined = _UNIT.join(cells)
            if joined.count(_UNIT) == len(cells) - 1 and not any(sign in joined for sign in '"\r\n'):
                text.write(f"{joined}\n")
            else:
                writer.writerow(cells[: len(names)])
            lines.append(line)
            widths[len(cells)] += 1
        named = max((k + 1 for k, name in enumerate(names) if name != UNNAMED.format(k + 1)), default=0)
        if odd is not None:
            raise _misfit(part, entry, mark, names, first, odd, begin, widths)
        if entry.header is not None and [cell.strip() for cell in first[1]] == names:
            problem = f"line {first[0]} holds the names that `header` gives, and is no row"
            raise entry.fault(problem, key="skip_lines", fix=f"say `skip_lines: {first[0]}`, or remove `header`")
        if widths and max(widths) < named:
            told = f"`header` names {len(names)} columns" if entry.header else f"line {first[0]} names {named} columns"
            raise entry.fault(
                f"{told} and the lines of {Path(part.name).name} have {max(widths)} cells",
                key="header",
                fix="give one name for each column, and check `separator`",
            )
        return _parsed(text.getvalue(), names, lines, entry, part)

    return read


_UNIT = "\x1f"
_LAST = "\x1e"


def _parsed(text: str, names: list[str], lines: list[int], entry: Entry, part: Part) -> Raw:
    """What pandas reads in lines that `separated` took apart, and the words in it that it took for missing cells."""
    says: dict[str, Any] = {"sep": _UNIT, "header": None, "names": range(len(names)), "index_col": False}
    says |= {"keep_default_na": False, "skip_blank_lines": False, "low_memory": False}
    marks = ["", *(MISSING if entry.missing_values is None else entry.missing_values)]
    numbers = says | {"na_values": marks, "decimal": entry.decimal, "thousands": entry.thousands}
    table = pd.read_csv(io.StringIO(text), **numbers) if lines else pd.DataFrame(columns=range(len(names)))
    codes: dict[str, frozenset[str]] = {}
    for k, name in enumerate(names):
        is_text, missing = is_string_dtype(table[k]), table[k].isna()
        large = table[k].dtype.kind == "f" and bool((table[k].abs() > EXACT).any())
        if not ((is_text and missing.any()) or (entry.thousands and is_numeric_dtype(table[k])) or large):
            continue
        cells = pd.read_csv(io.StringIO(text), **says, dtype=str, na_values=[], usecols=[k])[k].str.strip()
        if large and cells[~missing].map(lambda cell: plain_number(cell, entry) is None).any():
            table[k] = cells.where(~missing)  # digits that a float would lose
        elif is_text:
            codes[name] = codes.get(name, frozenset()) | frozenset(cells[missing].dropna()) - {""}
        if is_text or not entry.thousands:
            continue
        signed = cells[cells.str.contains(str(entry.thousands), regex=False, na=False) & ~missing]
        odd = signed[~signed.str.fullmatch(_grouped(entry).pattern)]
        if len(odd) and name not in entry.drop:
            problem = f"'{odd.iloc[0]}' in column '{name}' has no thousands set apart by '{entry.thousands}'"
            fix = f'correct `thousands`, or say `decimal: "{entry.thousands}"` in its place'
            place = f"line {lines[int(odd.index[0])]} of {Path(part.name).name}"
            raise entry.fault(f"{problem}, in {place}", key="thousands", fix=fix)
    table.columns = names
    return Raw(table, ((part.name, len(table), lambda row: f"line {lines[row]}"),), codes=codes)


def _misfit(
    part: Part,
    entry: Entry,
    mark: str,
    names: list[str],
    first: tuple[int, list[str]],
    odd: tuple[int, list[str]],
    begin: list[tuple[int, list[str]]],
    widths: Counter[int],
) -> UserError:
    """The fault of a line with more cells than names, or of a remark, with what is most likely meant."""
    (line, cells), usual = odd, widths.most_common(1)[0][0]
    key, fix = "header", "correct the line, or `separator`, or `header` in the entry"
    other = _separator_in(first[1][0]) if len(first[1]) == 1 else ""
    narrow = entry.header is None and usual > len(names) and widths[usual] > 0.9 * widths.total()
    remark = next((row[0][0] for _, row in (first, odd) if row[0][:1] in ("#", "%") and len(row) < usual), None)
    if remark or (cells[0][:1] in ("#", "%") and len(cells) < len(names)):
        key, fix = "comment", f'say `comment: "{remark or cells[0][0]}"`'
    elif entry.reader is None and other.startswith("sep") and f'"{mark}"' not in other:
        key, fix = "separator", f"say `{other}`"
    elif narrow and begin[0][1] and len(begin[0][1]) == usual and not any(map(_is_number, begin[0][1])):
        key, fix = "skip_lines", f"say `skip_lines: {begin[0][0] - 1}` if the names stand in line {begin[0][0]}"
    elif narrow and usual == len(names) + 1:
        given = as_yaml(["row", *names])
        fix = f"if the first cell names the row say `header: {given}`, `skip_lines: {first[0]}` and `drop: [row]`"
    elif entry.header is None:
        key = "separator"
    return UserError(
        f"line {line} has {len(cells)} cells and there are {len(names)} names: {one_line(mark.join(cells), 200)}",
        file=part.name,
        key=f"{entry.name}.{key}",
        fix=fix,
    )


def _rows(text: str, separator: str, entry: Entry, part: Part) -> Iterator[tuple[int, list[str]]]:
    """The lines with cells, that of names too: the number of each in the file, and its cells.

    Lines of separators alone are rows without a value, but for those above the first row and below the last.
    """
    csv.field_size_limit(2**31 - 1)
    lines: Iterable[str] = itertools.islice(io.StringIO(text, newline=""), entry.skip_lines, None)
    if entry.comment:
        lines = (_without_comment(line, entry.comment) for line in lines)
    if separator == r"\s+":
        lines, separator = (" ".join(line.split()) + "\n" for line in lines), " "
    rows: Iterator[tuple[int, list[str]]]
    if len(separator) > 1:
        expression = re.escape(separator) if separator in text else separator
        rows = enumerate((re.split(expression, line.strip("\r\n")) for line in lines), start=1)
    else:
        reader = csv.reader(itertools.chain(lines, ["\n", _LAST]), delimiter=separator, skipinitialspace=True)
        rows = ((reader.line_num, row) for row in reader)
    before, blank, begun = entry.skip_lines, list[tuple[int, list[str]]](), False
    for number, row in rows:
        line = number + entry.skip_lines
        if row and row[-1].endswith(_LAST):
            if row != [_LAST]:
                problem = f"a quote that begins in line {before + 1} or after it does not end: {one_line(row[0], 80)}"
                fix = "close the quote, or take it away"
                raise UserError(problem, file=part.name, key=f"{entry.name}.source", fix=fix)
            return
        if any(cell.strip() for cell in row):
            yield from blank
            yield line, row
            blank, begun = [], True
        elif begun and len(row) > 1:
            blank.append((line, row))
        before = line


def _without_comment(line: str, sign: str) -> str:
    """A line up to the first comment sign that no quotes surround."""
    at = line.find(sign)
    while at >= 0 and line.count('"', 0, at) % 2:
        at = line.find(sign, at + 1)
    return line if at < 0 else line[:at].rstrip() + "\n"


def _names(cells: Sequence[object]) -> list[str]:
    """Names of columns; those without one are numbered."""
    plain = (int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in cells)
    return [str(cell).strip() or UNNAMED.format(k + 1) for k, cell in enumerate(plain)]


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
    if table.empty:
        others = [name for name in book.sheet_names if name != sheets[entry.sheet]]
        fix = f"use one of {', '.join(map(repr, others))}" if others else "give a sheet with a table"
        raise entry.fault(f"the sheet {entry.sheet!r} is empty", key="sheet", fix=fix)
    rows = [int(row) + entry.skip_lines + 1 for row in table.index]
    if entry.header is None:
        first = table.iloc[0]
        names = _names(["" if pd.isna(cell) else cell for cell in first])
        if entry.target not in names and (other := _sheet_with(book, entry)):
            problem = f"the sheet {sheets[entry.sheet]!r} has no column '{entry.target}'"
            raise entry.fault(problem, key="sheet", fix=f"say `sheet: {as_yaml(other)}`")
        if first.isna().sum() >= len(first) / 2:
            raise UserError(
                f"row {rows[0]} names {int(first.notna().sum())} of {len(first)} columns: is it a title?",
                file=part.name,
                key=f"{entry.name}.skip_lines",
                fix=f"say `skip_lines: {rows[0]}` if the names stand below it, or give `header:`",
            )
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


def _sheet_with(book: pd.ExcelFile, entry: Entry) -> str:
    """The first sheet in whose first rows the target is named."""
    number = book.sheet_names.index(entry.sheet) if isinstance(entry.sheet, str) else entry.sheet - 1
    for name in [*book.sheet_names[:number], *book.sheet_names[number + 1 :]]:
        rows = pd.read_excel(book, sheet_name=name, header=None, nrows=20, dtype=object)
        if rows.map(lambda cell: str(cell).strip() == entry.target).to_numpy().any():
            return str(name)
    return ""


def read_parquet(part: Part, entry: Entry) -> Raw:
    """A Parquet file; its columns have names and types of their own. An index that pandas stored is one without."""
    table = pq.ParquetFile(io.BytesIO(part.content)).read().to_pandas(ignore_metadata=True)
    table.columns = _names(["" if name.startswith("__index_level_") else name for name in table.columns])
    return Raw(_renamed(table, entry), ((part.name, len(table), lambda row: f"row {row + 1}"),))


def read_arff(part: Part, entry: Entry) -> Raw:
    """A file in Weka's attribute-relation format; `?` is missing. The names are the file's own.

    UserError: a line with more or fewer cells than there are attributes, or with a value that its attribute lacks.
    """
    names, allowed, text, lines, begun = list[str](), list[set[str]](), io.StringIO(), list[int](), False
    writer = csv.writer(text, delimiter=_UNIT, lineterminator="\n")
    for number, line in enumerate(io.StringIO(decoded(part, entry)), start=1):
        words = line.strip()
        attribute = None if begun else re.match(r"(?i)@attribute\s+('[^']*'|\"[^\"]*\"|\S+?)\s*([{].*|\s\S+)", words)
        if attribute:
            names.append(attribute[1].strip("'\""))
            allowed.append(set(_arff_cells(attribute[2].strip("{} \t"))) if attribute[2].startswith("{") else set())
        begun = begun or words.lower().startswith("@data")
        if not begun or not words or words[0] in "%@":
            continue
        cells = [] if words.startswith("{") else ["" if cell == "?" else cell for cell in _arff_cells(words)]
        odd = [cell for cell, values in zip(cells, allowed, strict=False) if cell and values and cell not in values]
        if len(cells) != len(names) or odd:
            told = f"has {len(cells)} cells and there are {len(names)} attributes"
            told = "is sparse" if not cells else f"holds '{odd[0]}', which its attribute does not list" if odd else told
            fix = "correct the line, or write the table as CSV"
            raise UserError(f"line {number} {told}", file=part.name, key=f"{entry.name}.source", fix=fix)
        writer.writerow(cells)
        lines.append(number)
    raw = _parsed(text.getvalue(), names, lines, entry, part)
    return Raw(_renamed(raw.table, entry), raw.places, codes=raw.codes if entry.header is None else {})


def _arff_cells(line: str) -> list[str]:
    """The cells of a line: between commas, in single or double quotes or none."""
    cells = re.findall(r"\s*('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^,]*)\s*(?:,|$)", line)
    cells = cells if line.rstrip().endswith(",") else cells[:-1] or cells
    return [re.sub(r"\\(.)", r"\1", cell[1:-1]) if cell[:1] in ("'", '"') else cell.strip() for cell in cells]


def _renamed(table: pd.DataFrame, entry: Entry) -> pd.DataFrame:
    """The same under the names that the entry gives, if it gives any."""
    if entry.header is None:
        return table
    if len(entry.header) != table.shape[1]:
        problem = f"`header` names {len(entry.header)} columns, the file has {table.shape[1]}"
        raise entry.fault(problem, key="header", fix="give one name for each column")
    return table.set_axis(list(entry.header), axis=1)


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
    names = [Path(part.name.rpartition(": ")[2]).stem for part in parts]
    if len(set(names)) < len(names):
        fix = "give each class a file with a name of its own"
        raise entry.fault(f"two files would be one class: {', '.join(names)}", key="members", fix=fix)
    for name, part in zip(names, parts, strict=True):
        if not part.content or len(part.content) % (height * width):
            fix = "correct `image`, or download the file again"
            problem = f"{len(part.content)} bytes are no whole number of images of {height} x {width}"
            raise UserError(problem, file=part.name, key=f"{entry.name}.image", fix=fix)
        pixels = np.frombuffer(part.content, dtype=np.uint8).reshape(-1, height, width)
        tables.append(_pixel_table(pixels, np.repeat(name, len(pixels))))
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
