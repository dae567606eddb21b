"""The one kind of error that a user sees: what is wrong, where, and what to do about it."""

from __future__ import annotations

from pathlib import Path


def one_line(text: str, most: int = 400) -> str:
    """`text` on one line, with nothing in it that a terminal would act on; cut in the middle beyond `most` characters.

    What a message quotes comes from a file, and may be anything.
    """
    words = " ".join(text.split())
    safe = "".join(one if one.isprintable() else repr(one)[1:-1] for one in words)
    return safe if len(safe) <= most else f"{safe[: most - 100]} ... {safe[-80:]}"


class UserError(Exception):
    """A fault in the user's input or surroundings: one message that names the file, the key and the fix.

    Command-line entry points and workflow scripts print it without a traceback and exit with status 1.
    """

    def __init__(self, problem: str, *, file: str | Path | None = None, key: str | None = None, fix: str) -> None:
        self.problem, self.key, self.fix = problem, key, fix
        place = ": ".join(str(part) for part in (file, key) if part is not None)
        super().__init__(f"{place + ': ' if place else ''}{problem}\n  fix: {fix}")


class DamagedFile(UserError):
    """Files that the workflow made and that are not what they should be: `paths`; `problem` says why.

    Nothing is lost with them: deleted, they are made anew. A job of the workflow deletes them.
    """

    def __init__(self, *paths: str | Path, problem: str = "damaged or not whole") -> None:
        self.paths = tuple(Path(path) for path in paths)
        self.problem = f"{', '.join(map(str, paths))}: {problem}"
        super().__init__(self.problem, fix="delete it and run the same command again: it is made anew")
