"""Faults in configuration files: each is one line that names the file, the line, the key, what is wrong and the fix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from l2audit.errors import UserError

Key = tuple[str | int, ...]


def key_text(key: Key) -> str:
    """A key path as a reader would point at it: `contaminations.regression[2].rate`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


def key_of(text: str) -> Key:
    """The key path that `key_text` made `text` of, where no name in it has a dot or a bracket."""
    found = re.findall(r"\[([0-9]+)\]|([^.\[\]]+)", text)
    return tuple(int(number) if number else name for number, name in found)


def one_line(text: str, most: int = 400) -> str:
    """`text`, which may be anything, on one printable line; cut in the middle beyond `most` characters."""
    words = " ".join(text.split())
    safe = "".join(one if one.isprintable() else repr(one)[1:-1] for one in words)
    return safe if len(safe) <= most else f"{safe[: most - 100]} ... {safe[-80:]}"


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
        key, problem, fix = (one_line(text) for text in (self.key, self.problem, self.fix))
        return f"{place}: {key + ': ' if key else ''}{problem} (fix: {fix})"


class ConfigError(UserError):
    """All the faults found in the configuration, one line each, sorted by file and line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(set(faults))
        count = len(self.faults)
        head = f"the configuration has {count} fault{'s' if count > 1 else ''}; nothing was run"
        Exception.__init__(self, "\n".join([head, *(f"  {fault}" for fault in self.faults)]))


@contextmanager
def gathered(faults: list[Fault]) -> Iterator[None]:
    """Add the faults of the ConfigError that ends what is done inside, if one does, and go on after it."""
    try:
        yield
    except ConfigError as error:
        faults += error.faults
