"""Under which registration each shard was trained: kept in the shards, counted in the table of runs.

A change of the registration trains nothing again, so only the shards can tell whether it was there before them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from l2audit.runs.results import PROVENANCE, provenance_of
from l2audit.seeds import canonical

KEY = "registration_sha256"
"""Where a shard's provenance has the SHA-256 of the registration as it was when the shard was trained."""

COUNTS = "registrations"
UNKNOWN = "unknown"
"""Stands for the SHA-256 of shards that do not say."""


def counted(shards: Iterable[str | Path]) -> dict[str, int]:
    """SHA-256 of a registration -> number of `shards` trained under it."""
    return dict(sorted(Counter(provenance_of(path).get(KEY, UNKNOWN) for path in shards).items()))


def stamped(runs: pa.Table, counts: dict[str, int]) -> pa.Table:
    """A table of runs with the counts of registrations in its provenance."""
    provenance = json.loads(runs.schema.metadata[PROVENANCE])
    return runs.replace_schema_metadata({PROVENANCE: canonical({**provenance, COUNTS: counts}).encode()})


def of_runs(path: str | Path) -> dict[str, int]:
    """The counts in the provenance of a stored table of runs."""
    provenance = provenance_of(path)
    counts: dict[str, int] = provenance.get(COUNTS, {UNKNOWN: provenance["shards"]})
    return counts
