"""The worked example of docs/datasets.md, word for word: a table from disk and from the web, in YAML alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlcroissant
import pytest

from faults.fault_server import FaultServer, cut, whole
from l2audit.data.arrays import load_prepared
from repository_copy import REPOSITORY, Copy

DOCS = (REPOSITORY / "docs" / "datasets.md").read_text(encoding="utf-8")
WORKED = DOCS.partition("## Add a dataset")[2]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", WORKED, flags=re.DOTALL)


def entry(name: str) -> str:
    return next(block for block in blocks("yaml") if block.startswith(f"{name}:"))


def card(copy: Copy, name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(copy.read(f"data/prepared/{name}.json"))
    return read


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which the example was followed; the web server is one of ours, and cuts the first answer."""
    copy = Copy.make(tmp_path_factory.mktemp("worked") / "repository")
    subprocess.run([sys.executable, "-c", blocks("python")[0]], cwd=copy.root, check=True)
    with pytest.MonkeyPatch.context() as patch, FaultServer() as server:
        patch.setenv("NO_PROXY", "127.0.0.1")
        server.serve("/penguins.csv", (copy.root / "my_data/penguins.csv").read_bytes(), cut, whole)
        copy.add("config/datasets.yaml", entry("penguins"), entry("web_penguins"))
        copy.edit("config/datasets.yaml", "http://127.0.0.1:8000", server.base)
        assert copy.l2audit("check").status == 0
        (command,) = re.findall(r"^\$ snakemake --cores all (.*)$", WORKED, flags=re.MULTILINE)
        outcome = copy.snakemake(*command.split())
    assert outcome.status == 0, outcome.text
    return copy


def test_a_table_from_disk(copy: Copy) -> None:
    made, data = card(copy, "penguins"), load_prepared(copy.root / "data/prepared/penguins.npz")
    assert made["class_names"] == ["Adelie", "Chinstrap", "Gentoo"]
    assert made["feature_names"] == ["island=Biscoe", "island=Torgersen", "bill_mm", "mass_g"]
    assert made["missing"] == "1 of 60 rows left out; missing cells by column: mass_g (1)"
    assert made["notes"] == "island: 2 indicator columns against 'Dream'"
    assert data.X.shape == (59, 4)
    assert data.y[:3].tolist() == [0, 2, 1]
    assert list(made["raw_sha256"]) == ["penguins.csv"]


def test_the_same_table_from_the_web(copy: Copy) -> None:
    made = card(copy, "web_penguins")
    assert made["raw_sha256"] == card(copy, "penguins")["raw_sha256"]
    assert made["feature_names"] == [
        "species=Chinstrap",
        "species=Gentoo",
        "island=Biscoe",
        "island=Torgersen",
        "bill_mm",
    ]
    assert made["target_mean"] == pytest.approx(sum(3000 + 10 * i for i in range(60) if i != 7) / 59, rel=1e-5)


def test_croissant_leads_from_the_repository_to_the_rows(copy: Copy) -> None:
    """By the place where the workflow puts it, relative to the raw file."""
    path: Path = copy.root / "data/prepared/penguins.croissant.json"
    rows = list(mlcroissant.Dataset(jsonld=path).records("rows"))
    assert len(rows) == 60
    assert (rows[3]["rows/bill_mm"], rows[3]["rows/species"]) == (32.625, b"Adelie")


def test_an_edited_table_is_read_again(copy: Copy) -> None:
    assert copy.jobs("data/prepared/penguins.json") == {}
    copy.edit("my_data/penguins.csv", "\n59,", "\n60,")
    assert copy.jobs("data/prepared/penguins.json") == {"download": 1, "prepare": 1}
