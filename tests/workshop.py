"""Every dataset of config/, and two of a user's own, downloaded from this machine and prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import loopback
from faults.fault_server import FaultServer
from l2audit.data.croissant import write_croissant
from l2audit.data.prepare import Prepared, load_card, load_prepared, prepare_dataset
from l2audit.data.sources import download_dataset

ENTRIES: dict[str, dict[str, Any]] = {
    name: entry
    for path in (loopback.ROOT / "config/datasets.yaml", *sorted((loopback.ROOT / "config/datasets").glob("*.yaml")))
    for name, entry in yaml.safe_load(path.read_text(encoding="utf-8")).items()
}
WORDS = {"licence": "mine", "citation": "me", "description": "A table of one's own."}
OWN: dict[str, dict[str, Any]] = {
    "own_csv": {"source": "file:own.csv", "task": "regression", "target": "y", "categorical": ["kind"], **WORDS},
    "own_parquet": {
        "source": "file:own.parquet",
        "reader": "parquet",
        "task": "classification",
        "target": "kind",
        **WORDS,
    },
}
ALL = sorted({**ENTRIES, **OWN})

Made = tuple[Prepared, dict[str, Any], Path]


def make(name: str, folder: Path, entry: dict[str, Any] | None = None, mirror: str | None = None) -> Made:
    """Download (from `mirror`, or not at all) and prepare a dataset below `folder`, laid out as below data/."""
    declared = entry or ENTRIES[name]
    manifest = download_dataset(name, declared, folder / "raw" / name, mirror, offline=mirror is None)
    npz, card = folder / "prepared" / f"{name}.npz", folder / "prepared" / f"{name}.json"
    prepare_dataset(name, declared, manifest, npz, card)
    write_croissant(name, declared, manifest, load_card(card), croissant_of(npz))
    return load_prepared(npz), load_card(card), npz


def croissant_of(npz: Path) -> Path:
    return npz.with_suffix(".croissant.json")


class Workshop(dict[str, Made]):
    """Datasets by name, each made when it is first asked for; one that cannot be had skips the test that asks."""

    def __init__(self, folder: Path, server: FaultServer) -> None:
        super().__init__()
        self.folder, self.server = folder, server
        rows = np.arange(40)
        table = pd.DataFrame(
            {"a": rows * 0.5, "b": np.sqrt(rows), "kind": np.array(["u", "v"])[rows % 2], "y": rows**2.0}
        )
        table.to_csv(folder / "own.csv", index=False)
        table.to_parquet(folder / "own.parquet", index=False)

    def __missing__(self, name: str) -> Made:
        self[name] = self.anew(name, self.folder)
        return self[name]

    def anew(self, name: str, folder: Path) -> Made:
        entry = self.entry(name)
        if reason := loopback.unavailable(entry):
            pytest.skip(reason)
        loopback.serve(self.server, entry)
        return make(name, folder, entry, self.server.base)

    def entry(self, name: str) -> dict[str, Any]:
        if name not in OWN:
            return ENTRIES[name]
        return OWN[name] | {"source": OWN[name]["source"].replace("file:", f"file:{self.folder}/")}
