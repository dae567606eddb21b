"""Faults in configuration files: each is one line that names the file, the line, the key, what is wrong and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from l2audit.errors import UserError

Key = tuple[str | int, ...]


def key_text(key: Key) -> str:
    """A key path as a reader would point at it: `contaminations.regression[2].rate`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong in one file. `line` counts from 1; 0 when the fault has no line (a missing file)."""

    file: str
    line: int
    key: str
    problem: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key + ': ' if self.key else ''}{self.problem} (fix: {self.fix})"


class ConfigError(UserError):
    """All the faults found in the configuration, one line each, sorted by file and line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(set(faults))
        count = len(self.faults)
        head = f"the configuration has {count} fault{'s' if count > 1 else ''}; nothing was run"
        Exception.__init__(self, "\n".join([head, *(f"  {fault}" for fault in self.faults)]))


def nearest(name: str, known: Iterable[str]) -> str:
    """A fix for an unknown name: the nearest known one if any is near, else what is known."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(names) or 'none'}"
