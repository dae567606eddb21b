"""The contract of a dataset, over every entry of config/datasets.yaml, a user's own included.

What is downloaded comes from a server on this machine; a dataset that cannot be had is skipped with the reason.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import mlcroissant
import numpy as np
import pandas as pd
import pytest
import yaml

import loopback
from l2audit.data.arrays import Prepared, save_prepared
from l2audit.data.clean import transforms
from l2audit.data.entries import read_entry
from l2audit.data.prepare import condition_number, load_prepared, prepare_dataset
from l2audit.data.readers import readers
from l2audit.data.sources import download_dataset, sources
from l2audit.data.split import Sizes, sizes_for, split
from l2audit.errors import UserError
from l2audit.files import sha256_of
from l2audit.seeds import generator
from workshop import ALL, ENTRIES, Workshop, croissant_of, make

ROOT = loopback.ROOT
SCHEMA = yaml.safe_load((ROOT / "src/l2audit/schemas/datasets.schema.yaml").read_text(encoding="utf-8"))
DEFAULT, FULL = (yaml.safe_load((ROOT / f"config/studies/{name}.yaml").read_text()) for name in ("default", "full"))
CAPS = Sizes(400, 400, 1000)
CARD_KEYS = {
    *("name", "role", "task", "description", "source", "parameters", "urls", "licence", "citation", "rows", "columns"),
    *("feature_names", "target", "target_transform", "target_mean", "target_sd", "classes", "class_names"),
    *("class_counts", "image", "condition_number", "collinear", "missing", "notes", "raw_sha256", "prepared_sha256"),
    *("shares_table_with", "warnings"),
}


@pytest.mark.parametrize("name", ALL)
def test_arrays_are_clean(name: str, made: Workshop) -> None:
    data, card, _ = made[name]
    assert (data.name, data.task) == (name, made.entry(name)["task"])
    assert data.X.dtype == np.float64
    assert data.X.shape == (card["rows"], card["columns"]) == (len(data.y), len(card["feature_names"]))
    assert np.isfinite(data.X).all()
    if data.task == "classification":
        assert data.y.dtype == np.int64
        assert np.bincount(data.y).tolist() == card["class_counts"]
        assert min(card["class_counts"]) >= 4
        assert len(card["class_names"]) == card["classes"] >= 2
    else:
        assert data.y.dtype == np.float64
        assert np.isfinite(data.y).all()
        assert card["classes"] is card["class_counts"] is card["class_names"] is None
        assert np.isclose(data.y.mean(), card["target_mean"], rtol=1e-5)
    if data.image is None:
        assert (data.X.std(axis=0) > 0).all()
    else:
        assert data.image[0] * data.image[1] == card["columns"]
        assert (data.X.min(), data.X.max()) == (0, 1)


@pytest.mark.parametrize("name", ALL)
def test_the_card_is_complete_and_true(name: str, made: Workshop) -> None:
    data, card, npz = made[name]
    assert set(card) == CARD_KEYS
    for key in ("name", "description", "source", "licence", "citation", "missing"):
        assert isinstance(card[key], str)
        assert card[key].strip()
    assert card["role"] in ("study", "control")
    assert card["prepared_sha256"] == sha256_of(npz)
    for file, sha256 in card["raw_sha256"].items():
        assert sha256_of(made.folder / "raw" / name / file) == sha256
    varying = data.X[:, data.X.std(axis=0) > 0]
    condition = np.linalg.cond(np.corrcoef(varying.T)) if varying.shape[1] > 1 else 1.0
    if card["condition_number"] < 1e12:
        assert np.isclose(card["condition_number"], condition, rtol=2e-3)
    else:  # singular to working precision: then the two need not agree on more than that
        assert condition > 1e12
    assert card["collinear"] == (condition > 30)


@pytest.mark.parametrize("name", ALL)
def test_bytes_are_the_same_every_time(name: str, made: Workshop, tmp_path: Path) -> None:
    _, card, npz = made[name]
    made.anew(name, tmp_path)
    raw = made.folder / "raw" / name
    files = [npz, npz.with_suffix(".json"), croissant_of(npz), *(raw / file for file in card["raw_sha256"])]
    for path in (*files, raw / "manifest.json"):
        assert sha256_of(tmp_path / path.relative_to(made.folder)) == sha256_of(path), path.name


@pytest.mark.parametrize("name", ALL)
def test_the_split_fits_and_every_class_is_in_every_part(name: str, made: Workshop) -> None:
    data, card, _ = made[name]
    sizes = sizes_for(len(data.y), CAPS)
    if name in DEFAULT["datasets"] + FULL["datasets"]:
        assert sizes.train >= 50
    for seed in (0, 1):
        parts = split(name, data.task, data.y, seed, CAPS)
        for part, size in vars(sizes).items():
            rows = getattr(parts, part)
            assert len(rows) == size
            if data.task == "classification":
                assert len(np.unique(data.y[rows])) == card["classes"]
            else:
                y = data.y[rows]
                assert np.median(np.abs(y - np.median(y))) > 0  # the unit of outlier sizes


def test_the_default_study_has_its_datasets(made: Workshop) -> None:
    names = DEFAULT["datasets"]
    assert {ENTRIES[name]["source"].partition(":")[0] for name in names} == {"bundled"}  # real, and no download
    for task in ("classification", "regression"):
        assert sum(ENTRIES[name]["task"] == task for name in names) >= 5
    assert all(made[name][1]["rows"] >= 100 for name in names)
    for name in names:  # no two datasets share a table
        assert not set(ENTRIES[name].get("shares_table_with", ())) & set(names)


def test_the_full_study_has_its_datasets() -> None:
    names = FULL["datasets"]
    images = [name for name in names if "image" in ENTRIES[name]]
    assert len(images) == 11 and len(names) == 101
    assert not set(names) & set(DEFAULT["datasets"])  # fresh: none of study 1's
    assert FULL["controls"]["datasets"] == DEFAULT["controls"]["datasets"]
    for task in ("classification", "regression"):
        tables = [name for name in names if ENTRIES[name]["task"] == task and name not in images]
        assert len(tables) == 45
    assert set(FULL["architectures"]["linear"]["datasets"]) == set(names) - set(images)
    assert set(FULL["architectures"]["conv5"]["datasets"]) == set(images)


@pytest.mark.parametrize("name", ALL)
def test_datasets_that_share_a_table_say_so(name: str, made: Workshop) -> None:
    """By the bytes that they are read from, so that nobody has to remember; and both say it."""
    groups: dict[str, set[str]] = defaultdict(set)
    for one, entry in ENTRIES.items():
        groups[json.dumps([entry["source"], entry.get("parameters"), entry.get("files")])].add(one)
    alike = next((group for group in groups.values() if name in group), {name})
    if not made.entry(name)["source"].startswith("synthetic:"):  # a draw is keyed by the dataset's name
        assert set(made[name][1]["shares_table_with"]) == alike - {name}
    for other in made.entry(name).get("shares_table_with", []):
        assert made[name][1]["raw_sha256"] == made[other][1]["raw_sha256"]


@pytest.mark.parametrize("name", ALL)
def test_croissant_is_valid(name: str, made: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    """mlcroissant finds no error, and misses only what nobody knows: a version and a day of publication."""
    _, card, npz = made[name]
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(jsonld=croissant_of(npz))
    issues = dataset.metadata.ctx.issues
    assert issues.errors == set()
    assert {text.partition('"')[2].partition('"')[0] for text in issues.warnings} <= {
        "https://schema.org/version",
        "https://schema.org/datePublished",
    }
    assert "not standard" not in caplog.text
    assert {file.name: file.sha256 for file in dataset.metadata.distribution} == card["raw_sha256"]


@pytest.mark.parametrize("name", ["iris", "fair", "engel", "hastie", "own_csv", "own_parquet"])
def test_croissant_leads_to_the_rows(name: str, made: Workshop) -> None:
    data, card, npz = made[name]
    records = pd.DataFrame(mlcroissant.Dataset(jsonld=croissant_of(npz)).records("rows"))
    numeric = [name for name in card["feature_names"] if "=" not in name]
    if name == "fair":  # the first part of its table is left out
        records = records[records["rows/affairs"] > 0]
    found = records[[f"rows/{column}" for column in numeric]].to_numpy(float)
    np.testing.assert_allclose(found, data.X[:, [card["feature_names"].index(column) for column in numeric]], rtol=1e-6)


def test_planted_pairs_differ_in_nothing_but_the_design(made: Workshop) -> None:
    for index in range(1, 7):
        isotropic, collinear = (made[f"planted_{kind}_{index}"][1] for kind in ("isotropic", "collinear"))
        for key in ("rows", "columns", "role", "task"):
            assert isotropic[key] == collinear[key]
        assert isotropic["parameters"]["noise"] == collinear["parameters"]["noise"]
        assert isotropic["role"] == "control"
        assert isotropic["condition_number"] < 3
        assert collinear["condition_number"] > 100


# --------------------------------------------------------------------------------- the table and its schema


def faults_of(entries: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(entries)]


def test_the_table_satisfies_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert faults_of(ENTRIES) == []
    for name, entry in ENTRIES.items():
        assert read_entry(name, entry).name == name


def test_the_schema_knows_what_the_code_knows() -> None:
    properties = SCHEMA["$defs"]["dataset"]["properties"]
    assert set(properties) == set(read_entry("x", ENTRIES["hastie"]).__dataclass_fields__) - {"name"}
    assert sorted(properties["reader"]["enum"]) == readers.names()
    assert sorted(properties["target_transform"]["enum"]) == transforms.names()
    for kind in sources:
        assert kind in properties["source"]["pattern"]
    assert all("description" in declared for declared in properties.values() if "$ref" not in declared)


@pytest.mark.parametrize(
    "change",
    [
        {"sorce": "x"},
        {"task": "ranking"},
        {"source": "ftp:x"},
        {"parameters": {"rows": "1e3"}},
        {"source": "https"},
        {"source": "openml:62"},
        {"source": "openml:iris", "sha256": "0" * 64},
        {"target_transform": "above"},
        {"missing": "median"},
        {"facts": {"row": 3}},
        {"drop": "a"},
    ],
)
def test_the_schema_refuses(change: dict[str, Any]) -> None:
    entries = {"hastie": copy.deepcopy(ENTRIES["hastie"]) | change}
    assert faults_of(entries)


# --------------------------------------------------------------------------------- facts and stale files


def test_a_fact_that_does_not_hold_stops_the_preparation(tmp_path: Path) -> None:
    entry = ENTRIES["iris"] | {"facts": {"rows": 151}}
    with pytest.raises(UserError, match="expected rows 151, as published, found 150") as caught:
        make("iris", tmp_path, entry)
    assert "config/datasets.yaml: iris.facts.rows" in str(caught.value)
    assert not (tmp_path / "prepared" / "iris.npz").exists()


def altered(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace("5.1", "9.9", 1), encoding="utf-8")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def deleted(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("file", "damage", "told"),
    [
        ("table.csv", altered, "not the file that was downloaded for dataset 'iris': its SHA-256 differs"),
        ("table.csv", truncated, r"not the file that was downloaded for dataset 'iris': 20 bytes, \d+ are recorded"),
        ("table.csv", deleted, "not the file that was downloaded for dataset 'iris': it is gone"),
        ("manifest.json", truncated, r"not a whole manifest of dataset 'iris' \(JSONDecodeError\)"),
        ("manifest.json", deleted, r"no manifest of dataset 'iris'"),
    ],
)
def test_damaged_raw_files_are_refused_and_the_remedy_that_is_told_works(
    tmp_path: Path, file: str, damage: Callable[[Path], None], told: str
) -> None:
    _, _, npz = make("iris", tmp_path)
    before, raw = npz.read_bytes(), tmp_path / "raw" / "iris"
    damage(raw / file)
    with pytest.raises(UserError, match=told) as caught:
        prepare_dataset("iris", ENTRIES["iris"], raw / "manifest.json", npz, npz.with_suffix(".json"))
    assert str(raw / file) in str(caught.value)
    for path in re.findall(
        r"delete (\S+)", str(caught.value)
    ):  # then the workflow downloads, as its rule's file is gone
        Path(path).unlink()
    assert not (raw / "manifest.json").exists()
    assert make("iris", tmp_path)[2].read_bytes() == before


def test_a_broken_prepared_file_is_told_whatever_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    save_prepared(path, Prepared("d", "regression", np.ones((2, 1)), np.ones(2)))
    whole, draw = path.read_bytes(), generator("broken files")
    cut = [whole[:size] for size in range(0, len(whole), 5)]
    single = io.BytesIO()
    np.save(single, np.ones(3))
    for content in [*cut, single.getvalue(), b"PK half", *(with_one_bit_turned(whole, draw) for _ in range(600))]:
        path.write_bytes(content)
        try:
            found = load_prepared(path)
        except UserError as error:
            assert "not a prepared dataset" in str(error)
            assert "fix: delete the file and run the workflow again" in str(error)
        else:  # a bit of a zip archive that says nothing about the arrays
            assert found.X.tolist() == [[1], [1]] and found.y.tolist() == [1, 1]
    path.unlink()
    with pytest.raises(UserError, match="not a prepared dataset"):
        load_prepared(path)


def with_one_bit_turned(content: bytes, draw: np.random.Generator) -> bytes:
    turned = bytearray(content)
    turned[draw.integers(len(turned))] ^= 1 << int(draw.integers(8))
    return bytes(turned)


def test_the_manifest_says_where_a_bundled_table_is_from(tmp_path: Path) -> None:
    manifest = json.loads(download_dataset("wine", ENTRIES["wine"], tmp_path).read_text())
    assert manifest["package"].startswith("scikit-learn ")
    assert [file["name"] for file in manifest["files"]] == ["table.csv"]


def test_condition_number_of_known_matrices() -> None:
    X = np.array([[1.0, 1, 1], [1, -1, 1], [-1, 1, 1], [-1, -1, 1]])
    assert np.isclose(condition_number(X), 1)  # orthogonal, and a constant column that does not count
    r = 0.6
    assert np.isclose(condition_number(X[:, :2] @ np.linalg.cholesky([[1, r], [r, 1]]).T), (1 + r) / (1 - r))
    assert condition_number(np.column_stack([X[:, 0], 3 * X[:, 0]])) == 1e16
    assert condition_number(np.eye(3)[:, :1]) == 1
