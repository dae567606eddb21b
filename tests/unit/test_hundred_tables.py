"""The datasets of config/datasets/ are those that were drawn: what each shows, beside what it showed then.

The figures in hundred_tables.csv were computed by another program than this project's, when the tables were drawn.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import loopback
from l2audit.data.clean import clean_table
from l2audit.data.entries import FOLDER, read_entry
from l2audit.data.prepare import COLLINEAR_ABOVE, SINGULAR, describe
from l2audit.data.readers import read_raw
from l2audit.files import sha256_of
from workshop import ENTRIES

with Path(__file__).with_name("hundred_tables.csv").open(encoding="utf-8", newline="") as stream:
    FIGURES = {row["name"]: row for row in csv.DictReader(stream)}


def test_every_table_has_a_file_of_its_own() -> None:
    assert len(FIGURES) == 99
    assert {path.stem for path in (loopback.ROOT / FOLDER).glob("*.yaml")} >= set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_table_shows_the_figures_that_it_was_drawn_with(name: str) -> None:
    declared, told = read_entry(name, ENTRIES[name]), FIGURES[name]
    entry = replace(declared, shrink=1)  # as the file has it
    if reason := loopback.unavailable(ENTRIES[name]):
        pytest.skip(reason)
    paths = {item["url"]: loopback.MIRROR / item["path"] for item in loopback.manifest()}
    files = [paths[file.url] for file in entry.files]
    assert [sha256_of(file) for file in files] == [file.sha256 for file in entry.files]
    clean = clean_table(read_raw(files, entry), entry)
    card = describe(clean, entry)
    assert (card["task"], card["rows"], card["columns"]) == (told["task"], int(told["rows"]), int(told["columns"]))
    assert (card["classes"] or "") == (int(told["classes"]) if told["classes"] else "")
    assert " ".join(map(str, card["class_counts"] or ())) == told["class_counts"]
    for key, expected in declared.facts.items():
        assert card[key] == expected * (declared.shrink**2 if key == "columns" else 1)
    assert card["collinear"] == (told["collinear"] == "yes") == (card["condition_number"] > COLLINEAR_ABOVE)
    if told["condition_number"] == "singular":
        assert card["condition_number"] == SINGULAR
    elif float(told["condition_number"]) > 1e12:  # of which rounding leaves the order of magnitude
        assert card["condition_number"] > 1e12
    else:
        assert card["condition_number"] == pytest.approx(float(told["condition_number"]), rel=6e-3)
    rows = pd.DataFrame(np.column_stack([clean.X, clean.y]))
    assert rows.duplicated().sum() == int(told["duplicates"])
