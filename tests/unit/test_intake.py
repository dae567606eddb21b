"""Tables as people have them: each is read right, or refused with the line of its entry that mends it.

A refusal is tested by its cure: what its fix says in backticks is put into the entry, until the table is read.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
import pytest
import yaml

from l2audit.config.reader import read
from l2audit.config.schema import schema_faults
from l2audit.contamination import Reference, Rows, contaminate
from l2audit.data.clean import Clean, clean_table
from l2audit.data.croissant import write_croissant
from l2audit.data.entries import read_entry
from l2audit.data.prepare import load_card, prepare_dataset
from l2audit.data.readers import read_raw
from l2audit.data.sources import download_dataset
from l2audit.data.split import Scaler, Sizes, split
from l2audit.errors import UserError
from l2audit.linear.fit import fit_linear
from l2audit.models.penalties import Penalty
from l2audit.models.problem import Problem

BASICS = {"licence": "mine", "citation": "me", "description": "A test.", "task": "regression", "target": "y"}
CLASSES: dict[str, Any] = {"task": "classification"}
DROP: dict[str, Any] = {"missing": "drop_rows"}
N = 24
X = [round(float(x), 4) for x in np.random.default_rng(0).normal(size=N)]
"""A feature that tells nothing of the row number."""
Y = [(i * 7) % N * 1.5 + 0.25 for i in range(N)]
AB = ["ab"[i % 2] for i in range(N)]


def load(folder: Path, content: str | bytes, name: str = "my.csv", **entry: Any) -> Clean:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    declared = BASICS | {"source": f"file:{path}"} | entry
    (folder / "datasets.yaml").write_text(yaml.safe_dump({"mine": declared}, allow_unicode=True), encoding="utf-8")
    assert schema_faults(read(folder / "datasets.yaml"), "datasets") == []
    own = read_entry("mine", declared)
    return clean_table(read_raw([path], own), own)


def refused(folder: Path, content: str | bytes, told: str, key: str, name: str = "my.csv", **entry: Any) -> UserError:
    """The one fault, which names the file, the key and a fix, and whose message `told` is found in."""
    with pytest.raises(UserError, match=told) as caught:
        load(folder, content, name, **entry)
    message = str(caught.value)
    assert re.search(rf"mine\.{key}: ", message), message
    assert re.match(rf"config/datasets\.yaml: |{re.escape(str(folder))}/", message), message
    assert message.count("\n") == 1
    assert "\n  fix: " in message
    return caught.value


def cured(
    folder: Path, content: str | bytes, told: str, key: str, steps: int = 1, **more: Any
) -> tuple[Clean, dict[str, Any]]:
    """The table after the fixes that the faults name were put into the entry, and what they were."""
    fault = refused(folder, content, told, key, **more)
    changes: dict[str, Any] = {}
    for _ in range(steps):
        lines = [yaml.safe_load(one) for one in re.findall(r"`([^`]+)`", fault.args[0].partition("\n  fix: ")[2])]
        lines = [one for one in lines if isinstance(one, dict)]
        first = re.split(r" if not, | or |; if between", fault.args[0].partition("\n  fix: ")[2])[0]
        changes |= {key: value for one in lines[: max(1, first.count("`") // 2)] for key, value in one.items()}
        try:
            return load(folder, content, **(more | changes)), changes
        except UserError as next_fault:
            fault = next_fault
    raise fault


def csv(separator: str = ",", end: str = "\n", **columns: Any) -> str:
    lines = [list(columns), *zip(*columns.values(), strict=True)]
    return "".join(separator.join(map(str, line)) + end for line in lines)


def with_cell(values: Any, row: int, cell: Any) -> list[Any]:
    return [cell if i == row else value for i, value in enumerate(values)]


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pd.DataFrame(columns).to_parquet(out)
    return out.getvalue()


def workbook(**sheets: list[list[Any]]) -> bytes:
    """An .xlsx file, ECMA-376, of sheets of rows of cells: text, numbers and None."""

    def cell(value: Any) -> str:
        if value is None:
            return "<c/>"
        text = f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'
        return text if isinstance(value, str) else f"<c><v>{value!r}</v></c>"

    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    numbers = range(1, len(sheets) + 1)
    listed = "".join(f'<sheet name="{s}" sheetId="{k}" r:id="r{k}"/>' for k, s in zip(numbers, sheets, strict=True))
    links = "".join(
        f'<Relationship Id="r{k}" Type="{office}/worksheet" Target="worksheets/sheet{k}.xml"/>' for k in numbers
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
        f'"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{kind}.sheet.main+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{k}.xml" ContentType="{kind}.worksheet+xml"/>' for k in numbers
        )
        + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{links}</Relationships>',
    }
    for k, rows in zip(numbers, sheets.values(), strict=True):
        body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
        parts[f"xl/worksheets/sheet{k}.xml"] = f"<worksheet {main}><sheetData>{body}</sheetData></worksheet>"
    return packed({name: text.encode() for name, text in parts.items()})


def packed(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


ROWS = [["x", "y"], *([x, y] for x, y in zip(X, Y, strict=True))]
TABLE = csv(x=X, y=Y)


def is_table(clean: Clean) -> bool:
    return clean.feature_names == ["x"] and clean.X[:, 0].tolist() == X and clean.y.tolist() == Y


# ---- labels and classes


def test_stray_blanks_around_labels_are_taken_away(tmp_path: Path) -> None:
    clean = load(tmp_path, csv(x=X, y=[("a", "a ", "b", " b ")[i % 4] for i in range(N)]), **CLASSES)
    assert clean.class_names == ["a", "b"]
    assert clean.y.tolist() == [(0, 0, 1, 1)[i % 4] for i in range(N)]
    assert "y: blanks around its cells are left out" in clean.notes


@pytest.mark.parametrize("other", ["a.", "'a'"])
def test_a_stray_sign_beside_the_same_label_is_taken_away(tmp_path: Path, other: str) -> None:
    clean = load(tmp_path, csv(x=X, y=[("a", other, "b", "b")[i % 4] for i in range(N)]), **CLASSES)
    assert clean.class_names == ["a", "b"]
    assert np.bincount(clean.y).tolist() == [12, 12]
    assert f"the labels '{other}' and 'a' are taken for one" in clean.notes


def test_labels_that_differ_in_case_alone_are_kept_with_a_warning(tmp_path: Path) -> None:
    clean = load(tmp_path, csv(x=X, y=[("a", "A", "b", "b")[i % 4] for i in range(N)]), **CLASSES)
    assert clean.class_names == ["A", "a", "b"]
    assert "the classes 'A' and 'a' differ in case alone" in clean.warnings


def test_labels_of_numbers_and_text(tmp_path: Path) -> None:
    clean = load(tmp_path, csv(x=X, y=[("1", "2", "3", "other")[i % 4] for i in range(N)]), **CLASSES)
    assert clean.class_names == ["1", "2", "3", "other"]
    assert any("the class 'other' is text and the others are numbers" in one for one in clean.warnings)


@pytest.mark.parametrize(("labels", "names"), [((0.0, 1.0), ["0", "1"]), ((1.5, 0.5), ["0.5", "1.5"])])
def test_floats_as_classes(tmp_path: Path, labels: tuple[float, float], names: list[str]) -> None:
    clean = load(tmp_path, csv(x=X, y=[labels[i % 2] for i in range(N)]), **CLASSES)
    assert clean.class_names == names
    assert clean.y.tolist() == [names.index(f"{labels[i % 2]:g}") for i in range(N)]


def test_amounts_as_classes(tmp_path: Path) -> None:
    clean, changes = cured(tmp_path, TABLE, "the class '0.25' has 1 row;", "target", **CLASSES)
    assert changes == {"task": "regression"}
    assert is_table(clean)


def test_few_rows_of_a_class_warn(tmp_path: Path) -> None:
    clean = load(tmp_path, csv(x=X, y=["b" if i < 5 else "a" for i in range(N)]), **CLASSES)
    assert "the class 'b' has 5 rows: a part of the data may hold one or two" in clean.warnings


def test_one_class_only(tmp_path: Path) -> None:
    refused(tmp_path, csv(x=X, y=["a"] * N), "1 class in the target, 'a'", "target", **CLASSES)


def test_a_class_of_one_row(tmp_path: Path) -> None:
    clean, changes = cured(
        tmp_path, csv(x=X, y=with_cell(AB, 5, "c")), "the class 'c' has 1 row; a task needs", "target", **CLASSES
    )
    assert changes == {"missing_values": ["c"], "missing": "drop_rows"}
    assert clean.class_names == ["a", "b"]
    assert len(clean.y) == N - 1


def test_class_codes_as_a_regression_target_warn(tmp_path: Path) -> None:
    clean = load(tmp_path, csv(x=X, y=[i % 3 for i in range(N)]))
    assert any("has 3 whole values: codes of classes? then say `task: class" in one for one in clean.warnings)


def test_text_as_a_regression_target(tmp_path: Path) -> None:
    clean, changes = cured(tmp_path, csv(x=X, y=AB), "the target 'y' holds text .'a', 'b'., in line 2 of my", "task")
    assert changes == CLASSES
    assert clean.class_names == ["a", "b"]


def test_every_row_of_a_rare_class_may_be_relabelled(tmp_path: Path) -> None:
    """Three classes, the rarest of four rows, and 40 % of labels flipped: it is split, contaminated and fitted."""
    n = 60
    features = np.random.default_rng(1).normal(size=n).round(3)
    clean = load(tmp_path, csv(x=features, y=["c" if i < 4 else "ab"[i % 2] for i in range(n)]), **CLASSES)
    gone = False
    for seed in range(40):
        parts = split("mine", "classification", clean.y, seed, Sizes(n, n, n))
        assert all(set(clean.y[part]) == {0, 1, 2} for part in (parts.train, parts.validation, parts.test))
        scaled = Scaler.fit(clean.X[parts.train])
        rows = Rows((clean.X[parts.train] - scaled.mean) / scaled.scale, clean.y[parts.train], 3)
        hit = contaminate(
            rows, Reference(rows), kind="sym", rate=0.4, magnitude=0, dataset="mine", seed=seed, part="train"
        )
        if (hit.y[rows.y == 2] == 2).any():
            continue
        gone, labels = True, np.where(hit.y == 2, 0, hit.y)  # no row of the class is left, nor any other row in it
        fitted = fit_linear(
            Problem(
                "classification", 3, hit.X[None].astype(np.float32), labels[None].astype(np.int32),
                np.zeros(2, np.int64), np.array([0.01, 1.0]), np.zeros(2, np.int64), "mine",
            ),
            "cross_entropy",
            Penalty("l2"),
        )  # fmt: skip
        assert fitted.certificates["finite"].all()
        assert np.isfinite(fitted.kernels[0]).all()
    assert gone


# ---- columns that should not be features


def test_a_column_of_row_numbers_without_a_name(tmp_path: Path) -> None:
    clean = load(tmp_path, pd.DataFrame({"x": X, "y": Y}).to_csv())
    assert is_table(clean)
    told = "column 1 has no name and numbers the rows: left out"
    assert told in clean.notes
    assert told in clean.warnings


def test_a_shuffled_column_without_a_name(tmp_path: Path) -> None:
    text = pd.DataFrame({"x": X, "y": Y}).iloc[::-1].to_csv()
    clean, changes = cured(tmp_path, text, "column 1 has no name .it begins 23, 22, 21", "drop")
    assert changes == {"drop": ["column 1"]}
    assert clean.y.tolist() == Y[::-1]


def test_row_numbers_with_a_name_warn(tmp_path: Path) -> None:
    clean = load(tmp_path, csv(number=range(N), x=X, y=Y))
    assert "'number' holds the numbers from 0 to 23, each once: a row number?" in clean.warnings


def test_names_of_rows_as_r_writes_them(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"r{i},{x},{y}\n" for i, (x, y) in enumerate(zip(X, Y, strict=True)))
    clean, changes = cured(tmp_path, text, "line 2 has 3 cells and there are 2 names", "header")
    assert changes == {"header": ["row", "x", "y"], "skip_lines": 1, "drop": ["row"]}
    assert is_table(clean)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_two_columns_of_one_name(tmp_path: Path, kind: str) -> None:
    text = "x,y,y\n" + "".join(f"{x},{i % 5},{y}\n" for i, (x, y) in enumerate(zip(X, Y, strict=True)))
    content: str | bytes = text
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        out = io.BytesIO()
        pq.write_table(pa.table([X, [i % 5 for i in range(N)], Y], names=["x", "y", "y"]), out)
        content = out.getvalue()
    clean, changes = cured(tmp_path, content, r"two columns are called 'y' \(columns 2 and 3\)", "header")
    assert changes["header"] == ["x", "y", "y 2"]
    assert clean.feature_names == ["x", "y 2"]
    assert clean.X[:, 1].tolist() == Y


REGRESSION_COPIES = {
    "exact": Y,
    "another unit": [y * 2.54 - 3 for y in Y],
    "turned": [10 - y for y in Y],
}


@pytest.mark.parametrize("copy", REGRESSION_COPIES)
def test_a_copy_of_an_amount_is_refused(tmp_path: Path, copy: str) -> None:
    text = csv(x=X, again=REGRESSION_COPIES[copy], y=Y)
    clean, changes = cured(tmp_path, text, "the feature 'again' is the target: in another unit", "drop")
    assert changes == {"drop": ["again"]}
    assert is_table(clean)


def test_an_amount_under_other_names_is_refused(tmp_path: Path) -> None:
    text = csv(x=X, again=[f"v{i % 5}" for i in range(N)], y=[(3, 1, 4, 1.5, 9)[i % 5] for i in range(N)])
    told = "the feature 'again' is the target: under other names"
    refused(tmp_path, text, told, "drop", categorical=["again"])
    assert load(tmp_path, text, drop=["again"]).feature_names == ["x"]


@pytest.mark.parametrize("copy", [AB, ["XY"[i % 2] for i in range(N)], [7 - 4 * (i % 2) for i in range(N)]])
def test_a_recoded_copy_of_a_class_is_refused(tmp_path: Path, copy: list[Any]) -> None:
    text = csv(x=X, again=copy, y=AB)
    more = {} if isinstance(copy[0], int) else {"categorical": ["again"]}
    refused(tmp_path, text, "the feature 'again' is the target: under other names", "drop", **CLASSES, **more)
    clean = load(tmp_path, text, drop=["again"], **CLASSES)
    assert clean.feature_names == ["x"]


def test_a_monotone_copy_warns(tmp_path: Path) -> None:
    clean = load(tmp_path, csv(x=X, again=[round(y**3, 4) for y in Y], y=Y))
    assert any(one.startswith("'again' puts the rows in nearly the order of the target") for one in clean.warnings)
    assert clean.feature_names == ["x", "again"]


def test_a_feature_whose_limits_tell_the_class_warns(tmp_path: Path) -> None:
    clean = load(tmp_path, csv(x=X, score=Y, y=["fail" if y < 18 else "pass" for y in Y]), **CLASSES)
    assert any(one.startswith("limits of 'score' tell the class of all 24 rows") for one in clean.warnings)
    assert not any("'x'" in one for one in clean.warnings)


def test_an_ordinary_table_has_no_warnings(tmp_path: Path) -> None:
    clean = load(tmp_path, TABLE)
    assert is_table(clean)
    assert (clean.warnings, clean.notes, clean.missing) == ([], [], "none")


def test_two_rows_thirty_times_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="60 rows, of which 2 differ, and 1 usable columns are left"):
        load(tmp_path, "x,y\n" + 30 * "1,2\n3,5\n")


def test_levels_that_differ_in_case_alone_warn(tmp_path: Path) -> None:
    clean = load(tmp_path, csv(t=["p", "P", "q"] * 8, x=X, y=Y), categorical=["t"])
    assert "the levels of 't' 'P' and 'p' differ in case alone" in clean.warnings


def test_rows_that_stand_in_two_parts_warn(tmp_path: Path) -> None:
    clean = load(tmp_path, TABLE + TABLE.partition("\n")[2])
    (told,) = (one for one in clean.warnings if "repeat another row" in one)
    parts = split("mine", "regression", clean.y, 0, Sizes(48, 48, 48))
    train = {tuple(row) for row in clean.X[parts.train]}
    shared = sum(tuple(row) in train for row in clean.X[parts.test])
    assert shared > 0
    assert told.startswith(f"24 of 48 rows repeat another row; in the first split {shared} of 12 test rows stand")


def test_identifiers_above_two_to_the_53(tmp_path: Path) -> None:
    text = csv(id=[2**53 + 1 + i * 7919 for i in range(N)], x=X, y=Y)
    clean, changes = cured(tmp_path, text, "'id' holds whole numbers above 2.53, which lose digits", "drop")
    assert changes == {"drop": ["id"]}
    assert is_table(clean)


def test_identifiers_of_thirty_digits(tmp_path: Path) -> None:
    text = csv(id=[10**29 + i for i in range(N)], x=X, y=Y)
    clean, _ = cured(tmp_path, text, "in line 2 of my.csv\n.*more than a number can hold", "drop")
    assert is_table(clean)


def test_a_level_in_each_row(tmp_path: Path) -> None:
    text = csv(name=[f"n{i}" for i in range(N)], x=X, y=Y)
    refused(tmp_path, text, "the category 'name' has another level in each row", "categorical", categorical=["name"])
    refused(tmp_path, text, "'name' holds text .'n0', 'n1', 'n2'., in line 2 of my.csv", "categorical")
    assert is_table(load(tmp_path, text, drop=["name"]))


def test_nearly_a_level_in_each_row_warns(tmp_path: Path) -> None:
    text = csv(name=[f"n{max(i, 3)}" for i in range(N)], x=X, y=Y)
    clean = load(tmp_path, text, categorical=["name"])
    assert "the category 'name' has 21 levels in 24 rows: an identifier?" in clean.warnings


# ---- missing cells and marks

REGION = [("EU", "NA", "AS")[i % 3] for i in range(N)]


def test_a_mark_that_is_a_code_of_a_feature(tmp_path: Path) -> None:
    text = csv(region=REGION, x=X, y=Y)
    told = r"region \(8\); the first is in line 3 of my.csv; a column of text holds the mark 'NA'"
    clean, changes = cured(tmp_path, text, told, "missing", categorical=["region"])
    assert changes == {"missing_values": []}
    assert clean.feature_names == ["region=EU", "region=NA", "x"]
    assert clean.X[:, 1].tolist() == [float(region == "NA") for region in REGION]


@pytest.mark.parametrize("kind", ["csv", "parquet", "excel"])
def test_a_mark_that_is_a_class_does_not_vanish_silently(tmp_path: Path, kind: str) -> None:
    x, y = [i * 17 % 36 for i in range(36)], [("EU", "NA", "AS")[i % 3] for i in range(36)]
    rows = [["x", "y"], *map(list, zip(x, y, strict=True))]
    content = {"csv": csv(x=x, y=y), "parquet": parquet(x=x, y=y), "excel": workbook(s=rows)}[kind]
    clean = load(tmp_path, content, missing="drop_rows", **CLASSES)
    told = "12 of 36 rows left out; missing cells by column: y (12); a column of text holds the mark 'NA'"
    assert f"missing cells: {told}" in clean.warnings
    assert clean.missing == told
    clean, changes = cured(tmp_path, content, "the mark 'NA'", "missing", **CLASSES)
    assert changes == {"missing_values": []}
    assert clean.class_names == ["AS", "EU", "NA"]


@pytest.mark.parametrize("cell", ["#N/A", "None", "-"])
def test_one_bad_cell_among_numbers(tmp_path: Path, cell: str) -> None:
    text = csv(b=with_cell(Y, 3, cell), x=X, y=Y[::-1])
    told = f"'b' holds numbers but for 1 of 24 cells: '{cell}', in line 5 of my.csv"
    clean, changes = cured(tmp_path, text, told, "missing_values", steps=2)
    assert changes == {"missing_values": [cell], "missing": "drop_rows"}
    assert len(clean.y) == N - 1


def test_a_bad_cell_beside_another_mark_adds_to_the_marks(tmp_path: Path) -> None:
    text = csv(b=with_cell(Y, 3, "-"), x=with_cell(X, 5, "NA"), y=Y[::-1])
    clean, changes = cured(tmp_path, text, r"missing in 1 of 24 rows: x \(1\)", "missing", steps=3)
    assert changes == {"missing_values": ["-", "NA"], "missing": "drop_rows"}
    assert len(clean.y) == N - 2


def test_marks_of_an_entry_of_its_own(tmp_path: Path) -> None:
    text = csv(x=with_cell(with_cell(X, 3, "none"), 4, ""), y=Y)
    clean = load(tmp_path, text, missing_values=["none"], **DROP)
    assert clean.X[:, 0].tolist() == [x for i, x in enumerate(X) if i not in (3, 4)]
    assert clean.missing == "2 of 24 rows left out; missing cells by column: x (2)"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_sentinel_warns_and_can_be_a_mark(tmp_path: Path, kind: str) -> None:
    cells = with_cell(with_cell(X, 3, -999), 9, -999)
    content = csv(x=cells, y=Y) if kind == "csv" else parquet(x=np.array(cells, float), y=Y)
    clean = load(tmp_path, content)
    (told,) = (one for one in clean.warnings if "far from all else" in one)
    assert told.startswith("'x' is -999 in 2 rows")
    assert "`missing_values: [-999]`" in told
    assert load(tmp_path, content, missing_values=[-999], **DROP).X.min() > -9


def test_a_sentinel_in_the_target_warns(tmp_path: Path) -> None:
    assert any(
        "target 'y' is -999 in 1 row" in one for one in load(tmp_path, csv(x=X, y=with_cell(Y, 3, -999))).warnings
    )


@pytest.mark.parametrize(("column", "where"), [("x", "missing_values"), ("y", "target")])
@pytest.mark.parametrize("cell", ["inf", "-inf"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_infinite_cells(tmp_path: Path, column: str, where: str, cell: str, kind: str) -> None:
    columns = {"x": X, "y": Y} | {column: with_cell({"x": X, "y": Y}[column], 3, float(cell))}
    content = csv(**columns) if kind == "csv" else parquet(**columns)
    place = "line 5 of my.csv" if kind == "csv" else "row 4 of my.csv"
    told = f"infinite values, the first in {place}" + (", column 'x'" if column == "x" else "")
    clean, changes = cured(tmp_path, content, told, where)
    assert changes == {"missing_values": [cell], "missing": "drop_rows"}
    assert len(clean.y) == N - 1


TRUTH = [bool(i // 3 % 2) for i in range(N)]


def test_a_boolean_feature_with_an_empty_cell(tmp_path: Path) -> None:
    for cells in (TRUTH, [str(one).lower() for one in TRUTH]):
        text = csv(flag=with_cell(cells, 3, ""), x=X, y=Y)
        clean, changes = cured(tmp_path, text, r"flag \(1\); the first is in line 5", "missing")
        assert changes == DROP
        assert clean.X[:, 0].tolist() == [float(one) for i, one in enumerate(TRUTH) if i != 3]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_boolean_target_with_a_gap(tmp_path: Path, kind: str) -> None:
    cells = with_cell(TRUTH, 3, "" if kind == "csv" else None)
    content = csv(x=X, y=cells) if kind == "csv" else parquet(x=X, y=cells)
    clean = load(tmp_path, content, **CLASSES, **DROP)
    assert clean.class_names == ["False", "True"]
    assert clean.y.tolist() == [int(one) for i, one in enumerate(TRUTH) if i != 3]
    clean, changes = cured(tmp_path, content, "the target 'y' holds True and False", "task", **DROP)
    assert changes == CLASSES
    assert len(clean.y) == N - 1


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_category_of_number_codes_with_a_gap(tmp_path: Path, kind: str) -> None:
    codes = with_cell([i % 3 + 1 for i in range(N)], 3, "" if kind == "csv" else None)
    content = csv(code=codes, x=X, y=Y) if kind == "csv" else parquet(code=codes, x=X, y=Y)
    clean = load(tmp_path, content, categorical=["code"], **DROP)
    assert clean.feature_names == ["code=1", "code=3", "x"]
    assert "code: 2 indicator columns against '2'" in clean.notes
    assert clean.X[:, 0].tolist() == [float(code == 1) for i, code in enumerate(codes) if i != 3]


def test_a_column_with_few_values_under_drop_rows(tmp_path: Path) -> None:
    text = csv(x=X, few=["" if i % 2 else "p" for i in range(N)], other=["p" if i % 2 else "" for i in range(N)], y=Y)
    told = r"no row is left of 24: 24 of 24 rows left out; missing cells by column: few \(12\), other \(12\)"
    refused(tmp_path, text, told, "missing", **DROP)
    clean = load(tmp_path, csv(x=X + X, few=["p", ""] * N, y=Y + [y + 1 for y in Y]), categorical=["few"], **DROP)
    assert any(one.startswith("missing cells: 24 of 48 rows left out") for one in clean.warnings)


def test_a_transform_that_no_row_has(tmp_path: Path) -> None:
    text = csv(t=AB, x=X, y=[-y for y in Y])
    more = {"target_transform": "log_of_positive", "categorical": ["t"]}
    refused(tmp_path, text, "log_of_positive is undefined in all rows", "target_transform", **more)


# ---- how numbers are written

COMMAS = [f"{x:.3f}".replace(".", ",") for x in X]


def test_decimal_commas(tmp_path: Path) -> None:
    text = csv(";", x=["0,126", "0,640"] * 12, b=COMMAS, y=[str(y).replace(".", ",") for y in Y])
    told = "the column 'x' holds text .'0,126', '0,640'., in line 2 of my.csv"
    clean, changes = cured(tmp_path, text, told, "decimal", separator=";")
    assert changes == {"decimal": ","}
    assert clean.X[:2, 0].tolist() == [0.126, 0.64]
    assert clean.X[:, 1].tolist() == [round(x, 3) for x in X]
    assert clean.y.tolist() == Y


def test_decimal_commas_where_nothing_is_declared(tmp_path: Path) -> None:
    text = csv(";", x=COMMAS, y=[str(y).replace(".", ",") for y in Y])
    clean, changes = cured(tmp_path, text, "line 2 has 3 cells and there are 1 names", "separator", steps=2)
    assert changes == {"separator": ";", "decimal": ","}
    assert clean.y.tolist() == Y


def test_decimal_commas_that_could_be_thousands(tmp_path: Path) -> None:
    text = csv(";", x=[f"{i % 7 + 1},{125 * (i % 8):03d}" for i in range(N)], y=[int(4 * y) for y in Y])
    clean, changes = cured(tmp_path, text, "the column 'x' holds text", "thousands", separator=";")
    assert changes == {"decimal": ","}
    assert clean.X[1, 0] == 2.125


def test_a_point_in_a_column_of_decimal_commas_is_told(tmp_path: Path) -> None:
    text = csv(";", x=with_cell(COMMAS, 3, "1.234"), y=[y * 4 for y in range(N)])
    refused(tmp_path, text, "1 of 24 cells: '1.234', in line 5", "thousands", separator=";", decimal=",")


def test_thousands(tmp_path: Path) -> None:
    amounts = [i * 997 for i in range(N)]
    text = csv(x=[f'"{a:,}"' for a in amounts], b=X, y=Y)
    clean, changes = cured(tmp_path, text, "the column 'x' holds text", "thousands")
    assert changes == {"thousands": ","}
    assert clean.X[:, 0].tolist() == amounts
    points = csv(";", x=[f"{a:,}".replace(",", ".") + ",5" for a in amounts], y=[int(4 * y) for y in Y])
    clean, changes = cured(tmp_path, points, "the column 'x' holds text", "decimal", separator=";")
    assert changes == {"decimal": ",", "thousands": "."}
    assert clean.X[:, 0].tolist() == [a + 0.5 for a in amounts]


def test_decimals_are_not_taken_for_thousands(tmp_path: Path) -> None:
    text = csv(";", x=[f"{i},5" for i in range(N)], y=Y)
    told = "'0,5' in column 'x' has no thousands set apart by ',', in line 2 of my.csv"
    refused(tmp_path, text, told, "thousands", separator=";", thousands=",")


def test_two_decimal_signs_in_one_file_are_told(tmp_path: Path) -> None:
    text = csv(";", x=COMMAS, y=Y)
    refused(tmp_path, text, "the target 'y' holds text .'0.25'", "task", separator=";", decimal=",")


def test_a_sheet_of_numbers_heeds_thousands_in_text_alone(tmp_path: Path) -> None:
    rows = [["x", "y"], *([f"1.{i:03d}" if i % 2 else 0.5 + i, y] for i, y in enumerate(Y))]
    clean = load(tmp_path, workbook(s=rows), thousands=".", decimal=",")
    assert clean.X[:4, 0].tolist() == [0.5, 1001, 2.5, 1003]
    assert clean.y.tolist() == Y


@pytest.mark.parametrize("sign", [" ", "'", "\u00a0", "’"])
def test_other_signs_between_thousands(tmp_path: Path, sign: str) -> None:
    amounts = [1000 + i * i for i in range(N)]
    text = csv(x=[f"{a:,}".replace(",", sign) for a in amounts], b=X, y=Y)
    clean, changes = cured(tmp_path, text, "the column 'x' holds text", "thousands")
    assert changes == {"thousands": sign}
    assert clean.X[:, 0].tolist() == amounts


def test_percent_signs(tmp_path: Path) -> None:
    text = csv(share=[f"{i % 9}.5%" for i in range(N)], x=X, y=Y)
    clean, changes = cured(tmp_path, text, "'share' holds text .'0.5%', '1.5%', '2.5%'., in line 2", "drop")
    assert changes == {"drop": ["share"]}
    assert is_table(clean)
    refused(tmp_path, csv(x=X, y=[f"{i}%" for i in range(N)]), "the target 'y' holds text", "target")


DAYS = pd.date_range("2024-01-30", periods=N)


@pytest.mark.parametrize("kind", ["csv", "csv of days first", "timestamps", "dates"])
def test_dates(tmp_path: Path, kind: str) -> None:
    content: str | bytes = {
        "csv": csv(day=DAYS.strftime("%Y-%m-%d"), x=X, y=Y),
        "csv of days first": csv(day=DAYS.strftime("%d.%m.%Y"), x=X, y=Y),
        "timestamps": parquet(day=DAYS, x=X, y=Y),
        "dates": parquet(day=DAYS.date, x=X, y=Y),
    }[kind]
    clean, changes = cured(tmp_path, content, "'day' holds text .'.*2024.*\n.*these are dates", "drop")
    assert changes == {"drop": ["day"]}
    assert is_table(clean)


# ---- text: encodings, lines, signs


def test_latin_1(tmp_path: Path) -> None:
    text = csv(place=["a"] * 9 + ["Álava", "Andújar", "b"] * 5, x=X, y=Y).replace("Álava", "Jaén").encode("latin-1")
    told = r"line 11 is not UTF-8 text; as latin-1 it says: Jaén,"
    clean, changes = cured(tmp_path, text, told, "encoding", categorical=["place"])
    assert changes == {"encoding": "latin-1"}
    assert "place=Jaén" in clean.feature_names


def test_a_western_encoding_of_windows(tmp_path: Path) -> None:
    text = csv(price=["1 €", "2 €"] * 12, x=X, y=Y).encode("cp1252")
    clean, changes = cured(tmp_path, text, "as cp1252 it says: 1 €", "encoding", categorical=["price"])
    assert changes == {"encoding": "cp1252"}
    assert clean.feature_names == ["price=2 €", "x"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    assert is_table(load(tmp_path, TABLE.encode(encoding)))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(tmp_path: Path, encoding: str) -> None:
    clean, changes = cured(tmp_path, TABLE.encode(encoding), "line 1 holds zero bytes", "encoding")
    assert changes == {"encoding": encoding}
    assert is_table(clean)


@pytest.mark.parametrize("content", [b"\x80\x04\x95abc", b"\x93NUMPY\x01\x00v\x00{}", b"\0\1\2"])
def test_bytes_that_are_no_text(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path, content, "its bytes are no text|holds zero bytes", "(reader|encoding)")


def test_an_encoding_that_nobody_knows(tmp_path: Path) -> None:
    refused(tmp_path, TABLE, "unknown encoding: klingon", "encoding", encoding="klingon")


@pytest.mark.parametrize("start", ["<!DOCTYPE html>", "\ufeff\n <HTML lang='en'>"])
def test_a_page_in_place_of_a_table(tmp_path: Path, start: str) -> None:
    page = f"{start}<body>Please, log in</body></html>\n"
    for name, more in (("my.csv", {}), ("my.xls", {"reader": "excel"})):
        refused(tmp_path, page, "this is an HTML page and no table", "source", name, **more)


def test_comments(tmp_path: Path) -> None:
    head, _, rest = TABLE.partition("\n")
    for text in (f"# made by hand, with care\n# second\n{TABLE}", f"# one\n{TABLE}", f"{head}\n{rest}# the end\n"):
        clean, changes = cured(tmp_path, text, "cells and there are . names", "comment")
        assert changes == {"comment": "#"}
        assert is_table(clean)
    text = csv(tag=['"no #1"', "b"] * 12, x=X, y=[f"{y} # so" for y in Y])
    assert load(tmp_path, text, comment="#", categorical=["tag"]).feature_names == ["tag=no #1", "x"]


def test_a_remark_among_rows_that_has_as_many_cells(tmp_path: Path) -> None:
    lines = TABLE.splitlines()
    text = "\n".join([*lines[:5], "# checked, twice", *lines[5:]])
    clean, changes = cured(tmp_path, text, "'# checked', in line 6 of my.csv", "comment")
    assert changes == {"comment": "#"}
    assert is_table(clean)


def test_title_lines_above_the_names(tmp_path: Path) -> None:
    text = "A survey of 24 rows\n\n" + csv(x=X, b=Y[::-1], y=Y)
    clean, changes = cured(tmp_path, text, "line 3 has 3 cells and there are 1 names: x,b,y", "skip_lines")
    assert changes == {"skip_lines": 2}
    assert clean.feature_names == ["x", "b"]


def test_no_names_in_the_first_line(tmp_path: Path) -> None:
    rest = TABLE.partition("\n")[2]
    refused(tmp_path, rest, "has no column 'y'", "header")
    assert is_table(load(tmp_path, rest, header=["x", "y"]))


def test_names_in_the_entry_and_in_the_file(tmp_path: Path) -> None:
    clean, changes = cured(
        tmp_path, TABLE, "line 1 holds the names that `header` gives", "skip_lines", header=["x", "y"]
    )
    assert changes == {"skip_lines": 1}
    assert is_table(clean)
    clean, changes = cured(
        tmp_path, TABLE, "1 of 25 cells: 'x', in line 1 of my.csv", "skip_lines", header=["a", "y"], steps=2
    )
    assert changes == {"skip_lines": 1}
    assert clean.y.tolist() == Y


def test_a_separator_that_is_wrong_altogether(tmp_path: Path) -> None:
    for mark in (";", "\t", "|"):
        clean, changes = cured(tmp_path, csv(mark, x=X, y=Y), "the table has a single column", "separator")
        assert changes == {"separator": mark}
        assert is_table(clean)
    clean, changes = cured(tmp_path, csv("  ", x=X, y=Y), "the table has a single column, 'x y'", "separator")
    assert changes == {"reader": "whitespace"}
    assert is_table(clean)
    clean, changes = cured(tmp_path, TABLE, "the table has a single column, 'x,y'", "separator", separator=";")
    assert changes == {"separator": ","}


def test_separators_of_several_signs(tmp_path: Path) -> None:
    assert is_table(load(tmp_path, csv("||", x=X, y=Y), separator="||"))
    assert is_table(load(tmp_path, csv(" ; ", x=X, y=Y), separator=r"\s*;\s*"))


@pytest.mark.parametrize("where", ["names", "rows", "both"])
@pytest.mark.parametrize("mark", [",", ",,"])
def test_separators_at_the_end_of_lines(tmp_path: Path, where: str, mark: str) -> None:
    head, *rows = TABLE.splitlines()
    lines = [head + mark * (where != "rows"), *(row + mark * (where != "names") for row in rows)]
    assert is_table(load(tmp_path, "\n".join(lines)))


def test_lines_of_separators_below_the_table(tmp_path: Path) -> None:
    assert is_table(load(tmp_path, TABLE + ",\n" * 7 + "\n\n"))
    refused(tmp_path, TABLE + ",\n" + "1,2\n", r"x \(1\), y \(1\); the first is in line 26", "missing")


def test_a_cut_last_line_is_told(tmp_path: Path) -> None:
    refused(tmp_path, TABLE + "0.5", r"missing in 1 of 25 rows: y \(1\); the first is in line 26", "missing")


def test_a_line_with_too_many_cells_is_told(tmp_path: Path) -> None:
    lines = TABLE.splitlines()
    text = "\n".join([*lines[:9], "1,2,3", *lines[9:]])
    refused(tmp_path, text, "line 10 has 3 cells and there are 2 names: 1,2,3", "separator")


def test_more_names_than_cells_are_told(tmp_path: Path) -> None:
    text = "x,y,z\n" + TABLE.partition("\n")[2]
    refused(tmp_path, text, "line 1 names 3 columns and the lines of my.csv have 2 cells", "header")


def test_single_quotes(tmp_path: Path) -> None:
    text = csv(**{"'x'": [f"'{x}'" for x in X], "'c'": [f"'{c}'" for c in "pqr" * 8], "'y'": [f"'{c}'" for c in AB]})
    clean = load(tmp_path, text, categorical=["c"], **CLASSES)
    assert clean.X[:, 0].tolist() == X
    assert clean.feature_names == ["x", "c=q", "c=r"]
    assert clean.class_names == ["a", "b"]
    assert "y: single quotes around its cells are left out" in clean.notes


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_quotes_and_the_line_ends_of_other_systems(tmp_path: Path, end: str) -> None:
    text = csv(end=end, **{'"x"': [f'"{x}"' for x in X], '"y"': Y})
    assert is_table(load(tmp_path, text))
    text = csv(end=end, t=['"a, ""b"""', '"c"'] * 12, x=X, y=Y)
    assert load(tmp_path, text, categorical=["t"]).feature_names == ["t=c", "x"]


def test_a_quote_that_does_not_end(tmp_path: Path) -> None:
    text = csv(t=with_cell(AB, 9, '"a'), x=X, y=Y)
    refused(tmp_path, text, "a quote that begins in line 11 or after it does not end", "source", categorical=["t"])


def test_names_that_end_in_a_blank(tmp_path: Path) -> None:
    assert is_table(load(tmp_path, TABLE.replace("x,y", "x ,y ")))
    _, changes = cured(tmp_path, TABLE.replace("x,y", "x ,Y "), "has no column 'y'", "target")
    assert changes == {"target": "Y"}
    refused(tmp_path, TABLE.replace("x,y", "x ,z "), "has no column 'y'\n  fix: .*'x', 'z'", "target")


# ---- other formats


def test_formats_are_told_by_their_bytes(tmp_path: Path) -> None:
    assert is_table(load(tmp_path, parquet(x=X, y=Y), "my.dat"))
    assert is_table(load(tmp_path, workbook(s=ROWS), "my.dat"))


def test_title_rows_above_the_names_of_a_sheet(tmp_path: Path) -> None:
    book = workbook(s=[["A survey", None], [], ["of 24 rows", None], *ROWS])
    clean, changes = cured(tmp_path, book, "row 1 names 1 of 2 columns: is it a title", "skip_lines", steps=2)
    assert changes == {"skip_lines": 3}
    assert is_table(clean)
    refused(tmp_path, workbook(s=[["x", "y"], *ROWS[1:], [3, "oh"]]), "'oh', in row 26 of my.csv", "missing_values")


def test_a_sheet_that_is_not_the_first(tmp_path: Path) -> None:
    book = workbook(About=[["What this is"], ["a test"]], Data=ROWS, Empty=[])
    clean, changes = cured(tmp_path, book, "the sheet 'About' has no column 'y'", "sheet")
    assert changes == {"sheet": "Data"}
    assert is_table(clean)
    assert is_table(load(tmp_path, book, sheet=2))
    refused(tmp_path, book, "has no sheet 'Dada'\n  fix: use one of 'About', 'Data', 'Empty'", "sheet", sheet="Dada")
    refused(tmp_path, book, "the sheet 3 is empty", "sheet", sheet=3)


def test_numbers_as_names_of_a_sheet(tmp_path: Path) -> None:
    clean = load(tmp_path, workbook(s=[[2020, " y "], *ROWS[1:]]))
    assert (clean.feature_names, clean.y.tolist()) == (["2020"], Y)


def test_a_column_without_a_cell(tmp_path: Path) -> None:
    for content in (csv(x=X, b=[""] * N, y=Y), workbook(s=[["x", "b", "y"], *([x, None, y] for x, y in ROWS[1:])])):
        clean = load(tmp_path, content)
        assert is_table(clean)
        assert "the column 'b' holds nothing: left out" in clean.warnings


ARFF = """% a comment
@RELATION mine
@ATTRIBUTE 'x' NUMERIC
@ATTRIBUTE colour {red, 'light blue', green}
@ATTRIBUTE y {yes, no}
@DATA
"""


def test_arff(tmp_path: Path) -> None:
    colours = ["red", "'light blue'", "green"]
    rows = [f"{x},{colours[i % 3]},{('yes', 'no')[i % 2]}" for i, x in enumerate(X)]
    clean = load(tmp_path, ARFF + "\n".join(rows), categorical=["colour"], **CLASSES)
    assert clean.X[:, 0].tolist() == X
    assert (clean.class_names, clean.y.tolist()) == (["no", "yes"], [1 - i % 2 for i in range(N)])
    assert clean.feature_names == ["x", "colour=light blue", "colour=red"]
    holes = ARFF + "\n".join(["?,?,yes", *rows[1:]])
    told = r"missing in 1 of 24 rows: x \(1\), colour \(1\); the first is in line 7 of my.csv"
    clean, changes = cured(tmp_path, holes, told, "missing", categorical=["colour"], **CLASSES)
    assert changes == DROP


def test_categorical_nullable_and_decimal_parquet(tmp_path: Path) -> None:
    content = parquet(
        c=pd.Categorical(["p", "q", "r"] * 8),
        k=pd.Categorical([1, 2, 3, 4] * 6),
        i=pd.array(with_cell([j * j for j in range(N)], 3, None), dtype="Int64"),
        b=pd.array(with_cell(TRUTH, 3, None), dtype="boolean"),
        d=[Decimal(f"{x:.4f}") for x in X],
        y=pd.array(Y, dtype="Float64"),
    )
    clean = load(tmp_path, content, categorical=["c"], **DROP)
    assert clean.feature_names == ["c=p", "c=q", "k", "i", "b", "d"] or clean.feature_names[-4:] == ["k", "i", "b", "d"]
    kept = [j for j in range(N) if j != 3]
    assert clean.X[:, -4:].tolist() == [[j % 4 + 1, j * j, float(TRUTH[j]), X[j]] for j in kept]
    assert clean.y.tolist() == [Y[j] for j in kept]


def test_lists_in_parquet(tmp_path: Path) -> None:
    content = parquet(v=[[1, 2]] * N, x=X, y=Y)
    clean, changes = cured(tmp_path, content, "the column 'v' holds lists", "drop")
    assert changes == {"drop": ["v"]}
    assert is_table(clean)


def test_parquet_with_an_index_of_pandas(tmp_path: Path) -> None:
    def written(index: Any) -> bytes:
        out = io.BytesIO()
        pd.DataFrame({"x": X, "y": Y}, index=index).to_parquet(out)
        return out.getvalue()

    assert is_table(load(tmp_path, written(None)))
    clean = load(tmp_path, written(pd.Index(list(range(N)))))
    assert is_table(clean)
    assert any("has no name and numbers the rows: left out" in one for one in clean.warnings)
    clean, changes = cured(tmp_path, written([f"r{i}" for i in range(N)]), "column 3 has no name", "drop")
    assert changes == {"drop": ["column 3"]}
    assert is_table(clean)
    clean = load(tmp_path, written(pd.Index(list(range(5, 5 + N)), name="id")))
    assert "'id' holds the numbers from 5 to 28, each once: a row number?" in clean.warnings


def test_parts_of_other_columns_are_told(tmp_path: Path) -> None:
    members = {"one.csv": TABLE.encode(), "two.csv": TABLE.replace("x,y", "z,y").encode()}
    told = "its columns are not those of .*one.csv: 'x', 'z'"
    refused(tmp_path, packed(members), told, "members", "my.zip", members=["one.csv", "two.csv"])


def test_a_key_that_the_reader_does_not_heed_is_told(tmp_path: Path) -> None:
    refused(tmp_path, parquet(x=X, y=Y), "the reader `parquet` does not heed this key", "separator", separator=";")
    refused(tmp_path, TABLE, "the reader `csv` does not heed this key, which is for excel", "sheet", sheet=2)


@pytest.mark.parametrize("name", ["2020", "yes", "a: b", "a,b", "it's", "[x]", "é", "- a"])
def test_a_fix_writes_names_as_yaml_reads_them(tmp_path: Path, name: str) -> None:
    text = csv(**{f'"{name}"': ["p%", "3 %"] * 12}, x=X, y=Y)
    refused(tmp_path, text, "holds text", "categorical")
    text = csv(**{f'"{name}"': ["1%", "3 %"] * 12}, x=X, y=Y)
    clean, changes = cured(tmp_path, text, "holds text", "drop")
    assert changes == {"drop": [name]}
    assert is_table(clean)


ODD_FILES = {
    "plain": (TABLE, True),
    "byte-order mark": (TABLE.encode("utf-8-sig"), True),
    "blank after names": (TABLE.replace("x,y", "x ,y "), True),
    "row numbers": (pd.DataFrame({"x": X, "y": Y}).to_csv(), True),
    "another encoding": (TABLE.encode("utf-16"), False),
    "separators behind rows": ("x,y\n" + ",\n".join(TABLE.splitlines()[1:]) + ",\n", False),
    "single quotes": (TABLE.replace("x,y", "'x','y'"), False),
    "Parquet": (parquet(x=X, y=Y), False),
    "a workbook": (workbook(s=ROWS), False),
}


@pytest.mark.parametrize("kind", ODD_FILES)
def test_a_file_that_is_read_here_is_described_for_other_loaders(tmp_path: Path, kind: str) -> None:
    """The Croissant card names the columns where a plain loader finds them, and never stops a table that was read."""
    content, described = ODD_FILES[kind]
    assert is_table(load(tmp_path, content))
    declared = BASICS | {"source": f"file:{tmp_path}/my.csv"}
    manifest = download_dataset("mine", declared, tmp_path / "raw")
    prepare_dataset("mine", declared, manifest, tmp_path / "d.npz", tmp_path / "d.json")
    write_croissant("mine", declared, manifest, load_card(tmp_path / "d.json"), tmp_path / "c.json")
    card = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert ("recordSet" in card) == described


# ---- images

IMAGE: dict[str, Any] = {"image": [4, 4], "scale": [0, 255], "target": "target", "task": "classification"}
FILES = {f"kinds/{name}.bin": bytes((k * 80 + i * 3) % 256 for i in range(16 * 10)) for k, name in enumerate("pqr")}


def test_raw_bytes_one_file_a_class(tmp_path: Path) -> None:
    for prefix in ("kinds/", ""):
        files = {prefix + Path(name).name: content for name, content in FILES.items()}
        clean = load(tmp_path, packed(files), "my.zip", reader="raw", members=list(files), **IMAGE)
        assert clean.class_names == ["p", "q", "r"]
        assert np.bincount(clean.y).tolist() == [10, 10, 10]
        assert (clean.X[10] * 255).round().tolist() == list(FILES["kinds/q.bin"][:16])
    more = {"reader": "raw", "members": ["a/p", "b/p"]} | IMAGE
    refused(tmp_path, packed({"a/p": bytes(160), "b/p": bytes(160)}), "two files would be one class", "members", **more)
    more = {"reader": "raw", "members": ["p"]} | IMAGE
    refused(tmp_path, packed({"p": bytes(161)}), "161 bytes are no whole number of images of 4 x 4", "image", **more)


def test_a_real_size_of_raw_images(tmp_path: Path) -> None:
    files = {name: np.random.default_rng(k).bytes(784 * 8) for k, name in enumerate("pqr")}
    more = IMAGE | {"image": [28, 28], "shrink": 2}
    clean = load(tmp_path, packed(files), "my.zip", reader="raw", members=["r", "p", "q"], **more)
    assert clean.X.shape == (24, 196)
    first = np.frombuffer(files["r"], np.uint8)[:784].reshape(28, 28) / 255
    means = [[first[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].mean() for c in range(14)] for r in range(14)]
    assert np.allclose(clean.X[0], np.ravel(means), rtol=0, atol=1e-15)
    assert clean.feature_names[15] == "pixel_1_1"
    assert clean.y.tolist() == [2] * 8 + [0] * 8 + [1] * 8


def test_images_from_minus_one_to_one(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).uniform(-1, 1, size=(N, 4)).round(3)
    text = csv(**{f"p{j}": pixels[:, j] for j in range(4)}, y=AB)
    more = CLASSES | {"image": [2, 2], "scale": [-1, 1]}
    clean = load(tmp_path, text, **more)
    assert np.allclose(clean.X, (pixels + 1) / 2, atol=1e-15)
    shrunk = load(tmp_path, text, shrink=2, **more)
    assert np.allclose(shrunk.X[:, 0], ((pixels + 1) / 2).mean(axis=1), atol=1e-15)
    more["scale"] = [0, 1]
    clean, changes = cured(tmp_path, text, "pixels lie outside 0..1", "scale", **more)
    assert changes["scale"] == [-1, 1]
    assert np.allclose(clean.X, (pixels + 1) / 2, atol=1e-15)


# ---- tables that are too small


@pytest.mark.parametrize("text", ["", "\n\n", "x,y\n"])
def test_no_rows_at_all(tmp_path: Path, text: str) -> None:
    refused(tmp_path, text, "there is no line with cells" if "x" not in text else "no row is left of 0", ".*")


def test_a_dozen_rows(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="12 rows and 1 usable columns are left; at least 20 and 1 are needed"):
        load(tmp_path, "\n".join(TABLE.splitlines()[:13]))


def test_columns_that_do_not_vary(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"and 0 usable columns are left"):
        load(tmp_path, csv(a=[1] * N, b=[2] * N, y=Y))
    clean = load(tmp_path, csv(a=with_cell([1] * N, 3, 5), b=[2] * N, y=Y))
    assert clean.feature_names == ["a"]
    assert "constant columns removed: b" in clean.notes
    assert "'a' is 1 in all but 1 of 24 rows: a part of the data may hold none of them" in clean.warnings


def test_warnings_stand_on_the_card(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text(pd.DataFrame({"x": X, "y": Y}).to_csv(), encoding="utf-8")
    declared = BASICS | {"source": f"file:{tmp_path}/my.csv"}
    manifest = download_dataset("mine", declared, tmp_path / "raw")
    prepare_dataset("mine", declared, manifest, tmp_path / "d.npz", tmp_path / "d.json")
    assert load_card(tmp_path / "d.json")["warnings"] == ["column 1 has no name and numbers the rows: left out"]


# ---- names of datasets


def names(folder: Path, text: str, table: str = "datasets") -> list[str]:
    (folder / "names.yaml").write_text(text, encoding="utf-8")
    return [str(fault) for fault in schema_faults(read(folder / "names.yaml"), table)]


ENTRY = "{source: 'file:x.csv', task: regression, licence: mine, citation: me, description: A test.}"
LAYERS = "{description: small, layers: [dense 4, relu]}"


def test_names_of_datasets_and_architectures(tmp_path: Path) -> None:
    assert names(tmp_path, f"my-data: {ENTRY}\nmy_data2: {ENTRY}\n") == []
    assert names(tmp_path, f"mlp-4: {LAYERS}\nmy_mlp: {LAYERS}\n", "architectures") == []
    (fault,) = names(tmp_path, f"my-data: {ENTRY}\n\nConcrete: {ENTRY}\n")
    assert fault.startswith(f"{tmp_path}/names.yaml:3: Concrete: 'Concrete' (text) is not of the right form (fix: ")
    assert "small letters, digits, `_` and `-`" in fault
    assert "For example `concrete`" in fault
    (fault,) = names(tmp_path, f"ok: {LAYERS}\nMy MLP: {LAYERS}\n", "architectures")
    assert f"{tmp_path}/names.yaml:2: " in fault
    assert "for example `my-mlp`" in fault


@pytest.mark.parametrize(
    ("name", "form"), [("Wine Quality", "wine_quality"), ("2024", "mine"), ("Jaén", "jaen"), ("UCI-Adult", "uci-adult")]
)
def test_the_form_that_is_proposed_is_allowed(tmp_path: Path, name: str, form: str) -> None:
    (fault,) = names(tmp_path, f'"{name}": {ENTRY}\n')
    assert f"For example `{form}`" in fault
    assert names(tmp_path, f"{form}: {ENTRY}\n") == []
