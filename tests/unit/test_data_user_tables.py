"""A user's own table: one entry, no Python; and what is told when the entry or the table is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from l2audit.config.reader import read
from l2audit.config.schema import schema_faults
from l2audit.data.entries import read_entry
from l2audit.data.prepare import load_card, load_prepared, prepare_dataset
from l2audit.data.raw import require_files
from l2audit.data.readers import Part, parse_idx
from l2audit.data.sources import download_dataset, network_settings
from l2audit.errors import UserError
from l2audit.pipeline.check import source_faults

DOCS = Path(__file__).parents[2] / "docs" / "datasets.md"
BASICS = {"licence": "mine", "citation": "me", "description": "A test."}


def examples() -> dict[str, dict[str, Any]]:
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {name: entry for block in blocks for name, entry in yaml.safe_load(block).items()}


def prepare(folder: Path, text: str, **entry: Any) -> tuple[Any, dict[str, Any]]:
    (folder / "mine.csv").write_text(text, encoding="utf-8")
    declared = BASICS | {"source": f"file:{folder}/mine.csv", "task": "regression", "target": "y"} | entry
    manifest = download_dataset("mine", declared, folder / "raw")
    prepare_dataset("mine", declared, manifest, folder / "d.npz", folder / "d.json")
    return load_prepared(folder / "d.npz"), load_card(folder / "d.json")


def table(rows: int = 24, **columns: Any) -> str:
    """CSV text with the numeric columns a and y, and whatever else, each a function of the row number."""
    columns = {"a": lambda i: i * 0.5, "y": lambda i: i * i} | columns
    lines = [",".join(columns)]
    return "\n".join(lines + [",".join(str(column(i)) for column in columns.values()) for i in range(rows)]) + "\n"


def test_the_example_from_the_web_is_a_valid_entry() -> None:
    entry = read_entry("abalone", examples()["abalone"])
    (file,) = entry.files
    assert (file.name, file.bytes) == ("abalone.data", 191873)


def test_numbers_survive_to_the_last_bit(tmp_path: Path) -> None:
    values = np.random.Generator(np.random.PCG64(0)).lognormal(sigma=20, size=3000)
    data, _ = prepare(tmp_path, table(3000, a=lambda i: repr(float(values[i]))))
    assert np.array_equal(data.X[:, 0], values)


def test_header_and_separator(tmp_path: Path) -> None:
    text = "\n".join(f"{i}; {i % 5};{i * i}" for i in range(24))
    data, card = prepare(tmp_path, text, header=["a", "b", "y"], separator=";")
    assert card["feature_names"] == ["a", "b"]
    assert data.X[3].tolist() == [3, 3]
    assert data.y[3] == 9


def test_a_shrunk_image_has_the_size_that_it_is_used_at(tmp_path: Path) -> None:
    pixels = {f"p{k}": (lambda i, k=k: (7 * i + k) % 10) for k in range(24)}
    text = table(a=lambda i: 0, **pixels)
    data, card = prepare(tmp_path, text, drop=["a"], image=[6, 4], shrink=2, scale=[0, 9])
    assert data.image == (3, 2) == tuple(card["image"])
    assert data.X.shape == (24, 6)


def test_an_edited_file_gives_other_raw_bytes(tmp_path: Path) -> None:
    _, before = prepare(tmp_path, table())
    _, after = prepare(tmp_path, table(25))
    assert before["raw_sha256"] != after["raw_sha256"]


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ("identity", np.arange(30.0) - 5),
        ("log1p", np.log1p(np.arange(25.0))),
        ("log_of_positive", np.log(np.arange(1.0, 25))),
    ],
)
def test_target_transforms(tmp_path: Path, transform: str, expected: np.ndarray) -> None:
    data, card = prepare(tmp_path, table(30, a=lambda i: i * i, y=lambda i: i - 5), target_transform=transform)
    assert np.allclose(data.y, expected)
    assert ("left out" in card["notes"]) == (len(expected) < 30)


def test_positive_makes_two_classes(tmp_path: Path) -> None:
    _, card = prepare(tmp_path, table(30, y=lambda i: i - 5), target_transform="positive", task="classification")
    assert (card["class_names"], card["class_counts"]) == (["0", "1"], [6, 24])


def test_above_makes_two_classes(tmp_path: Path) -> None:
    _, card = prepare(tmp_path, table(30), target_transform="above", threshold=25, task="classification")
    assert (card["class_names"], card["class_counts"]) == (["0", "1"], [6, 24])  # 25 = 5 * 5 is not above itself
    assert card["target_transform"] == "above 25"


def test_a_range_in_the_header_stands_for_its_names(tmp_path: Path) -> None:
    text = "\n".join(",".join(str((i + j) ** 2) for j in range(4)) for i in range(24))
    _, card = prepare(tmp_path, text, header=["x_8..10", "y"])
    assert card["feature_names"] == ["x_8", "x_9", "x_10"]


def test_codes_can_be_categories_and_constant_columns_go(tmp_path: Path) -> None:
    text = table(b=lambda i: (7, 3, 3)[i % 3], c=lambda i: 1)
    data, card = prepare(tmp_path, text, categorical=["b"])
    assert card["feature_names"] == ["a", "b=7"]
    assert data.X[:3, 1].tolist() == [1, 0, 0]
    assert "constant columns removed: c" in card["notes"]


def test_a_target_of_mostly_one_value_is_noted(tmp_path: Path) -> None:
    _, card = prepare(tmp_path, table(y=lambda i: max(0, i - 15)))
    assert "median absolute deviation is 0" in card["notes"]


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    (table(), {"target": "z"}, "no column 'z'", "mine.target"),
    (table(), {"drop": ["z"]}, "'z' is no feature", "mine.drop"),
    (table(), {"categorical": ["y"]}, "'y' is no feature", "mine.categorical"),
    (table(b=lambda i: f"t{i % 2}"), {}, r"the column 'b' holds text \('t0', 't1'\)", "mine.categorical"),
    (table(b=lambda i: "?" if i == 3 else i), {}, r"cells are missing in 1 of 24 rows: b \(1\)", "mine.missing"),
    (table(b=lambda i: "inf" if i == 3 else i), {}, "infinite values", "mine.missing_values"),
    (table(y=lambda i: f"t{i % 2}"), {}, "the target 'y' holds text", "mine.task"),
    (table(y=lambda i: f"t{i % 2}"), {"target_transform": "log1p"}, "'y' holds text", "mine.target_transform"),
    (table(y=lambda i: 1), {}, "a single value", "mine.target"),
    (table(y=lambda i: 1), {"task": "classification"}, "1 class in the target", "mine.target"),
    (table(y=lambda i: i // 22), {"task": "classification"}, "the class '1' has 2 rows", "mine.target"),
    (table(19), {}, "19 rows and 1 usable columns are left", "mine"),
    (table(), {"drop": ["a"]}, "24 rows and 0 usable columns", "mine"),
    (table(), {"image": [2, 2], "scale": [0, 9]}, "1 columns do not make an image of 2 x 2", "mine.image"),
    (table(), {"image": [1, 1], "scale": [0, 9]}, "pixels lie outside 0..9", "mine.scale"),
    ("", {}, "cannot be read as separated text", "mine.reader"),
    (table(), {"header": ["y"]}, "line 1 has 2 cells and there are 1 names: a,y", "mine.header"),
    (table(), {"header": ["y", "a", "b"]}, "names 3 columns and the lines of mine.csv have 2 cells", "mine.header"),
    (table(), {"reader": "idx"}, "not a whole IDX file", "mine.csv"),
]


@pytest.mark.parametrize(("text", "entry", "told", "place"), WRONG)
def test_a_wrong_table_is_told_with_its_key(
    tmp_path: Path, text: str, entry: dict[str, Any], told: str, place: str
) -> None:
    with pytest.raises(UserError, match=told) as caught:
        prepare(tmp_path, text, **entry)
    message = str(caught.value)
    assert f"{place}: " in message
    assert "\n  fix: " in message
    assert not (tmp_path / "d.npz").exists()
    assert not (tmp_path / "d.json").exists()


SHA = "0" * 64
BAD_ENTRIES: list[tuple[str, dict[str, Any], str]] = [
    ("Bad Name", {}, "is not of the right form (fix: A dataset's name, of small letters"),
    ("mine", {"sorce": "x"}, "sorce: unknown key (fix: did you mean 'source'?"),
    ("mine", {"licence": ""}, "licence: is empty"),
    ("mine", {"task": "ranking"}, "task: unknown value 'ranking'"),
    ("mine", {"missing": "median"}, "missing: unknown value 'median'"),
    ("mine", {"source": "ftp:x"}, "source: 'ftp:x' (text) is not of the right form (fix: this key is: Where the data"),
    ("mine", {"source": "file:"}, "source: 'file:' (text) is not of the right form"),
    ("mine", {"source": "https"}, "files: this key is missing (fix: add `files:`"),
    (
        "mine",
        {"files": [{"url": "https://h/x", "sha256": SHA}]},
        "files: this key goes with `source: https` alone (fix: remove this key)",
    ),
    ("mine", {"source": "https", "files": [{"url": "https://h/x"}]}, "sha256: this key is missing (fix: add `sha256:`"),
    ("mine", {"source": "https", "files": [{"url": "/x", "sha256": SHA}]}, "url: '/x' (text) is not of the right form"),
    ("mine", {"source": "https", "files": [{"url": "http://[/x", "sha256": SHA}]}, "is not of the right form"),
    ("mine", {"source": "https", "files": [{"url": "https://h/", "sha256": SHA}]}, "is not of the right form"),
    ("mine", {"source": "https", "files": [{"url": "https://h/?x", "sha256": SHA}]}, "two files would have one name"),
    ("mine", {"parameters": {"rows": 3}}, "parameters: this key goes with `source: synthetic:NAME` alone"),
    (
        "mine",
        {"source": "synthetic:hastie", "members": ["a"]},
        "members: this key goes with `source: file:PATH` and `source: https` alone",
    ),
    ("mine", {"sha256": SHA}, "sha256: this key goes with `source: openml:ID` alone"),
    ("mine", {"source": "openml:62"}, "sha256: this key is missing"),
    ("mine", {"source": "openml:zoo", "sha256": SHA}, "source: 'openml:zoo' (text) is not of the right form"),
    ("mine", {"target_transform": "above"}, "threshold: this key is missing"),
    ("mine", {"threshold": 3}, "threshold: this key goes with `target_transform: above` alone"),
    ("mine", {"image": [8, 8]}, "scale: this key is missing"),
    ("mine", {"scale": [0, 16]}, "image: this key is missing"),
]


@pytest.mark.parametrize(("name", "change", "told"), BAD_ENTRIES)
def test_a_wrong_entry_is_told(tmp_path: Path, name: str, change: dict[str, Any], told: str) -> None:
    path = tmp_path / "datasets.yaml"
    path.write_text(yaml.safe_dump({name: BASICS | {"source": "file:x.csv", "task": "regression"} | change}))
    document = read(path)
    faults = [str(fault) for fault in schema_faults(document, "datasets") or source_faults(document, [name])]
    assert any(told in fault for fault in faults), faults
    assert all(f"{path}:" in fault and name in fault and "(fix: " in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sorce": "x"}, "unexpected keyword argument 'sorce'"),
        ({"files": [{"url": "https://h/x"}]}, "'sha256'"),
        ({"drop": 3}, "does not fit the schema"),
    ],
)
def test_an_entry_that_no_schema_has_seen_is_told_too(change: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        read_entry("mine", BASICS | {"source": "file:x.csv", "task": "regression"} | change)
    assert "config/datasets.yaml: mine" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"source": "file:nowhere.csv"}, "there is no file 'nowhere.csv'"),
        ({"source": "bundled:sklearn/irises"}, "did you mean 'sklearn/iris'"),
        ({"source": "synthetic:hasty"}, "did you mean 'hastie'"),
    ],
)
def test_a_source_that_is_not_there_is_told(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        download_dataset("mine", BASICS | {"task": "regression"} | change, tmp_path)
    assert not (tmp_path / "manifest.json").exists()


def test_idx_of_known_bytes() -> None:
    content = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])
    assert parse_idx(Part("x.idx", content)).tolist() == [[1, 2, 3], [4, 5, 6]]
    for broken in (content[:-1], bytes([0, 0, 9, 1, 0, 0, 0, 0]), b""):
        with pytest.raises(UserError, match=r"x\.idx: not a whole IDX file"):
            parse_idx(Part("x.idx", broken))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (None, False)),
        ({"L2AUDIT_MIRROR": " http://m/ ", "L2AUDIT_OFFLINE": "1"}, ("http://m/", True)),
        ({"L2AUDIT_OFFLINE": "No"}, (None, False)),
    ],
)
def test_network_settings(environment: dict[str, str], expected: tuple[str | None, bool]) -> None:
    assert network_settings(environment) == expected


def test_a_network_setting_that_is_neither_yes_nor_no_is_told() -> None:
    with pytest.raises(UserError, match="L2AUDIT_OFFLINE"):
        network_settings({"L2AUDIT_OFFLINE": "perhaps"})


def test_missing_files_are_listed_before_anything_runs(tmp_path: Path) -> None:
    entry = read_entry("abalone", examples()["abalone"])
    with pytest.raises(UserError, match=f"{tmp_path}/abalone.data: 191873 bytes, SHA-256 de37cdcd"):
        require_files(entry.files, tmp_path)
