"""`data/raw/<name>/manifest.json`: which raw files a dataset is made of, and their SHA-256.

It is written last and only when every file is whole: it is what the workflow's download rule makes. Its bytes depend
on the entry and the data alone: it names neither the server that answered nor the folder that a file lay in.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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
    """What the manifest says of each file, in order. `raw`: the manifest, or its folder. UserError if there is none."""
    manifest = path_of(raw)
    try:
        listed = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        return [{"name": str(item["name"]), "sha256": str(item["sha256"])} | item for item in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"no manifest of dataset '{entry.name}' ({type(error).__name__})",
            file=manifest,
            fix="run the download rule again",
        ) from error


def verified_files(raw: Path, entry: Entry) -> dict[Path, str]:
    """The raw files that the manifest lists, each with its SHA-256, in order; UserError if one is not as recorded."""
    folder = path_of(raw).parent
    files = {folder / item["name"]: item["sha256"] for item in listed_files(raw, entry)}
    for path, sha256 in files.items():
        if not path.is_file() or sha256_of(path) != sha256:
            raise UserError(
                f"not the file that was downloaded for dataset '{entry.name}'",
                file=path,
                fix=f"delete {folder / MANIFEST} and run the workflow again",
            )
    return files


def path_of(raw: Path) -> Path:
    """The manifest, given itself or its folder."""
    return raw if raw.suffix == ".json" else raw / MANIFEST
