"""Croissant cards of tables whose columns, levels and files have awkward names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pandas as pd
import pytest

from l2audit.data.croissant import unique_ids
from l2audit.errors import UserError
from workshop import WORDS, Made, croissant_of, make

PLAIN = ["2010", "a", "a_b", "größe", "Ω", "width.cm", "part-2"]
AWKWARD = [
    *("sepal length (cm)", "a b", "a/b", 'say "hi"', "it's", "x=1", "a=b", "#", "?q", "a%20b", "tab\tx", "new\nline"),
    *("back\\slash", "{b}", "<i>", "a,b", "a:b", "http://x.y/z", "kind of", "kind=", "+", "rows", "1e3", "\u200b"),
]
NAMES = [*PLAIN, *AWKWARD]
TARGET = "the target, y"
LEVELS = ["plain", "ä /b", "d=e", "rest"]


def table() -> pd.DataFrame:
    row = np.arange(40)
    numbers = {name: (row * (j + 3)) % 37 + 0.5 * j for j, name in enumerate(NAMES)}
    return pd.DataFrame({**numbers, "which kind?": np.array(LEVELS)[row % 4], TARGET: row**2.0})


def own(folder: Path, frame: pd.DataFrame, file: str = "own.csv", **entry: Any) -> Made:
    source = folder / "elsewhere" / file
    source.parent.mkdir(exist_ok=True)
    if file.endswith("parquet"):
        frame.to_parquet(source, index=False)
    else:
        frame.to_csv(source, index=False)
    declared = {"source": f"file:{source}", "task": "regression", "target": TARGET, **WORDS} | entry
    return make("own", folder, declared)


def described(made: Made) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(croissant_of(made[2]).read_text(encoding="utf-8"))
    return found


def fields(made: Made) -> dict[str, str]:
    """The name of each field, by its id."""
    (records,) = described(made)["recordSet"]
    return {field["@id"].removeprefix("rows/"): field["name"] for field in records["field"]}


@pytest.mark.parametrize(("file", "reader"), [("own table (1).csv", "csv"), ("own, 100 %.parquet", "parquet")])
def test_awkward_names_are_valid_readable_and_lead_to_their_columns(tmp_path: Path, file: str, reader: str) -> None:
    made = own(tmp_path, table(), file, reader=reader, categorical=["which kind?"])
    dataset = mlcroissant.Dataset(jsonld=croissant_of(made[2]))
    assert dataset.metadata.ctx.issues.errors == set()
    names = fields(made)
    assert sorted(names.values()) == sorted([*NAMES, "which kind?", TARGET])
    assert {one: names[one] for one in PLAIN} == dict(zip(PLAIN, PLAIN, strict=True))  # a plain name is its own id
    assert described(made)["variableMeasured"] == [*made[1]["feature_names"], TARGET]
    assert [item["name"] for item in described(made)["distribution"]] == [file]
    rows = pd.DataFrame(dataset.records("rows"))
    assert len(rows.columns) == len(names)
    for one, name in names.items():
        found, expected = rows[f"rows/{one}"], table()[name]
        if name == "which kind?":
            assert [level.decode() for level in found] == list(expected)
        else:
            np.testing.assert_allclose(found.to_numpy(float), expected, rtol=1e-6, err_msg=name)


def test_ids_are_words_and_no_two_are_alike() -> None:
    found = unique_ids(["a b", "a_b", "a/b", "a_b_2", "", "  ", "ä ö", "a b_3"])
    assert found == {
        **{"a b": "a_b_3", "a_b": "a_b", "a/b": "a_b_4", "a_b_2": "a_b_2", "": "_", "  ": "__"},
        **{"ä ö": "ä_ö", "a b_3": "a_b_3_2"},
    }


def test_blanks_before_a_name_are_not_part_of_it_and_it_is_found_all_the_same(tmp_path: Path) -> None:
    frame = table()[["a", "a b", TARGET]].rename(columns={"a b": "  a b"})
    made = own(tmp_path, frame, target=TARGET)
    assert made[1]["feature_names"] == ["a", "a b"]
    rows = pd.DataFrame(mlcroissant.Dataset(jsonld=croissant_of(made[2])).records("rows"))
    assert rows["rows/a_b"].tolist() == pytest.approx(frame["  a b"].tolist())


@pytest.mark.parametrize("gap", ["?", ".", "NA", ""])
def test_missing_cells_however_they_are_written_stop_no_loader(tmp_path: Path, gap: str) -> None:
    frame = table()[["a", TARGET]].astype({"a": object})
    frame.loc[3, "a"] = gap
    made = own(tmp_path, frame, missing="drop_rows")
    records = list(mlcroissant.Dataset(jsonld=croissant_of(made[2])).records("rows"))
    assert len(records) == 40
    assert float(records[4]["rows/a"]) == frame.loc[4, "a"]


def test_a_column_that_only_looks_like_an_indicator_is_described(tmp_path: Path) -> None:
    frame = table()[["a", TARGET]].assign(kind=np.array(["u", "v"])[np.arange(40) % 2], **{"kind=x": range(40)})
    made = own(tmp_path, frame, categorical=["kind"])
    assert set(fields(made).values()) == {"a", "kind", "kind=x", TARGET}


def test_two_features_of_one_name_are_refused(tmp_path: Path) -> None:
    kinds = np.array(["u", "v", "u"])[np.arange(40) % 3]
    with pytest.raises(UserError, match="two features are called 'kind=v'") as caught:
        own(tmp_path, table()[["a", TARGET]].assign(kind=kinds, **{"kind=v": range(40)}), categorical=["kind"])
    assert "config/datasets.yaml: own.categorical" in str(caught.value)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    parts = ["a,b,y", *(f"{i},{i % 7},{i * i}" for i in range(30))]
    (tmp_path / "own.csv").write_text("\n".join(parts[1:]), encoding="utf-8")
    entry = {"source": f"file:{tmp_path}/own.csv", "header": ["a", "a", "y"], "target": "y", "task": "regression"}
    with pytest.raises(UserError, match="two columns are called 'a'"):
        make("own", tmp_path, entry | WORDS)
