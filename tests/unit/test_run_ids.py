"""A run's id against its numbers: each key of a study is changed in turn, and both move or neither does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from l2audit.config.load import load
from l2audit.data.arrays import Prepared, load_prepared
from l2audit.data.prepare import prepare_dataset
from l2audit.data.sources import download_dataset
from l2audit.files import sha256_of
from l2audit.plan import plan
from l2audit.runs.results import AXES
from l2audit.runs.shard import train_shard

ROOT = Path(__file__).parents[2]
STUDY = """\
name: keys
title: A study
verdicts: false
datasets: [iris]
architectures:
  linear: {betas: [0, 0.01], losses: {classification: [cross_entropy]}}
  mlp-32: {betas: [0, 0.01], losses: {classification: [cross_entropy]}, training: {batch: 16}}
contaminations:
  classification: [{kind: sym, rate: 0.2}]
seeds: 2
penalty: l2
optimizer: adam
rows: {train: 50, validation: 30, test: 40}
training: {learning_rate: 0.01, steps: 20, batch: 8}
"""
Runs = dict[str, tuple[dict[str, Any], tuple[object, ...]]]


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("iris")
    entry = yaml.safe_load((ROOT / "config/datasets.yaml").read_text(encoding="utf-8"))["iris"]
    manifest = download_dataset("iris", entry, folder)
    prepare_dataset("iris", entry, manifest, folder / "iris.npz", folder / "iris.json")
    return folder / "iris.npz"


def trained(text: str, folder: Path, data: Path) -> Runs:
    """Every run of a study by its id: its axes and all that was measured of it."""
    path = folder / "keys.yaml"
    path.write_text(text, encoding="utf-8")
    prepared: Prepared = load_prepared(data)
    tables = [
        train_shard(shard, prepared, {"data_sha256": sha256_of(data)}).runs for shard in plan(load(ROOT, str(path)))
    ]
    runs = pd.concat([table.to_pandas() for table in tables]).drop(columns=["shard_id", "arm", "layer_norms"])
    runs = runs.astype(object).where(runs.notna(), None)
    axes = [axis.name for axis in AXES]
    rows = runs.to_dict("records")
    return {row["run_id"]: ({name: row.pop(name) for name in axes}, tuple(list(row.values())[1:])) for row in rows}


@pytest.fixture(scope="module")
def base(iris: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return trained(STUDY, tmp_path_factory.mktemp("base"), iris)


def change(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def apply(study: dict[str, Any]) -> None:
        *folders, last = key.split("/")
        at: Any = study
        for name in folders:
            at = at[int(name)] if isinstance(at, list) else at[name]
        at[last] = value

    return apply


CHANGES: dict[str, tuple[object, str]] = {
    "title": ("Another", "none"),
    "verdicts": (True, "none"),
    "seeds": (3, "none"),
    "training/batch": (12, "none"),  # every network has its own
    "architectures/linear/betas": ([0, 0.01, 0.1], "none"),
    "architectures/mlp-32/training/steps": (20, "none"),  # said twice, the same
    "contaminations/classification/0/rate": (0.4, "contaminated"),
    "rows/train": (40, "all"),
    "rows/validation": (20, "all"),
    "rows/test": (30, "all"),
    "training/learning_rate": (0.02, "networks"),
    "training/steps": (24, "networks"),
    "architectures/mlp-32/training/batch": (12, "networks"),
    "optimizer": ("momentum", "networks"),
    "penalty": ("l2 with biases", "all"),
}


@pytest.mark.parametrize("key", CHANGES)
def test_an_id_moves_exactly_where_numbers_do(key: str, base: Runs, iris: Path, tmp_path: Path) -> None:
    value, moved = CHANGES[key]
    study = copy.deepcopy(yaml.safe_load(STUDY))
    change(key, value)(study)
    other = trained(yaml.safe_dump(study), tmp_path, iris)
    common = base.keys() & other.keys()
    assert all(base[run] == other[run] for run in common), "one id, two models"
    of_kind = {
        "none": set[str](),
        "networks": {run for run, (axes, _) in base.items() if axes["architecture"] == "mlp-32"},
        "contaminated": {run for run, (axes, _) in base.items() if axes["level"] == "sym@0.2"},
        "all": set(base),
    }[moved]
    assert base.keys() - common == of_kind
    measured = {numbers for run, (axes, numbers) in base.items() if run in of_kind}
    # The axes are in the id even where they do nothing, as a penalty does at beta 0: an arm's runs are its own.
    moved_anyway = {numbers for axes, numbers in other.values() if not (key == "penalty" and axes["beta"] == 0)}
    assert not measured & moved_anyway, "two ids, one model"
