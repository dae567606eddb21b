"""Prepared arrays on disk: an .npz whose bytes depend on its arrays alone."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from l2audit.errors import UserError
from l2audit.files import atomic

# A zip member carries a date and a host system; both are fixed, and nothing is compressed, because the output of
# a compressor differs between versions of zlib.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Prepared:
    """A clean dataset.

    `X`: float64 (n, p), no NaN. `y`: int64 (n,) in 0..K-1 (classification) or float64 (n,) (regression).
    `image`: (height, width) where the columns are pixels, row by row.
    """

    name: str
    task: str
    X: np.ndarray
    y: np.ndarray
    image: tuple[int, int] | None = None


def save_prepared(path: str | Path, prepared: Prepared) -> None:
    """Write `prepared` atomically as an .npz; equal data give equal bytes."""
    save_arrays(
        path,
        {
            "name": np.array(prepared.name),
            "task": np.array(prepared.task),
            "image": np.array(prepared.image or (), dtype=np.int64),
            "X": prepared.X,
            "y": prepared.y,
        },
    )


def save_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write `arrays` as an .npz (readable by `numpy.load`), atomically; equal arrays give equal bytes."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            member.create_system = 3
            member.external_attr = 0o644 << 16
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)


def load_prepared(path: str | Path) -> Prepared:
    """The data that `prepare_dataset` wrote; UserError if the file is not whole."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            height_width = tuple(int(size) for size in archive["image"])
            return Prepared(
                name=str(archive["name"]),
                task=str(archive["task"]),
                X=archive["X"],
                y=archive["y"],
                image=(height_width[0], height_width[1]) if height_width else None,
            )
    except Exception as error:  # what NumPy and zipfile raise at a broken file is of no common kind
        raise UserError(
            f"not a prepared dataset ({error})", file=path, fix="delete the file and run the workflow again"
        ) from error
