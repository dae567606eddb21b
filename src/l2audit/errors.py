"""The one kind of error that a user sees: what is wrong, where, and what to do about it."""

from __future__ import annotations

from pathlib import Path


class UserError(Exception):
    """A fault in the user's input or surroundings, told in one message that names the file, the key and the fix.

    Command-line entry points and workflow scripts print it without a traceback and exit with status 1.
    """

    def __init__(self, problem: str, *, file: str | Path | None = None, key: str | None = None, fix: str) -> None:
        place = ": ".join(str(part) for part in (file, key) if part is not None)
        super().__init__(f"{place + ': ' if place else ''}{problem}\n  fix: {fix}")


class DamagedFile(UserError):
    """A file that the workflow made and that is no longer what was written; `path` is that file.

    Nothing is lost with it: deleted, it is made anew.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(
            "the file is damaged or not whole",
            file=path,
            fix="delete it and run the same command again: it is made anew",
        )
        self.path = Path(path)
