"""The published runs: the columns that they keep, to the digits that they keep, in few and equal bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from l2audit.pipeline.slim import MEASURED, SLIM, write_slim
from l2audit.plan import plan
from l2audit.runs.results import PROVENANCE
from l2audit.stored import metadata_of, read_frame, read_table, write_table
from whole_study import checked, document, faked


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Made-up runs of a small study, some of them diverged, with the metadata of a real table."""
    table = faked(diverged=0.1)(checked(document(), tmp_path), plan(checked(document(), tmp_path))[0], {})
    write_table(table.replace_schema_metadata({PROVENANCE: b'{"study": "tiny"}'}), tmp_path / "runs.parquet")
    return tmp_path / "runs.parquet"


def test_slim_runs_are_the_runs_to_seven_digits(runs: Path, tmp_path: Path) -> None:
    write_slim(runs, tmp_path / "slim.parquet")
    whole, slim = read_frame(runs), read_frame(tmp_path / "slim.parquet")
    assert tuple(slim.columns) == SLIM
    for name in SLIM:
        if name in MEASURED:
            np.testing.assert_allclose(slim[name], whole[name], rtol=1e-7)
            assert slim[name].dtype == np.float32
        else:
            assert slim[name].tolist() == whole[name].tolist()
    assert metadata_of(tmp_path / "slim.parquet") == metadata_of(runs)


def test_equal_runs_give_equal_bytes(runs: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_slim(runs, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_run_takes_less_than_ninety_bytes(runs: Path, tmp_path: Path) -> None:
    """At 130,000 runs that is 12 MB, whatever their measures: here all digits are random."""
    small = read_table(runs)
    rows = np.arange(20_000) % small.num_rows
    draw = np.random.default_rng(0)
    table = small.take(rows)
    for name in MEASURED:
        column = draw.uniform(size=len(rows))
        table = table.set_column(table.schema.get_field_index(name), small.schema.field(name), [column])
    ids = [f"{one:016x}" for one in draw.integers(0, 2**63, len(rows))]
    table = table.set_column(table.schema.get_field_index("run_id"), small.schema.field("run_id"), [ids])
    write_table(table, tmp_path / "many.parquet")
    write_slim(tmp_path / "many.parquet", tmp_path / "slim.parquet")
    assert (tmp_path / "slim.parquet").stat().st_size < 12_000_000 * len(rows) / 130_000
