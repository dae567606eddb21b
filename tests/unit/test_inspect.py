"""`inspect`: from a stranger's file to an entry that reads it, with a question at each decision."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from l2audit.cli import main
from l2audit.config.reader import Document
from l2audit.config.schema import schema_faults
from l2audit.data.entries import read_entry
from l2audit.data.prepare import load_card, prepare_dataset
from l2audit.data.sources import download_dataset
from l2audit.errors import UserError
from l2audit.pipeline.inspect import inspect

ROWS = range(60)
PLAIN = pd.DataFrame(
    {
        "a": [i * 0.5 for i in ROWS],
        "b": [(i * 7) % 60 / 4 for i in ROWS],
        "region": [("EU", "AS", "US")[i % 3] for i in ROWS],
        "price": [(i * 13) % 60 * 1.5 + 0.25 for i in ROWS],
    }
)


def excel(table: pd.DataFrame) -> bytes:
    from xls_example import workbook

    return bytes(workbook("xlsx", table))


def parquet(table: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    table.to_parquet(out, index=False)
    return out.getvalue()


def csv(table: pd.DataFrame, **how: Any) -> bytes:
    return table.to_csv(index=False, **how).encode(how.pop("encoding", "utf-8"))


ARFF = """@relation t
@attribute a numeric
@attribute b numeric
@attribute region {EU,AS,US}
@attribute price numeric
@data
"""
FILES: dict[str, tuple[str, bytes]] = {
    "commas": ("t.csv", csv(PLAIN)),
    "semicolons": ("t.csv", csv(PLAIN, sep=";")),
    "tabs": ("t.tsv", csv(PLAIN, sep="\t")),
    "decimal commas": ("t.csv", csv(PLAIN, sep=";", decimal=",")),
    "blanks": ("t.txt", csv(PLAIN, sep=" ")),
    "gzip": ("t.csv.gz", gzip.compress(csv(PLAIN))),
    "byte-order mark": ("t.csv", b"\xef\xbb\xbf" + csv(PLAIN)),
    "UTF-16": ("t.csv", csv(PLAIN).decode().encode("utf-16")),
    "Latin-1": ("t.csv", csv(PLAIN).decode().replace("EU", "Perú").encode("latin-1")),
    "a title above": ("t.csv", b"Prices of 2024\n\n" + csv(PLAIN)),
    "comments above": ("t.csv", b"# prices\n# of 2024\n" + csv(PLAIN)),
    "row numbers": ("t.csv", PLAIN.to_csv().encode()),
    "named row numbers": ("t.csv", csv(PLAIN.assign(rownames=[i + 1 for i in ROWS])[["rownames", *PLAIN]])),
    "dates": ("t.csv", csv(PLAIN.assign(day=[f"2024-01-{i % 28 + 1:02}" for i in ROWS])[["day", *PLAIN]])),
    "names": ("t.csv", csv(PLAIN.assign(name=[f"person {i}" for i in ROWS])[["name", *PLAIN]])),
    "a copy of the target": ("t.csv", csv(PLAIN.assign(cents=PLAIN["price"] * 100)[["cents", *PLAIN]])),
    "Parquet": ("t.parquet", parquet(PLAIN)),
    "Parquet without its extension": ("t.data", parquet(PLAIN)),
    "Excel": ("t.xlsx", excel(PLAIN.assign(region=[i % 9 for i in ROWS]))),
    "ARFF": ("t.arff", (ARFF + csv(PLAIN, header=False).decode()).encode()),
}


def entry_in(text: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(re.split(r"\n\n", text.partition("question mark:\n\n")[2])[0])
    return found


@pytest.mark.parametrize("how", FILES)
def test_the_entry_for_a_file_is_valid_and_reads_the_table(tmp_path: Path, how: str) -> None:
    name, content = FILES[how]
    (tmp_path / name).write_bytes(content)
    text = inspect(tmp_path / name)
    ((dataset, declared),) = entry_in(text).items()
    assert not schema_faults(Document("datasets.yaml", {dataset: declared}, {(): 1}), "datasets")
    assert (declared["task"], declared["target"]) == ("regression", "price")
    read_entry(dataset, declared)
    manifest = download_dataset(dataset, declared, tmp_path / "raw")
    prepare_dataset(dataset, declared, manifest, tmp_path / "d.npz", tmp_path / "d.json")
    card = load_card(tmp_path / "d.json")
    assert (card["rows"], card["columns"]) == (60, 3 if how == "Excel" else 4), text
    numbered = ["column 1 has no name and numbers the rows: left out"]
    assert card["warnings"] == (numbered if how == "row numbers" else []), text
    assert f"With it: 60 rows, {card['columns']} features." in text


def test_what_a_person_must_decide_is_asked(tmp_path: Path) -> None:
    (tmp_path / "My Table.csv").write_bytes(csv(PLAIN))
    text = inspect(tmp_path / "My Table.csv")
    asked = {line.strip().partition(":")[0] for line in text.splitlines() if "# ?" in line}
    assert asked == {"task", "target", "categorical", "description", "licence", "citation"}
    assert "\nmy_table:\n" in text


def test_a_file_without_names_gets_some_and_asks(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(csv(PLAIN[["a", "b", "price"]], header=False))
    text = inspect(tmp_path / "t.csv")
    assert entry_in(text)["t"]["header"] == ["v1..3"]
    assert "what are the columns called?" in text


def test_classes_are_told_from_amounts(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(csv(PLAIN))
    assert entry_in(inspect(tmp_path / "t.csv", "region"))["t"]["task"] == "classification"
    with pytest.raises(UserError, match="there is no column 'regoin'"):
        inspect(tmp_path / "t.csv", "regoin")


def test_a_mark_that_may_be_a_code_is_asked_about(tmp_path: Path) -> None:
    table = PLAIN.assign(region=[("EU", "NA", "US")[i % 3] for i in ROWS])
    (tmp_path / "t.csv").write_bytes(csv(table))
    assert "If 'NA' is a value, say `missing_values: []`" in inspect(tmp_path / "t.csv")


def test_a_fault_that_no_key_cures_is_told_with_its_line(tmp_path: Path) -> None:
    lines = csv(PLAIN[["a", "b", "price"]]).decode().splitlines()
    lines[7] += ",9,9,9"
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(UserError, match="line 8 has 6 cells and there are 3 names"):
        inspect(tmp_path / "t.csv")


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_bytes(csv(PLAIN))
    assert main(["inspect", str(tmp_path / "t.csv")]) == 0
    assert "60 rows, 4 columns, read as text separated by ','" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path / "nowhere.csv")])
    assert "nowhere.csv" in capsys.readouterr().err
