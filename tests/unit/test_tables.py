"""The tables in docs/ are what `make docs` writes: of code, configuration and data cards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tools import tables

from l2audit.config.load import table
from l2audit.contamination import FEATURES, KINDS, Kind, random_rows
from l2audit.data.cards import FILE
from l2audit.effects.estimands import ESTIMANDS, Estimand
from l2audit.measures import MEASURES
from l2audit.runs.results import COLUMNS
from repository_copy import REPOSITORY

DOCUMENTS = sorted(
    path for path in (REPOSITORY / "docs").glob("*.md") if tables.MARKED.search(path.read_text(encoding="utf-8"))
)
MARKS = [(path, match) for path in DOCUMENTS for match in tables.MARKED.finditer(path.read_text(encoding="utf-8"))]


def test_every_table_stands_in_one_document() -> None:
    assert sorted(match[2] for _, match in MARKS) == tables.TABLES.names()


@pytest.mark.parametrize(("path", "match"), [pytest.param(*mark, id=mark[1][2]) for mark in MARKS])
def test_the_documents_are_up_to_date(path: Path, match: Any, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    (tmp_path / "data").mkdir()  # no data cards but those of the repository: other rows of datasets stay as they are
    shutil.copy2(REPOSITORY / FILE, tmp_path / FILE)
    assert tables.refreshed(match[0], tmp_path) == match[0], f"{path.name} is out of date: run `make docs`"


def test_what_a_row_says_of_a_column_an_estimand_and_a_kind() -> None:
    def row(name: str) -> list[str]:
        [(rows, _)] = [
            (found, match) for _, match in MARKS for found in tables.cells_of(match[3]) if found[0] == f"`{name}`"
        ] or [([], None)]
        return rows

    assert row("test_brier")[1:] == ["double", MEASURES["test_brier"].formula, "1"]
    assert row("balance")[2] == next(one.meaning for one in COLUMNS if one.name == "balance").replace("|", r"\|")
    assert row("steadiness") == ["`steadiness`", "S(0, c) − S(b, c)", "each contaminated level", "", "band"]
    entry = table(REPOSITORY, "contaminations")["vert"]
    assert row("vert") == [
        *("`vert`", "regression", entry["formula"], KINDS["vert"].hits, "rows", entry["magnitude"], "target"),
        entry["source"],
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the project's configuration and documents, without data."""
    for name in ("config", "docs"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    return tmp_path


def lines_of(root: Path, name: str) -> list[str]:
    return (root / "docs" / name).read_text(encoding="utf-8").splitlines()


def test_what_is_added_comes_into_its_table_and_nothing_else_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimand = Estimand(lambda runs: runs.unpenalised("test_risk"), "a - b | c", "clean", judged_band=False)
    monkeypatch.setattr(ESTIMANDS, "_items", {**ESTIMANDS._items, "mine": estimand})
    kind = Kind(lambda rows, reference, magnitude, draws: (rows.X, rows.y), FEATURES, random_rows)
    monkeypatch.setattr(KINDS, "_items", {**KINDS._items, "mine_too": kind})
    with (root / "config/contaminations.yaml").open("a", encoding="utf-8") as file:
        file.write("\nmine_too: {formula: x, tasks: [regression], rate: rows, stratum: cellwise, source: me}\n")
    card = {"name": "mine", "rows": 9, "columns": 2, "classes": None, "condition_number": 1234.4, "collinear": True}
    with (root / "config/datasets.yaml").open("a", encoding="utf-8") as file:
        file.write("\nmine: {source: https, task: regression}\nprivate: {source: 'file:x.csv', task: regression}\n")
    (root / "data/prepared").mkdir(parents=True)
    for name in ("mine", "private"):
        (root / f"data/prepared/{name}.json").write_text(json.dumps(card | {"name": name, "licence": "a|b"}))
    before = {path.name: set(lines_of(root, path.name)) for path in DOCUMENTS}
    tables.main(root)
    added = {name: set(lines_of(root, name)) - lines for name, lines in before.items()}
    assert added == {
        "claims.md": {r"| `mine` | a − b \| c | clean |  |  |"},
        "contaminations.md": {"| `mine_too` | regression | x | features | rows | – | cellwise | me |"},
        "datasets.md": {r"| mine | 9 | 2 | – | 1,234 | yes | a\|b |"},
        "results.md": set(),
    }
    again = {path.name: lines_of(root, path.name) for path in DOCUMENTS}
    tables.main(root)
    assert again == {path.name: lines_of(root, path.name) for path in DOCUMENTS}


def test_a_row_whose_card_is_not_here_stays_and_one_whose_entry_is_gone_goes(root: Path) -> None:
    entries = root / "config/datasets.yaml"
    text = entries.read_text(encoding="utf-8")
    entries.write_text(text.partition("\nwine:")[0] + "\niris:" + text.partition("\niris:")[2], encoding="utf-8")
    before = lines_of(root, "datasets.md")
    tables.main(root)
    assert [line for line in before if line not in lines_of(root, "datasets.md")] == [
        next(line for line in before if line.startswith("| wine |"))
    ]
