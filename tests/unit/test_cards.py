"""data/cards.parquet: what is known of datasets that are not prepared on this machine, and who is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tools import cards as tool

from l2audit.config.load import load, studies, table
from l2audit.data.cards import COLUMNS, FILE, PREPARED, doubtful, row_of, rows_of, write_cards
from l2audit.errors import DamagedFile
from l2audit.pipeline.results import show_doubts
from l2audit.stored import read_table, write_json
from repository_copy import REPOSITORY
from workshop import Workshop

CARD = {
    **{"name": "a", "task": "regression", "rows": 9, "columns": 2, "classes": None, "condition_number": 2.5},
    **{"collinear": False, "missing": "none", "warnings": ["one", "two"], "licence": "mine", "source": "https"},
}


def put(root: Path, **changes: object) -> None:
    card = CARD | changes
    write_json(root / PREPARED / f"{card['name']}.json", card | {"more": "is left out"})


def test_the_newer_card_counts_and_others_keep_their_rows(tmp_path: Path) -> None:
    for name in ("b", "a"):
        put(tmp_path, name=name)
    assert write_cards(tmp_path, ["b", "a", "never_prepared"]) == 2
    before = (tmp_path / FILE).read_bytes()
    shutil.rmtree(tmp_path / PREPARED)
    assert write_cards(tmp_path, ["a", "b"]) == 2
    assert (tmp_path / FILE).read_bytes() == before
    put(tmp_path, rows=10, warnings=[])
    assert rows_of(tmp_path, ["a"])["a"]["rows"] == 10
    assert doubtful(tmp_path, ["a", "b", "c"]) == {"b": "one; two"}
    assert write_cards(tmp_path, ["a"]) == 1
    assert read_table(tmp_path / FILE).to_pylist() == [row_of(CARD | {"rows": 10, "warnings": []})]
    (tmp_path / FILE).write_bytes(before[:-40] + b"x" + before[-39:])
    with pytest.raises(DamagedFile):
        rows_of(tmp_path, ["a"])


def test_without_cards_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_doubts("mine", ["a"], tmp_path)
    assert capsys.readouterr().out == ""


def test_the_end_of_a_run_names_the_datasets_whose_cards_warn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        put(tmp_path, name=name)
    put(tmp_path, name="c", warnings=[])
    show_doubts("mine", ["b", "c", "a"], tmp_path)
    tells = "python -m l2audit check --study mine"
    assert capsys.readouterr().out == f"Data cards that warn: b, a ({tells} says of what)\n"


def test_the_table_of_a_private_disk_gets_no_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config").mkdir()
    words = "task: regression, licence: x, citation: x, description: x"
    entries = f"a: {{source: bundled:sklearn/diabetes, {words}}}\nmine: {{source: 'file:x.csv', {words}}}\n"
    (tmp_path / "config/datasets.yaml").write_text(entries, encoding="utf-8")
    for name in ("a", "mine"):
        put(tmp_path, name=name)
    tool.main(tmp_path)
    assert read_table(tmp_path / FILE)["name"].to_pylist() == ["a"]
    assert capsys.readouterr().out == "data/cards.parquet: 1 of 1 datasets\n"


PUBLISHED = {row["name"]: row for row in read_table(REPOSITORY / FILE).to_pylist()}


def test_the_file_of_the_repository_tells_of_the_datasets_that_come_with_it() -> None:
    assert read_table(REPOSITORY / FILE).schema == COLUMNS
    assert list(PUBLISHED) == sorted(PUBLISHED)
    assert set(PUBLISHED) <= set(table(REPOSITORY, "datasets"))
    assert len(PUBLISHED) > 140
    for study in studies(REPOSITORY):
        assert set(load(REPOSITORY, study).study.all_datasets) <= set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_file_of_the_repository_says_what_the_data_cards_say(name: str, made: Workshop) -> None:
    row = dict(PUBLISHED[name])
    card = row_of(made[name][1])
    if row["condition_number"] > 1e12:  # of which rounding leaves the order of magnitude
        assert card["condition_number"] > 1e12
        row["condition_number"] = card["condition_number"]
    assert row == card | {"condition_number": pytest.approx(card["condition_number"], rel=2e-3)}
