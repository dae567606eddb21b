"""The table of runs: its schema, its canonical order, what it refuses, and its documentation."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from l2audit import stored
from l2audit.errors import DamagedFile, UserError
from l2audit.files import sha256_of
from l2audit.runs.kept import Trained
from l2audit.runs.results import COLUMNS, UNKNOWN, collect, provenance_of, table_of

ROOT = Path(__file__).parents[2]


def columns(seeds: list[int], shard: str = "s") -> dict[str, list[object]]:
    fill: dict[pa.DataType, object] = {pa.string(): "x", pa.float64(): 0.5, pa.int64(): 1}
    rows = {column.name: [fill.get(column.type, [1.0])] * len(seeds) for column in COLUMNS}
    return {**rows, "seed": list(seeds), "run_id": [f"r{seed}" for seed in seeds], "shard_id": [shard] * len(seeds)}


def origin(code: str = "c", **more: str) -> dict[str, Any]:
    return {"code_sha256": code, "data_sha256": "d", "shard": {"arm": "x"}, "threads": "1", **more}


def shard(path: Path, seeds: list[int], **made: str) -> Path:
    """A file of one shard, named like the file."""
    found = Trained(table_of(columns(seeds, path.stem)), pa.table({"run_id": ["r"]}), {path.stem: origin(**made)})
    found.write(path, path.with_suffix(".predictions"))
    return path


def planned(*names: str) -> dict[str, dict[str, Any]]:
    """What the shards called `names` must have been made of."""
    return {name: {key: origin()[key] for key in ("code_sha256", "data_sha256", "shard")} for name in names}


def test_rows_come_out_sorted_whatever_their_order() -> None:
    assert table_of(columns([2, 0, 1])).equals(table_of(columns([0, 1, 2])))
    assert table_of(columns([2, 0, 1]))["seed"].to_pylist() == [0, 1, 2]


def test_a_missing_or_extra_column_is_refused() -> None:
    whole = columns([0])
    with pytest.raises(ValueError, match="test_risk"):
        table_of({name: values for name, values in whole.items() if name != "test_risk"})
    with pytest.raises(ValueError, match="surplus"):
        table_of({**whole, "surplus": [1]})


def test_null_is_for_measures_only() -> None:
    assert table_of({**columns([0]), "memorised_fraction": [None]})["memorised_fraction"].null_count == 1
    with pytest.raises(ValueError, match="dataset"):
        table_of({**columns([0]), "dataset": [None]})


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        table_of({**columns([0]), "beta": ["much"]})


def test_collect_depends_on_the_runs_and_not_on_the_shards_order(tmp_path: Path) -> None:
    paths = [shard(tmp_path / "a.parquet", [0, 3]), shard(tmp_path / "b.parquet", [1, 2])]
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    stored.write_table(collect(paths, "t", planned("a", "b")), first)
    stored.write_table(collect(paths[::-1], "t", planned("b", "a")), second)
    assert sha256_of(first) == sha256_of(second)
    assert stored.read_table(first)["seed"].to_pylist() == [0, 1, 2, 3]


def test_a_table_of_runs_counts_its_shards_by_registration_and_by_what_trained_them(tmp_path: Path) -> None:
    paths = [
        shard(tmp_path / "a.parquet", [0], registration_sha256="old", processor="x86"),
        shard(tmp_path / "b.parquet", [1], registration_sha256="new", processor="x86"),
        shard(tmp_path / "c.parquet", [2], registration_sha256="old", processor="arm"),
        shard(tmp_path / "d.parquet", [3], processor="arm"),
    ]
    stored.write_table(collect(paths, "t", planned(*"abcd")), tmp_path / "runs.parquet")
    same = {"packages": None, "python": None, "threads": "1", "shards": 2}
    assert provenance_of(tmp_path / "runs.parquet") == {
        "study": "t",
        "shards": 4,
        "registrations": {"new": 1, "old": 2, UNKNOWN: 1},
        "trained_with": [{**same, "processor": "arm"}, {**same, "processor": "x86"}],
    }


def test_shards_of_other_code_data_or_declaration_are_named_and_refused(tmp_path: Path) -> None:
    good = shard(tmp_path / "a.parquet", [0])
    other = {
        "b": shard(tmp_path / "b.parquet", [1], code="d"),
        "c": shard(tmp_path / "c.parquet", [2], data_sha256="e"),
        "e": shard(tmp_path / "e.parquet", [3]),
    }
    wanted = planned("a", "b", "c", "e")
    wanted["e"]["shard"] = {"arm": "y"}
    with pytest.raises(DamagedFile, match="trained by another plan, by other code or on other data") as told:
        collect([good, *other.values()], "t", wanted)
    assert told.value.paths == tuple(other.values())
    with pytest.raises(DamagedFile, match="another plan"):  # a shard that is planned no more
        collect([good], "t", {})
    with pytest.raises(ValueError, match="no file holds"):
        collect([good], "t", planned("a", "b"))


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "x.parquet"
    stored.write_table(table_of(columns([0])), foreign)
    with pytest.raises(UserError, match="no provenance"):
        collect([foreign], "t", planned("x"))


def damaged_ways(content: bytes) -> list[bytes]:
    """Truncations at many lengths, single flipped bits at many places, the footer's among them, and foreign files."""
    draw = random.Random(0)
    places = [*draw.sample(range(len(content)), 300), *range(len(content) - 40, len(content))]
    lengths = [0, 1, 4, 8, *draw.sample(range(len(content)), 40), len(content) - 1]
    flipped = [content[:at] + bytes([content[at] ^ (1 << draw.randrange(8))]) + content[at + 1 :] for at in places]
    return [*(content[:length] for length in lengths), *flipped, content + b"0", b"not a table", content + content]


def test_a_damaged_file_is_noticed_whatever_byte_changed(tmp_path: Path) -> None:
    sound, hurt = shard(tmp_path / "a.parquet", [0, 1]), tmp_path / "b.parquet"
    content = sound.read_bytes()
    for damaged in damaged_ways(content):
        hurt.write_bytes(damaged)
        for look in (
            provenance_of,
            lambda path: collect([sound, path], "t", planned("a", "b")),
            lambda path: stored.read_table(path, ["seed"]),
        ):
            with pytest.raises(DamagedFile) as told:
                look(hurt)
            assert told.value.paths == (hurt,)
    assert str(told.value) == (
        f"{hurt}: damaged or not whole\n  fix: delete it and run the same command again: it is made anew"
    )
    hurt.write_bytes(content)
    assert stored.read_table(hurt).equals(table_of(columns([0, 1], "a")))


def test_a_file_that_is_not_there_is_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        provenance_of(tmp_path / "none.parquet")


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.parquet", [1, 0])
    found = stored.read_table(path)
    assert found.equals(table_of(columns([1, 0], "a")))
    assert provenance_of(path) == {"shards": {"a": origin()}}
    assert pq.read_table(path, page_checksum_verification=True).equals(found)  # by any reader
