"""Whether the rule is older than the results: from the shards through the table of runs to the verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2audit.files import sha256_of
from l2audit.runs.registrations import KEY, UNKNOWN, counted, of_runs, stamped
from l2audit.runs.results import COLUMNS, collect, provenance_of, table_of, write
from l2audit.wording.registered import registration_status

NEW, OLD, OLDER = "a" * 64, "b" * 64, "c" * 64


@pytest.mark.parametrize(
    ("shards", "status"),
    [
        ({NEW: 3}, "before training"),
        ({NEW: 3, OLD: 1}, "changed after training"),
        ({OLD: 3}, "changed after training"),
        ({OLD: 3, UNKNOWN: 1}, "changed after training"),
        ({NEW: 3, UNKNOWN: 1}, "unknown"),
        ({UNKNOWN: 3}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_one_shard_of_another_registration_is_enough(shards: dict[str, int], status: str) -> None:
    assert registration_status(NEW, shards)["status"] == status


def test_the_sentence_has_both_hashes_and_counts_the_shards() -> None:
    found = registration_status(NEW, {OLD: 3, OLDER: 2, NEW: 4, UNKNOWN: 1})
    assert found["sentence"] == (
        "The registration was changed after training: 3 of 10 shards of runs were trained under bbbbbbbbbbbb, 2 of 10 "
        "shards of runs were trained under cccccccccccc, and are judged here under aaaaaaaaaaaa. 1 of 10 shards of "
        "runs do not say under which registration they were trained."
    )
    assert (found["present"], list(found["shards"])) == (NEW, [NEW, OLD, OLDER, UNKNOWN])
    assert registration_status(NEW, {NEW: 55})["sentence"] == (
        "Registered before training: all 55 shards of runs carry this registration, aaaaaaaaaaaa."
    )
    assert "not known" in registration_status(NEW, {NEW: 54, UNKNOWN: 1})["sentence"]


def shard(path: Path, seed: int, **provenance: str) -> Path:
    rows: dict[str, list[object]] = {column.name: [None if column.null else "x"] for column in COLUMNS}
    rows |= {"beta": [0.1], "rate": [0.0], "magnitude": [0.0], "seed": [seed], "run_id": [f"r{seed}"]}
    write(table_of(rows, {"code_sha256": "c", **provenance}), path)
    return path


def test_the_table_of_runs_counts_the_registrations_of_its_shards(tmp_path: Path) -> None:
    shards = [
        shard(tmp_path / "a.parquet", 0, **{KEY: OLD}),
        shard(tmp_path / "b.parquet", 1, **{KEY: NEW}),
        shard(tmp_path / "c.parquet", 2, **{KEY: OLD}),
        shard(tmp_path / "d.parquet", 3),
    ]
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    write(stamped(collect(shards, "t"), counted(shards)), first)
    write(stamped(collect(shards[::-1], "t"), counted(shards[::-1])), second)
    assert sha256_of(first) == sha256_of(second)
    assert of_runs(first) == {NEW: 1, OLD: 2, UNKNOWN: 1}
    assert provenance_of(first)["shards"] == 4


def test_a_table_of_runs_that_counts_none_is_of_unknown_registration(tmp_path: Path) -> None:
    shards = [shard(tmp_path / "a.parquet", 0, **{KEY: NEW}), shard(tmp_path / "b.parquet", 1)]
    write(collect(shards, "t"), tmp_path / "runs.parquet")
    assert of_runs(tmp_path / "runs.parquet") == {UNKNOWN: 2}
