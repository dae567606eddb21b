"""`data/raw/<name>/manifest.json`: which raw files a dataset is made of, and their SHA-256.

It is written last and only when every file is whole: it is what the workflow's download rule makes. Its bytes depend
on the entry and the data alone: it names neither the server that answered nor the folder that a file lay in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from l2audit.data.entries import Entry
from l2audit.errors import UserError
from l2audit.files import sha256_of, write_text

MANIFEST = "manifest.json"


def write_manifest(
    folder: Path, entry: Entry, files: Sequence[Path], origin: dict[str, str], package: str | None
) -> Path:
    """List `files` of `folder`, with size and SHA-256; `origin`: file name -> address, where it has one."""
    manifest = {
        "dataset": entry.name,
        "source": entry.public_source,
        "package": package,
        "files": [
            {
                "name": path.name,
                "bytes": path.stat().st_size,
                "sha256": sha256_of(path),
                "url": origin.get(path.name),
            }
            for path in files
        ],
    }
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return folder / MANIFEST


def listed_files(raw: Path, entry: Entry) -> list[dict[str, Any]]:
    """Name, bytes, sha256 and url of each file, in order. `raw`: the manifest, or its folder. UserError without one."""
    manifest = path_of(raw)
    try:
        text = manifest.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"no manifest of dataset '{entry.name}' ({error.strerror})",
            file=manifest,
            fix="run the workflow again: it downloads the dataset",
        ) from error
    try:
        return [{key: item[key] for key in ("name", "bytes", "sha256", "url")} for item in json.loads(text)["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"not a whole manifest of dataset '{entry.name}' ({type(error).__name__})",
            file=manifest,
            fix=f"delete {manifest} and run the workflow again: it downloads the dataset",
        ) from error


def verified_files(raw: Path, entry: Entry) -> dict[Path, str]:
    """The raw files that the manifest lists, each with its SHA-256, in order; UserError if one is not as recorded."""
    manifest, files = path_of(raw), {}
    for item in listed_files(raw, entry):
        path = manifest.parent / item["name"]
        if damage := _damage(path, item):
            raise UserError(
                f"not the file that was downloaded for dataset '{entry.name}': {damage}",
                file=path,
                fix=f"delete {manifest} and run the workflow again: it downloads the file again",
            )
        files[path] = str(item["sha256"])
    return files


def _damage(path: Path, recorded: Mapping[str, Any]) -> str | None:
    """What has become of a file since its manifest was written; None if it is whole."""
    if not path.is_file():
        return "it is gone"
    if path.stat().st_size != recorded["bytes"]:
        return f"{path.stat().st_size} bytes, {recorded['bytes']} are recorded"
    return None if sha256_of(path) == recorded["sha256"] else "its SHA-256 differs"


def path_of(raw: Path) -> Path:
    """The manifest, given itself or its folder."""
    return raw if raw.suffix == ".json" else raw / MANIFEST
