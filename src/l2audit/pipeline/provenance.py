"""What a study's results were made of: code, lock file, packages, registration, datasets. No clock and no path."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from l2audit import __version__
from l2audit.files import sha256_of
from l2audit.packages import installed
from l2audit.runs.results import provenance_of
from l2audit.stored import read_json, read_table

PACKAGES = ("numpy", "scipy", "scikit-learn", "statsmodels", "pandas", "pyarrow", "tensorflow", "snakemake")


def provenance(
    study: Mapping[str, Any],
    code: Mapping[str, str],
    lock: str | None,
    claims: Path,
    cards: Sequence[Path],
    runs: Path,
    kinds: Mapping[str, Any],
    declared: str,
    evidence: Sequence[Path],
) -> dict[str, Any]:
    """The provenance of a study: `study` (name, title, verdicts), `code` stage -> SHA-256, `lock` SHA-256, and files.

    `datasets` are the data cards. `runs` counts the rows of the table of runs by status; it has the
    architecture of every arm, the kinds of contamination, and the packages and processors that trained.
    `contaminations` are the entries of config/contaminations.yaml, from which the page explains the kinds.
    `declared_sha256` is the hash of all that the results depend on; `files` has the SHA-256 of each file of the
    evidence, by name.
    """
    trained = read_table(runs, ["status", "arm", "architecture", "kind"])
    status = Counter(trained["status"].to_pylist())
    architectures = dict(zip(trained["arm"].to_pylist(), trained["architecture"].to_pylist(), strict=True))
    return {
        "study": dict(study),
        "versions": versions(),
        "code_sha256": dict(code),
        "lock_sha256": lock,
        "registration_sha256": sha256_of(claims),
        "contaminations": dict(kinds),
        "datasets": [read_json(card) for card in sorted(cards)],
        "declared_sha256": declared,
        "files": {path.name: sha256_of(path) for path in evidence},
        "runs": {
            "total": status.total(),
            "by_status": dict(sorted(status.items())),
            "architectures": dict(sorted(architectures.items())),
            "kinds": sorted(set(trained["kind"].to_pylist())),
            "trained_with": provenance_of(runs)["trained_with"],
        },
    }


def versions() -> dict[str, str]:
    """Versions of this project, of Python and of the packages that numbers depend on, as installed."""
    return {"l2audit": __version__, "python": platform.python_version(), **installed(PACKAGES)}
