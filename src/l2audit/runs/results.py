"""The table of runs: its columns, and how the files of all jobs become one table.

One row per run. Each column has its meaning and unit here: `docs/results.md` is made from this list, and a table that
does not fit the list is refused. Provenance travels inside the file, as metadata of the Parquet schema.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from l2audit import stored
from l2audit.errors import DamagedFile, UserError
from l2audit.measures import MEASURES
from l2audit.seeds import canonical

PROVENANCE = b"l2audit.provenance"
REGISTRATION = "registration_sha256"
"""Where a shard's origin has the SHA-256 of the registration as it was when the shard was trained."""
UNKNOWN = "unknown"
"""Stands for the SHA-256 of shards that do not say."""
CIRCUMSTANCES = ("packages", "processor", "python", "threads")
"""Where and with what a shard was trained, in its origin."""


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, what it means, its unit, and whether it may be null."""

    name: str
    type: pa.DataType
    meaning: str
    unit: str = ""
    null: bool = False


IDENTITY = (
    Column(
        "run_id",
        pa.string(),
        "hash of all that is declared of the run and moves its numbers (`Shard.run_id`)",
    ),
    Column("shard_id", pa.string(), "the runs that were trained together"),
    Column("arm", pa.string(), "key of the study's `arms`, or of its `architectures` (the primary arms)"),
)
AXES = (
    Column("dataset", pa.string(), "key of config/datasets.yaml"),
    Column("task", pa.string(), "classification | regression"),
    Column("architecture", pa.string(), "key of config/architectures.yaml"),
    Column("loss", pa.string(), "what is minimised beside the penalty: cross_entropy | squared | absolute | huber"),
    Column(
        "penalty",
        pa.string(),
        "what beta multiplies, as in the study: l2 | l1 | decay | none | placebo, then `except` kernels, `with biases`",
    ),
    Column("beta", pa.float64(), "strength of the penalty"),
    Column("optimizer", pa.string(), "adam | adam-95 | sgd | momentum; exact for linear models"),
    Column("scaling", pa.string(), "what rows are scaled by: clean | contaminated | robust (training rows)"),
    Column("kind", pa.string(), "contamination kind, key of config/contaminations.yaml, or clean"),
    Column("rate", pa.float64(), "share of training rows contaminated, in [0, 1]; of cells for `cell`", "1"),
    Column("magnitude", pa.float64(), "size of an outlier in robust SDs of the target; 0 where the kind has none", "1"),
    Column("level", pa.string(), "the contamination as text: kind@rate or kind@rate,magnitude, or clean"),
    Column("seed", pa.int64(), "replicate: split, initial weights, batch order and contamination draw"),
)
STATUS = (
    Column(
        "status",
        pa.string(),
        "ok | diverged (a weight, the training loss or an output is not finite; no measure of it is given)",
    ),
    Column("reason", pa.string(), "why not ok, else empty"),
)
CERTIFICATES = (
    Column("train_loss", pa.float64(), "mean loss that was minimised, rows fitted, without the penalty", "", True),
    Column(
        "train_loss_half",
        pa.float64(),
        "the same after a schedule of half the steps: beta = 0 and seed 0 of networks only",
        "",
        True,
    ),
    Column(
        "gradient_ratio",
        pa.float64(),
        "|G + beta W| / (|G| + |beta W|), G the gradient of the loss in the weights W, G and W averaged over the last"
        " tenth of the steps (at the solution if exact); 1 at beta = 0",
        "1",
        True,
    ),
    Column(
        "balance", pa.float64(), "max |log(|W_l| / |W_l+1|)| of neighbouring kernels; null for one layer", "1", True
    ),
    Column("decay_exposure", pa.float64(), "sum of effective learning rate * beta over steps; inf if exact", "1", True),
)
MEASURED = tuple(
    Column(name, pa.float64(), MEASURES[name].formula, MEASURES[name].unit, True) for name in MEASURES.names()
)
LAYERS = (Column("layer_norms", pa.list_(pa.float64()), "Frobenius norm of each kernel, input to output", "1", True),)

COLUMNS = IDENTITY + AXES + STATUS + CERTIFICATES + MEASURED + LAYERS
SORTED_BY = [*(column.name for column in AXES if column.name not in ("task", "level")), "arm"]


def schema() -> pa.Schema:
    """Arrow schema of the table of runs."""
    return pa.schema([pa.field(column.name, column.type, nullable=column.null) for column in COLUMNS])


def table_of(columns: Mapping[str, Sequence[object]]) -> pa.Table:
    """A table of runs in canonical order; ValueError where it does not fit the schema."""
    wanted = schema()
    if set(columns) != set(wanted.names):
        raise ValueError(f"columns differ from the schema: {sorted(set(columns) ^ set(wanted.names))}")
    table = pa.table(
        {name: pa.array(columns[name], type=wanted.field(name).type) for name in wanted.names}, schema=wanted
    )
    for column in COLUMNS:
        if not column.null and table[column.name].null_count:
            raise ValueError(f"column '{column.name}' may not be null")
    return table.sort_by([(name, "ascending") for name in SORTED_BY])


def provenance_of(path: str | Path) -> dict[str, Any]:
    """What a file of runs says of itself: the origins of its `shards`; of a study's table what `collect` says.

    DamagedFile: it is not what was written. UserError: it was not made by this workflow.
    """
    return _provenance(stored.metadata_of(path), path)


def _provenance(metadata: Mapping[bytes, bytes] | None, path: str | Path) -> dict[str, Any]:
    if not metadata or PROVENANCE not in metadata:
        raise UserError(
            "holds no provenance, so it was not made by this workflow", file=path, fix="delete it and run again"
        )
    found: dict[str, Any] = json.loads(metadata[PROVENANCE])
    return found


def collect(files: Iterable[str | Path], study: str, planned: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """Put the files of all jobs together into one table, sorted, whose bytes depend on the runs alone.

    planned: what each shard must have been made of, by its id: `shard`, `code_sha256` and `data_sha256`. The table's
    provenance counts the shards by registration, and by the processor and packages that trained them.
    DamagedFile: names all files that are not what was written, or hold shards of another plan, code or dataset.
    """
    tables: list[pa.Table] = []
    origins: dict[str, Mapping[str, Any]] = {}
    damaged, foreign = [], []
    for path in sorted(map(Path, files)):
        try:
            table = stored.read_table(path)
        except DamagedFile:
            damaged.append(path)
            continue
        found = _provenance(table.schema.metadata, path)["shards"]
        if any(shard not in planned or {**origin, **planned[shard]} != origin for shard, origin in found.items()):
            foreign.append(path)
        origins.update(found)
        tables.append(table.replace_schema_metadata(None))
    if damaged:
        raise DamagedFile(*damaged)
    if foreign:
        raise DamagedFile(*foreign, problem="trained by another plan, by other code or on other data than now")
    if len(origins) < len(planned):
        raise ValueError(f"no file holds these shards: {sorted(planned.keys() - origins.keys())}")
    registrations = Counter(origin.get(REGISTRATION, UNKNOWN) for origin in origins.values())
    circumstances = Counter(canonical({key: origin.get(key) for key in CIRCUMSTANCES}) for origin in origins.values())
    provenance = {
        "study": study,
        "shards": len(origins),
        "registrations": dict(registrations),
        "trained_with": [{**json.loads(text), "shards": count} for text, count in sorted(circumstances.items())],
    }
    ordered = pa.concat_tables(tables).sort_by([(name, "ascending") for name in SORTED_BY])
    return ordered.replace_schema_metadata({PROVENANCE: canonical(provenance).encode()})
