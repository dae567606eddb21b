"""The folder that holds the configuration, and the study and claims that a command line names."""

from __future__ import annotations

from collections.abc import Mapping
from os.path import relpath
from pathlib import Path
from typing import Any

from l2audit.errors import UserError
from l2audit.registry import nearest

FOLDER = "config"
ON_COMMAND_LINE = ("study", "registration")


def folder_of(here: Path, home: Path | None) -> Path:
    """The folder whose config/ holds every table: `here`, else `home`, if it is given; UserError: neither has one."""
    for folder in filter(None, (here, home)):
        if (folder / FOLDER).is_dir():
            return folder
    raise UserError(
        f"there is no folder {FOLDER}/ here",
        file=here.resolve(),
        fix="run this in the folder of the repository, or name that folder: l2audit --root FOLDER ...",
    )


def command_line(given: Mapping[str, Any], folder: Path) -> tuple[str, str]:
    """Study and claims of `snakemake --config KEY=VALUE ...`, or the defaults; UserError: a key or value is wrong."""
    for key, value in given.items():
        if key not in ON_COMMAND_LINE:
            fix = f"{nearest(key, ON_COMMAND_LINE)} (keys are {' and '.join(ON_COMMAND_LINE)})"
            raise UserError("unknown key", key=f"--config {key}", fix=fix)
        if value is None or isinstance(value, list | dict) or not str(value).strip():
            fix = f"write {key}=NAME or {key}=FILE.yaml"
            raise UserError(f"'{value}' names no file", key=f"--config {key}", fix=fix)
    claims = given.get("registration", relpath(folder / FOLDER / "claims.yaml"))
    return str(given.get("study", "default")), str(claims)
