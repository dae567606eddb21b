"""The table of runs: its columns, and how shards of it are written, read and put together.

One row per run. Every column has a meaning and a unit here, and nowhere else: `docs/results.md` is made from this list,
and a table that does not fit it is refused on write. Provenance travels inside the file, as Parquet schema metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from l2audit import stored
from l2audit.errors import DamagedFile, UserError
from l2audit.measures import MEASURES
from l2audit.seeds import canonical

PROVENANCE = b"l2audit.pipeline.provenance"


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, what it means, its unit, and whether it may be null."""

    name: str
    type: pa.DataType
    meaning: str
    unit: str = ""
    null: bool = False


IDENTITY = (
    Column("run_id", pa.string(), "SHA-256 (first 16 digits) of the canonical JSON of the axes"),
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
    Column("optimizer", pa.string(), "adam | sgd | momentum; exact for linear models"),
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
SORTED_BY = [column.name for column in AXES if column.name not in ("task", "level")]


def schema() -> pa.Schema:
    """Arrow schema of the table of runs."""
    return pa.schema([pa.field(column.name, column.type, nullable=column.null) for column in COLUMNS])


def table_of(columns: Mapping[str, Sequence[object]], provenance: Mapping[str, Any]) -> pa.Table:
    """A table of runs in canonical order with `provenance` inside; ValueError where it does not fit the schema."""
    wanted = schema()
    if set(columns) != set(wanted.names):
        raise ValueError(f"columns differ from the schema: {sorted(set(columns) ^ set(wanted.names))}")
    table = pa.table(
        {name: pa.array(columns[name], type=wanted.field(name).type) for name in wanted.names}, schema=wanted
    )
    for column in COLUMNS:
        if not column.null and table[column.name].null_count:
            raise ValueError(f"column '{column.name}' may not be null")
    ordered = table.sort_by([(name, "ascending") for name in SORTED_BY])
    return ordered.replace_schema_metadata({PROVENANCE: canonical(dict(provenance)).encode()})


def write(table: pa.Table, path: str | Path) -> None:
    """Write a table atomically; the same table gives the same bytes."""
    stored.write_table(table, path)


def provenance_of(path: str | Path) -> dict[str, Any]:
    """The provenance stored inside a file of runs (DamagedFile: it is not what was written)."""
    return _provenance(stored.metadata_of(path), path)


def _provenance(metadata: Mapping[bytes, bytes] | None, path: str | Path) -> dict[str, Any]:
    if not metadata or PROVENANCE not in metadata:
        raise UserError(
            "holds no provenance, so it was not made by this workflow", file=path, fix="delete it and run again"
        )
    found: dict[str, Any] = json.loads(metadata[PROVENANCE])
    return found


def collect(paths: Iterable[str | Path], study: str) -> pa.Table:
    """Put shards together into one table, sorted, whose bytes depend on the runs alone.

    Shards made by different code, or a run that appears twice, are refused: a merge of unlike results has no meaning.
    DamagedFile: shards are not what was written; all such are named.
    """
    files = sorted(Path(path) for path in paths)
    tables = list(_tables(files))
    found = [_provenance(table.schema.metadata, path) for table, path in zip(tables, files, strict=True)]
    codes = {provenance["code_sha256"]: path for provenance, path in zip(found, files, strict=True)}
    if len(codes) > 1:
        raise UserError(
            f"shards were trained by {len(codes)} different versions of the code",
            file=next(iter(codes.values())),
            fix=f"delete results/{study}/shards and run again",
        )
    merged = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    if len(merged["run_id"].unique()) != len(merged):
        raise UserError(
            "a run appears in two shards", file=f"results/{study}/shards", fix="delete the folder and run again"
        )
    ordered = merged.sort_by([(name, "ascending") for name in SORTED_BY])
    summary = {"study": study, "code_sha256": next(iter(codes), None), "shards": len(files)}
    return ordered.replace_schema_metadata({PROVENANCE: canonical(summary).encode()})


def _tables(files: Iterable[Path]) -> Iterator[pa.Table]:
    damaged: list[Path] = []
    for path in files:
        try:
            yield stored.read_table(path)
        except DamagedFile:
            damaged.append(path)
    if damaged:
        raise DamagedFile(*damaged)
