"""Raw files to one table.

A reader takes the paths of a dataset's raw files, in the order declared, and its entry, and returns a table that holds
the features and the target column. Several files of one table are joined row by row.
"""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from l2audit.data.entries import Entry
from l2audit.errors import UserError
from l2audit.registry import Registry, UnknownName

Read = Callable[[list[Path], Entry], pd.DataFrame]
readers: Registry[Read] = Registry("reader")

_MISSING = ["", "?", "NA", "N/A", "NaN", "nan", "null", "."]
_GZIP = b"\x1f\x8b"
_IDX_UNSIGNED_BYTE = 0x08
_IDX_IMAGE_DIMENSIONS = 3


def read_raw(paths: list[Path], entry: Entry) -> pd.DataFrame:
    """The table in the raw files of `entry`, by the reader that it declares; its target column is present."""
    try:
        read = readers[entry.reader]
    except UnknownName as error:
        raise entry.fault(str(error), key="reader", fix="use one of the known readers") from None
    table = read(paths, entry)
    if entry.target not in table:
        raise entry.fault(
            f"the table has no column '{entry.target}'",
            key="target",
            fix=f"use one of its columns: {', '.join(map(str, table.columns[:40]))}",
        )
    return table


@readers.register("csv")
def read_csv(paths: list[Path], entry: Entry) -> pd.DataFrame:
    """Comma-separated text (or `separator`), UTF-8, plain or compressed by its suffix.

    The first line names the columns unless the entry gives `header`. An empty cell,
    `?`, `.`, `NA`, `NaN` and `null` are missing.
    """
    tables = []
    for path in paths:
        try:
            with warnings.catch_warnings():
                # Rows with more cells than there are names: pandas warns and cuts them off.
                warnings.simplefilter("error", pd.errors.ParserWarning)
                table = pd.read_csv(
                    path,
                    sep=entry.separator,
                    na_values=_MISSING,
                    keep_default_na=False,
                    skipinitialspace=True,
                    index_col=False,
                    header=0 if entry.header is None else None,
                    names=None if entry.header is None else list(entry.header),
                )
        except (ValueError, OSError, EOFError, pd.errors.ParserWarning) as error:
            raise UserError(
                f"cannot be read as separated text: {error}",
                file=path,
                key=f"{entry.name}.reader",
                fix="check `separator` and `header` in the entry, and that the file is UTF-8 text",
            ) from error
        tables.append(table.rename(columns=str))
    return pd.concat(tables, ignore_index=True)


@readers.register("idx")
def read_idx(paths: list[Path], entry: Entry) -> pd.DataFrame:
    """Images and labels in the IDX format of MNIST (LeCun, Cortes & Burges), gzipped or not.

    One file holds unsigned bytes (n, height, width), another the labels (n,), in either order. Columns: `pixel_R_C`
    with values 0..255, then `target`.
    """
    arrays = [parse_idx(path) for path in paths]
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


def parse_idx(path: Path) -> np.ndarray:
    """The uint8 array in an IDX file: bytes 0 0 8 d, then d big-endian 32-bit sizes, then the values."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(_GZIP) else content
        if len(content) < 4 or content[:3] != bytes([0, 0, _IDX_UNSIGNED_BYTE]):
            raise ValueError("the first bytes are not those of IDX with unsigned bytes")
        rank = content[3]
        shape = tuple(int(size) for size in np.frombuffer(content, dtype=">u4", count=rank, offset=4))
        return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(
            f"not a whole IDX file: {error}", file=path, fix="delete the file and download it again"
        ) from error
