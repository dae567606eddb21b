"""Containers, compression and table readers: each pair gives the same table, and what is broken is told."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from l2audit.data.entries import read_entry
from l2audit.data.readers import parts_of, read_raw
from l2audit.errors import UserError
from xls_example import workbook

BASICS = {"licence": "mine", "citation": "me", "description": "A test.", "task": "regression", "target": "y"}
ROWS = pd.DataFrame({"a": np.arange(24) / 4, "b": np.arange(24.0) ** 2, "y": (np.arange(24) * 7 % 24) * 3.0})


def archive(kind: str, members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w") as packed:
            packed.mkdir("folder")
            for name, content in members.items():
                packed.writestr(name, content)
    else:
        with tarfile.open(fileobj=out, mode=kind) as packed:  # type: ignore[call-overload]
            for name, content in members.items():
                item = tarfile.TarInfo(name)
                item.size = len(content)
                packed.addfile(item, io.BytesIO(content))
    return out.getvalue()


def parquet(table: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    table.to_parquet(out)
    return out.getvalue()


WRITERS: dict[str, tuple[Callable[[pd.DataFrame], bytes], dict[str, Any]]] = {
    "csv": (lambda table: table.to_csv(index=False).encode(), {}),
    "semicolons": (lambda table: table.to_csv(index=False, sep=";").encode(), {"separator": ";"}),
    "whitespace": (
        lambda table: table.to_string(index=False, header=False).encode(),
        {"reader": "whitespace", "header": ["a", "b", "y"]},
    ),
    "parquet": (parquet, {"reader": "parquet"}),
    "xlsx": (lambda table: workbook("xlsx", table), {"reader": "excel"}),
    "xls": (lambda table: workbook("xls", table), {"reader": "excel"}),
}
WRAPPERS: dict[str, tuple[Callable[[bytes], bytes], dict[str, Any]]] = {
    "plain": (lambda content: content, {}),
    "gzip": (gzip.compress, {}),
    "zip": (lambda content: archive("zip", {"other": b"?", "folder/t": content}), {"members": ["folder/t"]}),
    "gzip in zip": (lambda content: archive("zip", {"t.gz": gzip.compress(content)}), {"members": ["t.gz"]}),
    "tar": (lambda content: archive("w", {"folder/t": content, "other": b"?"}), {"members": ["folder/t"]}),
    "tar.gz": (lambda content: archive("w:gz", {"t": content}), {"members": ["t"]}),
    "tar.xz": (lambda content: archive("w:xz", {"t": content}), {"members": ["t"]}),
}


def read(folder: Path, content: bytes, **more: Any) -> pd.DataFrame:
    path = folder / "file"
    path.write_bytes(content)
    return read_raw([path], read_entry("mine", BASICS | {"source": f"file:{path}"} | more)).table


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("writer", WRITERS)
def test_every_format_in_every_container(tmp_path: Path, writer: str, wrapper: str) -> None:
    write, how = WRITERS[writer]
    wrap, where = WRAPPERS[wrapper]
    table = read(tmp_path, wrap(write(ROWS)), **how, **where)
    pd.testing.assert_frame_equal(table, ROWS, check_dtype=False)


def test_members_are_joined_in_the_order_declared(tmp_path: Path) -> None:
    halves = {"one": ROWS[:10].to_csv(index=False).encode(), "two": ROWS[10:].to_csv(index=False).encode()}
    table = read(tmp_path, archive("zip", halves), members=["two", "one"])
    expected = pd.concat([ROWS[10:], ROWS[:10]], ignore_index=True)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def test_empty_rows_and_columns_around_a_sheet_are_left_out(tmp_path: Path) -> None:
    wide = ROWS.reindex(range(30)).assign(beyond=np.nan)
    table = read(tmp_path, workbook("xlsx", wide), reader="excel")
    pd.testing.assert_frame_equal(table, ROWS, check_dtype=False)


def test_a_missing_cell_of_a_sheet_stays_missing(tmp_path: Path) -> None:
    holes = ROWS.copy()
    holes.loc[3, "a"] = np.nan
    assert read(tmp_path, workbook("xls", holes), reader="excel")["a"].isna().tolist() == [i == 3 for i in range(24)]


CSV = ROWS.to_csv(index=False).encode()
ZIPPED, TARRED = archive("zip", {"t": CSV}), archive("w:gz", {"t": CSV})


@pytest.mark.parametrize(
    ("content", "more", "told"),
    [
        (ZIPPED, {}, r"mine.members: 'file' is an archive\n  fix: name under `members` which files .* holds t"),
        (TARRED, {}, "'file' is an archive"),
        (ZIPPED, {"members": ["u"]}, r"has no member 'u'\n.* it holds t"),
        (CSV, {"members": ["t"]}, "'file' is no archive"),
        (gzip.compress(CSV)[:-20], {}, "cannot be unpacked"),
        (ZIPPED[:-30], {"members": ["t"]}, "cannot be unpacked"),
        (ZIPPED.replace(b"5.75", b"5.76"), {"members": ["t"]}, "cannot be unpacked: Bad CRC-32"),
        (CSV, {"reader": "excel"}, "cannot be read as an Excel workbook"),
        (CSV, {"reader": "parquet"}, "cannot be read as Parquet"),
        (parquet(ROWS)[:-9], {"reader": "parquet"}, "cannot be read as Parquet"),
        (parquet(ROWS), {"reader": "csv"}, r"mine.reader: its bytes are no text\n  fix: say `reader: parquet`"),
        (b"a,b,y\n1,2,3,4\n1,2,3\n", {}, r"mine.separator: line 2 has 4 cells and there are 3 names: 1,2,3,4\n"),
    ],
)
def test_what_is_broken_is_told(tmp_path: Path, content: bytes, more: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        read(tmp_path, content, **more)


def test_a_folder_in_a_tar_is_no_member(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as packed:
        folder = tarfile.TarInfo("t")
        folder.type = tarfile.DIRTYPE
        packed.addfile(folder)
    path = tmp_path / "file"
    path.write_bytes(out.getvalue())
    entry = read_entry("mine", BASICS | {"source": f"file:{path}", "members": ["t"]})
    with pytest.raises(UserError, match="has no member 't'"):
        parts_of([path], entry)
