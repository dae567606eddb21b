"""The contract of a dataset, over every entry of config/datasets.yaml that needs no network, a user's own included."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

from l2audit.data.bundled import loaders
from l2audit.data.clean import transforms
from l2audit.data.download import download_dataset
from l2audit.data.entries import ROLES, TASKS, read_entry
from l2audit.data.prepare import Prepared, condition_number, load_card, load_prepared, prepare_dataset
from l2audit.data.readers import readers
from l2audit.data.split import Sizes, sizes_for, split
from l2audit.errors import UserError
from l2audit.files import sha256_of

ROOT = Path(__file__).parents[2]
ENTRIES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "config" / "datasets.yaml").read_text(encoding="utf-8"))
SCHEMA = yaml.safe_load((ROOT / "src/l2audit/schemas/datasets.schema.yaml").read_text(encoding="utf-8"))
LOCAL = sorted(name for name, entry in ENTRIES.items() if entry["source"] != "https")
STUDY = [name for name in LOCAL if ENTRIES[name].get("role", "study") == "study"]
CAPS = Sizes(400, 400, 1000)
CARD_KEYS = {
    *("name", "role", "task", "description", "source", "parameters", "urls", "licence", "citation", "rows", "columns"),
    *("feature_names", "target", "target_transform", "target_mean", "target_sd", "classes", "class_names"),
    *("class_counts", "image", "condition_number", "collinear", "missing", "notes", "raw_sha256", "prepared_sha256"),
}

Made = tuple[Prepared, dict[str, Any], Path]


def make(name: str, folder: Path, entry: dict[str, Any] | None = None) -> Made:
    declared = entry or ENTRIES[name]
    manifest = download_dataset(name, declared, folder / "raw" / name, offline=True)
    npz, card = folder / f"{name}.npz", folder / f"{name}.json"
    prepare_dataset(name, declared, manifest, npz, card)
    return load_prepared(npz), load_card(card), npz


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    folder = tmp_path_factory.mktemp("data")
    return {name: make(name, folder) for name in LOCAL}


@pytest.mark.parametrize("name", LOCAL)
def test_arrays_are_clean(name: str, made: dict[str, Made]) -> None:
    data, card, _ = made[name]
    assert (data.name, data.task) == (name, ENTRIES[name]["task"])
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


@pytest.mark.parametrize("name", LOCAL)
def test_the_card_is_complete_and_true(name: str, made: dict[str, Made]) -> None:
    data, card, npz = made[name]
    assert set(card) == CARD_KEYS
    for key in ("name", "description", "source", "licence", "citation", "missing"):
        assert isinstance(card[key], str)
        assert card[key].strip()
    assert card["role"] in ROLES
    assert card["prepared_sha256"] == sha256_of(npz)
    for file, sha256 in card["raw_sha256"].items():
        assert sha256_of(npz.parent / "raw" / name / file) == sha256
    varying = data.X[:, data.X.std(axis=0) > 0]
    condition = np.linalg.cond(np.corrcoef(varying.T)) if varying.shape[1] > 1 else 1.0
    assert np.isclose(card["condition_number"], condition, rtol=2e-3)
    assert card["collinear"] == (condition > 30)


@pytest.mark.parametrize("name", LOCAL)
def test_bytes_are_the_same_every_time(name: str, made: dict[str, Made], tmp_path: Path) -> None:
    _, card, npz = made[name]
    make(name, tmp_path)
    for path in (npz, npz.with_suffix(".json"), npz.parent / "raw" / name / "manifest.json"):
        again = tmp_path / path.relative_to(npz.parent)
        assert sha256_of(again) == sha256_of(path), path.name
    assert set(card["raw_sha256"]) == {"table.csv"}


@pytest.mark.parametrize("name", LOCAL)
def test_the_split_fits_and_every_class_is_in_every_part(name: str, made: dict[str, Made]) -> None:
    data, card, _ = made[name]
    sizes = sizes_for(len(data.y), CAPS)
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


def test_the_default_study_has_its_datasets(made: dict[str, Made]) -> None:
    for task in TASKS:
        assert sum(ENTRIES[name]["task"] == task for name in STUDY) >= 10
    assert sum(made[name][1]["collinear"] for name in STUDY) >= 10
    assert sum(made[name][1]["condition_number"] > 40 for name in STUDY) >= 10  # not by a hair
    assert all(made[name][1]["rows"] >= 100 for name in STUDY)


def test_planted_pairs_differ_in_nothing_but_the_design(made: dict[str, Made]) -> None:
    for index in range(1, 7):
        isotropic, collinear = (made[f"planted_{kind}_{index}"][1] for kind in ("isotropic", "collinear"))
        for key in ("rows", "columns", "role", "task"):
            assert isotropic[key] == collinear[key]
        assert isotropic["parameters"]["noise"] == collinear["parameters"]["noise"]
        assert isotropic["role"] == "control"
        assert isotropic["condition_number"] < 3
        assert collinear["condition_number"] > 100


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        # As published: the UCI pages and scikit-learn's user guide; statsmodels' data pages; the quantreg manual.
        ("digits", {"rows": 1797, "columns": 64, "class_counts": [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]}),
        ("breast_cancer", {"rows": 569, "columns": 30, "class_counts": [212, 357]}),
        ("wine", {"rows": 178, "columns": 13, "class_counts": [59, 71, 48]}),
        ("iris", {"rows": 150, "columns": 4, "class_counts": [50, 50, 50]}),
        ("anes96", {"rows": 944, "columns": 10}),
        ("fair_affairs", {"rows": 6366, "columns": 8, "class_counts": [4313, 2053]}),
        ("diabetes", {"rows": 442, "columns": 10, "target_mean": 152.133}),
        ("star98", {"rows": 303, "columns": 20}),
        ("randhie", {"rows": 20190, "columns": 9}),
        ("engel", {"rows": 235, "columns": 1, "target_mean": 624.15}),
    ],
)
def test_published_facts(name: str, facts: dict[str, Any], made: dict[str, Made]) -> None:
    card = made[name][1]
    assert {key: card[key] for key in facts} == facts
    assert facts.items() <= {**ENTRIES[name]["facts"], **facts}.items()
    assert set(facts) <= set(ENTRIES[name]["facts"])


def test_published_means_of_single_columns(made: dict[str, Made]) -> None:
    iris = made["iris"][0]
    assert np.allclose(iris.X.mean(axis=0), [5.843, 3.057, 3.758, 1.199], atol=6e-4)
    assert np.isclose(loaders["statsmodels/randhie"]()["mdvis"].mean(), 2.861, atol=1e-3)  # Cameron & Trivedi (2005)
    assert np.isclose(loaders["statsmodels/engel"]()["income"].mean(), 982.47, atol=0.01)


def test_the_table_in_the_docs_is_the_data(made: dict[str, Made]) -> None:
    lines = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8").splitlines()
    rows = {cells[1]: cells for line in lines if len(cells := [cell.strip() for cell in line.split("|")]) == 9}
    for name in LOCAL:
        _, card, _ = made[name]
        classes = str(card["classes"] or "–")
        expected = [name, str(card["rows"]), str(card["columns"]), classes]
        assert rows[name][1:5] == expected
        assert np.isclose(float(rows[name][5].replace(",", "")), card["condition_number"], rtol=0.01)
        assert rows[name][6:8] == ["yes" if card["collinear"] else "no", card["licence"]]


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
    assert all("description" in declared for declared in properties.values() if "$ref" not in declared)


@pytest.mark.parametrize(
    "change",
    [
        {"sorce": "x"},
        {"task": "ranking"},
        {"source": "ftp:x"},
        {"parameters": {"rows": "1e3"}},
        {"image": [8, 8]},
        {"pixel_maximum": 16},
        {"files": [{"url": "https://h/x", "sha256": "0" * 64}]},
        {"source": "https"},
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
    assert not (tmp_path / "iris.npz").exists()


def test_a_raw_file_that_was_altered_is_refused(tmp_path: Path) -> None:
    _, _, npz = make("iris", tmp_path)
    table = tmp_path / "raw" / "iris" / "table.csv"
    table.write_text(table.read_text().replace("5.1", "9.9", 1))
    with pytest.raises(UserError, match="not the file that was downloaded"):
        prepare_dataset("iris", ENTRIES["iris"], table.parent, npz, npz.with_suffix(".json"))


def test_a_missing_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no manifest of dataset 'iris'"):
        prepare_dataset("iris", ENTRIES["iris"], tmp_path / "manifest.json", tmp_path / "a", tmp_path / "b")


def test_a_broken_prepared_file_is_told(tmp_path: Path) -> None:
    for content in (b"", b"PK half", b"\x93NUMPY"):
        (tmp_path / "d.npz").write_bytes(content)
        with pytest.raises(UserError, match="not a prepared dataset"):
            load_prepared(tmp_path / "d.npz")


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
