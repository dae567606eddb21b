"""The one kind of error that a user sees: what is wrong, where, and what to do about it."""

from __future__ import annotations

from pathlib import Path


class UserError(Exception):
    """A fault in the user's input or surroundings, told in one message that names the file, the key and the fix.

    Command-line entry points and workflow scripts print it without a traceback and exit with status 1.
    """

    def __init__(self, problem: str, *, file: str | Path | None = None, key: str | None = None, fix: str) -> None:
        self.problem, self.key, self.fix = problem, key, fix
        place = ": ".join(str(part) for part in (file, key) if part is not None)
        super().__init__(f"{place + ': ' if place else ''}{problem}\n  fix: {fix}")
