"""Raw data: data/raw/<name>/ with the files of a dataset and `manifest.json`, whatever its source.

The manifest is written last and only when every file is whole: it is what the workflow rule makes. Its bytes depend on
the entry and the data alone; the address that served a file is not in it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from l2audit.data.bundled import load_bundled, package_of
from l2audit.data.entries import Entry, RemoteFile, read_entry
from l2audit.data.synthetic import generate
from l2audit.data.transfer import Patience, is_whole, transfer
from l2audit.errors import UserError
from l2audit.files import atomic, sha256_of, write_text

MANIFEST = "manifest.json"
TABLE = "table.csv"
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


def download_dataset(
    name: str, declared: Mapping[str, Any], directory: str | Path, mirror: str | None = None, offline: bool = False
) -> Path:
    """Put the raw files of dataset `name` into `directory` and return the path of its manifest.

    `declared`: the dataset's entry in `config/datasets.yaml`. `mirror`: a base address that https://HOST/PATH is
    rewritten to, BASE/HOST/PATH. `offline`: use the network for nothing. Files that are there with the right bytes are
    not fetched again. UserError for whatever the user can mend.
    """
    entry = read_entry(name, declared)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    paths = _obtain[entry.kind](entry, folder, mirror, offline)
    origin = {file.name: file.url for file in entry.files}
    manifest = {
        "dataset": name,
        "source": entry.source,
        "package": package_of(entry) if entry.kind == "bundled" else None,
        "files": [
            {
                "name": path.name,
                "bytes": path.stat().st_size,
                "sha256": sha256_of(path),
                "url": origin.get(path.name),
            }
            for path in paths
        ],
    }
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return folder / MANIFEST


def fetch(
    files: Sequence[RemoteFile],
    directory: str | Path,
    mirror: str | None = None,
    offline: bool = False,
    patience: Patience | None = None,
) -> list[Path]:
    """`files` in `directory`, each with the right SHA-256, in the order given.

    Offline, a missing or wrong file ends in one UserError that lists them all, with the place where each belongs.
    """
    folder = Path(directory)
    if not offline:
        return [transfer(file, folder, mirror, patience or Patience()) for file in files]
    absent = missing_files(files, folder)
    if absent:
        lines = "".join(f"\n    {line}" for line in absent)
        raise UserError(
            f"offline, and {len(absent)} of {len(files)} files are not there:{lines}",
            file=folder,
            fix="put each file at the path shown, or unset L2AUDIT_OFFLINE to download it",
        )
    return [folder / file.name for file in files]


def missing_files(files: Sequence[RemoteFile], directory: str | Path) -> list[str]:
    """A line for every one of `files` that `directory` does not hold whole: its path, size, SHA-256 and address."""
    lines = []
    for file in files:
        path = Path(directory) / file.name
        if not is_whole(path, file):
            state = " (there with other bytes)" if path.exists() else ""
            size = f"{file.bytes} bytes, " if file.bytes is not None else ""
            lines.append(f"{path}{state}: {size}SHA-256 {file.sha256}, from {file.url}")
    return lines


def local_path(declared: Mapping[str, Any]) -> str | None:
    """The path in `source: file:PATH`, relative to the working directory; None for any other source.

    The workflow makes it an input of the download rule, so that an edited file is read again.
    """
    kind, _, locator = str(declared.get("source", "")).partition(":")
    return locator if kind == "file" else None


def network_settings(environment: Mapping[str, str]) -> tuple[str | None, bool]:
    """(mirror, offline) from L2AUDIT_MIRROR and L2AUDIT_OFFLINE; UserError if the latter is neither yes nor no."""
    told = environment.get("L2AUDIT_OFFLINE", "").strip().lower()
    if told not in (*_YES, *_NO):
        raise UserError(f"'{told}' is neither yes nor no", key="L2AUDIT_OFFLINE", fix="set it to 1 or 0")
    return environment.get("L2AUDIT_MIRROR", "").strip() or None, told in _YES


def _from_network(entry: Entry, folder: Path, mirror: str | None, offline: bool) -> list[Path]:
    return fetch(entry.files, folder, mirror, offline)


def _from_disk(entry: Entry, folder: Path, mirror: str | None, offline: bool) -> list[Path]:
    source = Path(entry.locator)
    if not source.is_file():
        raise entry.fault(
            f"there is no file '{source}'", key="source", fix="give its path from the folder you run the workflow in"
        )
    with atomic(folder / source.name) as temporary:
        shutil.copyfile(source, temporary)
    return [folder / source.name]


def _from_code(make: Callable[[Entry], pd.DataFrame]) -> Callable[[Entry, Path, str | None, bool], list[Path]]:
    def write(entry: Entry, folder: Path, mirror: str | None, offline: bool) -> list[Path]:
        with atomic(folder / TABLE) as temporary:
            make(entry).to_csv(temporary, index=False, lineterminator="\n")
        return [folder / TABLE]

    return write


_obtain: dict[str, Callable[[Entry, Path, str | None, bool], list[Path]]] = {
    "bundled": _from_code(load_bundled),
    "synthetic": _from_code(generate),
    "file": _from_disk,
    "https": _from_network,
}
