"""Real public files, from the local mirror through a server that fails on purpose, to prepared data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from faults.fault_server import FaultServer, cut, status, whole
from l2audit.data import download
from l2audit.data.download import download_dataset
from l2audit.data.prepare import load_card, load_prepared, prepare_dataset
from l2audit.data.transfer import Patience

ROOT = Path(__file__).parents[2]
MIRROR = ROOT.parent / "shared" / "mirror"

pytestmark = pytest.mark.skipif(
    not (MIRROR / "MANIFEST.json").is_file(), reason="the local mirror of public datasets is not on this machine"
)


@pytest.fixture(autouse=True)
def near_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "Patience", lambda: Patience(pause=0.01))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture(scope="module")
def entries() -> dict[str, dict[str, object]]:
    loaded: dict[str, dict[str, object]] = yaml.safe_load((ROOT / "config" / "datasets.yaml").read_text())
    return loaded


def serve_mirror(server: FaultServer, *behaviours: Callable[..., None]) -> None:
    for item in json.loads((MIRROR / "MANIFEST.json").read_text()):
        server.serve(f"/{item['path']}", (MIRROR / item["path"]).read_bytes(), *behaviours)


def test_mnist_from_the_mirror_through_a_cut_and_a_503(
    server: FaultServer, tmp_path: Path, entries: dict[str, dict[str, object]]
) -> None:
    serve_mirror(server, cut, status(503), whole)
    manifest = download_dataset("mnist", entries["mnist"], tmp_path / "raw", server.base)
    before = manifest.read_bytes()
    prepare_dataset("mnist", entries["mnist"], manifest, tmp_path / "m.npz", tmp_path / "m.json")
    data, card = load_prepared(tmp_path / "m.npz"), load_card(tmp_path / "m.json")
    assert data.X.shape == (10_000, 784)
    assert data.image == (28, 28)
    assert card["class_counts"] == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (data.X.min(), data.X.max()) == (0, 1)
    assert abs(data.X.mean() - 0.1325) < 0.0005  # mean brightness of the test images, 33.79 of 255
    assert card["collinear"]

    again = download_dataset("mnist", entries["mnist"], tmp_path / "raw", None, offline=True)
    assert again.read_bytes() == before


def test_every_declared_hash_is_the_mirrors(entries: dict[str, dict[str, object]]) -> None:
    known = {
        item["url"]: (item["sha256"], item["bytes"]) for item in json.loads((MIRROR / "MANIFEST.json").read_text())
    }
    declared = [file for entry in entries.values() for file in entry.get("files", [])]  # type: ignore[attr-defined]
    assert declared
    for file in declared:
        assert (file["sha256"], file["bytes"]) == known[file["url"]]


def documented(name: str) -> dict[str, object]:
    """An entry that docs/datasets.md shows as an example."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "datasets.md").read_text("utf-8"), flags=re.DOTALL)
    entry: dict[str, object] = next(yaml.safe_load(block)[name] for block in blocks if block.startswith(f"{name}:"))
    return entry


def table_entry(path: str, **more: object) -> dict[str, object]:
    item = next(item for item in json.loads((MIRROR / "MANIFEST.json").read_text()) if item["path"].endswith(path))
    file = {key: item[key] for key in ("url", "sha256", "bytes")}
    words = {"licence": item["licence"], "citation": item["citation"], "description": "A table."}
    return {"source": "https", "files": [file], **words, **more}


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        (
            "abalone",
            lambda: documented("abalone"),
        ),
        (
            "sonar",
            lambda: table_entry(
                "sonar.all-data",
                task="classification",
                header=[*(f"band_{j}" for j in range(60)), "object"],
                target="object",
                facts={"rows": 208, "columns": 60, "class_counts": [111, 97]},
            ),
        ),
        (
            "satimage",
            lambda: table_entry(
                "sat.tst",
                task="classification",
                separator=" ",
                header=[*(f"band_{j}" for j in range(36)), "soil"],
                target="soil",
                facts={"rows": 2000, "columns": 36, "class_counts": [461, 224, 397, 211, 237, 470]},
            ),
        ),
    ],
)
def test_a_table_from_the_web_takes_an_entry_and_no_python(
    server: FaultServer, tmp_path: Path, name: str, entry: Callable[[], dict[str, object]]
) -> None:
    serve_mirror(server, cut, whole)
    declared = entry()
    manifest = download_dataset(name, declared, tmp_path / "raw", server.base)
    prepare_dataset(name, declared, manifest, tmp_path / "d.npz", tmp_path / "d.json")
    assert load_card(tmp_path / "d.json")["rows"] == declared["facts"]["rows"]  # type: ignore[index]
