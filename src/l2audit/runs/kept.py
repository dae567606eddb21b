"""What a job has trained, kept so that a job that runs again trains only the shards that changed.

A shard is taken again if all that made it is the same: its declaration, the prepared data, the code, the packages and
the processor. The registration is not among them, because no run depends on it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from l2audit import stored
from l2audit.errors import DamagedFile
from l2audit.plan import Job
from l2audit.runs.results import PROVENANCE, REGISTRATION, SORTED_BY
from l2audit.seeds import canonical

TAKEN = "trained before"
"""What the log of a job says of a shard that it took from here."""

Origin = Mapping[str, Any]
"""What a shard was made of: code, data, registration, declaration, packages, processor."""


@dataclass(frozen=True)
class Trained:
    """Finished shards: their tables of runs and of predictions, and the origin of each shard by its id."""

    runs: pa.Table
    predictions: pa.Table
    origins: Mapping[str, Origin]

    @classmethod
    def joined(cls, parts: Iterable[Trained]) -> Trained:
        """All shards of `parts` in one, rows in canonical order: the same shards give the same bytes."""
        pieces = list(parts)
        runs = pa.concat_tables([_as_made(one.runs) for one in pieces])
        predictions = pa.concat_tables([_as_made(one.predictions) for one in pieces])
        origins = {shard: origin for one in pieces for shard, origin in one.origins.items()}
        return cls(
            runs.sort_by([(name, "ascending") for name in SORTED_BY]).combine_chunks(),
            predictions.sort_by("run_id").combine_chunks(),
            origins,
        )

    def write(self, runs: str | Path, predictions: str | Path) -> None:
        """Write both files, each atomically, with the origins inside; the runs last, because they are the result."""
        inside = {PROVENANCE: canonical({"shards": dict(self.origins)}).encode()}
        stored.write_table(self.predictions.replace_schema_metadata(inside), predictions, use_dictionary=False)
        stored.write_table(self.runs.replace_schema_metadata(inside), runs)

    @classmethod
    def read(cls, runs: Path, predictions: Path) -> Trained:
        """What `write` wrote. DamagedFile: one of the two is not, or they do not belong together."""
        tables = stored.read_table(runs), stored.read_table(predictions)
        inside, other = (table.schema.metadata.get(PROVENANCE) for table in tables)
        if not inside or inside != other:
            raise DamagedFile(runs, predictions)
        return cls(*tables, json.loads(inside)["shards"])

    def shard(self, shard_id: str) -> Trained:
        """One of the shards; KeyError if it is not here."""
        origin = self.origins[shard_id]
        runs = self.runs.filter(pc.equal(self.runs["shard_id"], shard_id))
        mine = pc.is_in(self.predictions["run_id"], value_set=runs["run_id"].combine_chunks())
        return Trained(runs, self.predictions.filter(mine), {shard_id: origin})


class Kept:
    """A folder of trained shards of one study, not tracked by Snakemake: it may be deleted at any time.

    While a job runs, each finished shard has files of its own, so that a job that was killed goes on where it was. A
    finished job leaves hard links to its results, which take no space.
    """

    def __init__(self, folder: str | Path, dataset: str) -> None:
        self.folder = Path(folder)
        self._before: list[Trained] = []
        for runs in sorted(self.folder.glob(f"{dataset}.*.runs.parquet")):
            with contextlib.suppress(DamagedFile, FileNotFoundError):
                self._before.append(Trained.read(runs, runs.with_name(runs.name.replace(".runs.", ".predictions."))))

    def find(self, shard_id: str, origin: Origin) -> Trained | None:
        """The shard as it was trained before, if that was from the same `origin` (its registration aside)."""
        for trained in self._before:
            if shard_id in trained.origins and same_origin(trained.origins[shard_id], origin):
                return trained.shard(shard_id)
        return None

    def keep(self, shard_id: str, trained: Trained) -> None:
        """Store a shard that has just been trained."""
        self.folder.mkdir(parents=True, exist_ok=True)
        trained.write(*self._files(shard_id))

    def settle(self, job: Job, runs: Path, predictions: Path) -> None:
        """Store the results of a job that is finished, in place of its single shards."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for source, target in zip((runs, predictions), self._files(job.job_id), strict=True):
            target.unlink(missing_ok=True)
            try:
                os.link(source, target)
            except OSError:  # a file system without hard links
                shutil.copyfile(source, target)
        for shard in job.shards:
            for file in self._files(shard.shard_id):
                file.unlink(missing_ok=True)

    def _files(self, name: str) -> tuple[Path, Path]:
        return self.folder / f"{name}.runs.parquet", self.folder / f"{name}.predictions.parquet"


def _as_made(table: pa.Table) -> pa.Table:
    """A table that may come from a file, as it was when made: Parquet renames what lists hold, and adds metadata."""
    fields = []
    for field in table.schema:
        kind = field.type
        if pa.types.is_fixed_size_list(kind):
            kind = pa.list_(kind.value_type, kind.list_size)
        elif pa.types.is_list(kind):
            kind = pa.list_(kind.value_type)
        fields.append(pa.field(field.name, kind, field.nullable))
    return table.cast(pa.schema(fields))


def same_origin(one: Origin, other: Origin) -> bool:
    """Whether two shards were made of the same, the registration aside."""
    return {**one, REGISTRATION: None} == {**other, REGISTRATION: None}
