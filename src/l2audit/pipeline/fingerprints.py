"""Hashes of the code behind each rule: its script and every module that the script can reach.

Snakemake sees neither an edited imported module nor a changed package version. So each rule has a hash among its
parameters: of the script, all modules of this package that it imports directly or through others, the data files beside
them, and the lock file. An import inside a function counts; one under `if TYPE_CHECKING:` does not. A module that is
only named in a text (importlib) would be missed: the package does not do that, and a test says so.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from l2audit.files import sha256_of
from l2audit.seeds import canonical

PACKAGE = "l2audit"
LOCK = "requirements.lock"
PLUMBING = ("pipeline/jobs.py", "errors.py")  # output and messages: no number depends on them


def code_hash(root: Path, script: str) -> str:
    """SHA-256 of the code behind `scripts/<script>.py` in the repository at `root`, in hexadecimal."""
    files = code_files(root, script)
    told = "".join(f"{path.relative_to(root).as_posix()}\0{sha256_of(path)}\n" for path in files)
    return hashlib.sha256(told.encode()).hexdigest()


def code_files(root: Path, script: str) -> list[Path]:
    """The files whose content `code_hash` covers, sorted."""
    start = root / "scripts" / f"{script}.py"
    sources = root / "src"
    reached = {start}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        found = _imports(path, path.stat().st_mtime_ns, sources) - reached
        reached |= found
        waiting += found
    reached -= {sources / PACKAGE / name for name in PLUMBING}
    files = {root / LOCK} if (root / LOCK).exists() else set()
    # Data files beside a module, and below it, but for those of a package below and of the package's own subfolders.
    for folder in {path.parent for path in reached if path != start}:
        for path in folder.glob("*") if folder == sources / PACKAGE else folder.rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc") and not path.name.startswith("."):
                between = path.relative_to(folder).parents[:-1]
                if not any((folder / parent / "__init__.py").exists() for parent in between):
                    files.add(path)
    return sorted(reached | files)


def digest(*values: object) -> str:
    """SHA-256 of the canonical JSON of `values`, in hexadecimal."""
    return hashlib.sha256(canonical(values).encode()).hexdigest()


@cache
def _imports(path: Path, modified: int, sources: Path) -> frozenset[Path]:
    """Files under `sources` that importing `path` runs: the modules named, and `__init__` of every package above."""
    found: set[Path] = set()
    for name in _imported_names(ast.parse(path.read_bytes(), filename=str(path))):
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            base = sources.joinpath(*parts[:depth])
            found |= {one for one in (base.with_suffix(".py"), base / "__init__.py") if one.is_file()}
    return frozenset(found)


def _imported_names(tree: ast.AST) -> Iterator[str]:
    """Dotted names of the package that a module imports; `from a import b` gives both a and a.b."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            continue  # an expression holds no import
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError("the package uses absolute imports only; a relative one would escape the fingerprint")
            if node.module and node.module.split(".")[0] == PACKAGE:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from (name for child in node.orelse for name in _imported_names(child))
        else:
            yield from _imported_names(node)
