"""The runs of a study as they are published: what a reader needs to compute the effects anew, in a few megabytes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from l2audit.runs.results import AXES, COLUMNS
from l2audit.stored import read_table, write_table

MEASURED = (
    "train_risk",
    "validation_risk",
    "validation_risk_contaminated",
    "test_risk",
    "trivial_risk",
    "weight_norm",
    "dead_fraction",
    "gradient_ratio",
    "balance",
    "decay_exposure",
)
"""Kept to seven digits: risks, what stands for the mechanism, and the certificates of convergence."""

SLIM = ("run_id", "arm", *(column.name for column in AXES), "status", *MEASURED)


def write_slim(runs: str | Path, path: str | Path) -> None:
    """Write the columns `SLIM` of a table of runs, its rows and provenance as they are; equal tables, equal bytes.

    Columns have their type, but `MEASURED` are float32. DamagedFile as `read_table`.
    """
    table = read_table(runs, list(SLIM))
    types = {column.name: pa.float32() if column.name in MEASURED else column.type for column in COLUMNS}
    fields = [table.schema.field(name).with_type(types[name]) for name in SLIM]
    slim = table.cast(pa.schema(fields, metadata=table.schema.metadata))
    few = [name for name in SLIM if name not in MEASURED and name != "run_id"]  # values that come again and again
    write_table(slim, path, use_dictionary=few, use_byte_stream_split=list(MEASURED), compression_level=19)
