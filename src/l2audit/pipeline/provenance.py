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
    declared: Mapping[str, Any], claims: Path, cards: Sequence[Path], runs: Path, evidence: Sequence[Path]
) -> dict[str, Any]:
    """The provenance of a study: what its workflow has `declared`, and what its files tell.

    - declared: study (name, title, verdicts), code_sha256 by script, lock_sha256, contaminations (the entries of their
      table, from which the page explains the kinds), and declared_sha256, of all that the results depend on.
    - datasets: the data cards.
    - runs: rows of the table of runs by status, the architecture of every arm, the kinds of contamination, and the
      packages and processors that trained.
    - files: SHA-256 of each file of the evidence, by name.
    """
    trained = read_table(runs, ["status", "arm", "architecture", "kind"])
    status = Counter(trained["status"].to_pylist())
    architectures = dict(zip(trained["arm"].to_pylist(), trained["architecture"].to_pylist(), strict=True))
    return {
        **declared,
        "versions": versions(),
        "registration_sha256": sha256_of(claims),
        "datasets": [read_json(card) for card in sorted(cards)],
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
