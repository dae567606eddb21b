"""The bytes of tables to one table.

A reader takes the parts of a dataset (`l2audit.data.containers`), in the order declared, and its entry, and returns a
table that holds the features and the target column. Several parts of one table are joined row by row.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from l2audit.data.containers import Part, parts_of
from l2audit.data.entries import Entry
from l2audit.errors import UserError
from l2audit.registry import Registry, UnknownName

Read = Callable[[list[Part], Entry], pd.DataFrame]
ReadOne = Callable[[io.BytesIO, Entry], pd.DataFrame]
readers: Registry[Read] = Registry("reader")

_MISSING = ["", "?", "NA", "N/A", "NaN", "nan", "null", "."]
_IDX_UNSIGNED_BYTE = 0x08
_IDX_IMAGE_DIMENSIONS = 3


def read_raw(paths: list[Path], entry: Entry) -> pd.DataFrame:
    """The table in the raw files of `entry`, by the reader that it declares; its target column is present."""
    try:
        read = readers[entry.reader]
    except UnknownName as error:
        raise entry.fault(str(error), key="reader", fix="use one of the known readers") from None
    table = read(parts_of(paths, entry), entry)
    if entry.target not in table:
        raise entry.fault(
            f"the table has no column '{entry.target}'",
            key="target",
            fix=f"use one of its columns: {', '.join(map(str, table.columns[:40]))}",
        )
    return table


def joined(read: ReadOne, format_: str, fix: str) -> Read:
    """A reader of any number of parts, made of one that reads a single part; a part that it cannot read is told."""

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
