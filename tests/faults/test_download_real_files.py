"""Real public files, from the local mirror through a server that fails on purpose, to prepared data."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import loopback
from faults.fault_server import (
    Behaviour,
    FaultServer,
    cut,
    redirect,
    silent,
    slow,
    status,
    truncated,
    wait_until,
    whole,
    wrong,
)
from l2audit.data import raw
from l2audit.data.entries import read_entry
from l2audit.data.prepare import load_card, load_prepared, prepare_dataset
from l2audit.data.readers import read_raw
from l2audit.data.sources import download_dataset
from l2audit.errors import UserError
from workshop import ENTRIES

ROOT, MIRROR = loopback.ROOT, loopback.MIRROR
# One's own dataset may be on another server than those that the mirror has copies of.
WEB = sorted(name for name, entry in ENTRIES.items() if entry["source"] == "https" and not loopback.unavailable(entry))
YACHT = ENTRIES["yacht"]

pytestmark = pytest.mark.skipif(not loopback.manifest(), reason=loopback.NO_MIRROR)


@pytest.fixture(autouse=True)
def near_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(raw, "PAUSE", 0.01)
    monkeypatch.setattr(raw, "TIMEOUTS", (2, 0.5))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def prepare(
    name: str, entry: dict[str, Any], folder: Path, mirror: str | None, offline: bool = False
) -> dict[str, Any]:
    """Download and prepare; the data card, whose facts `prepare_dataset` has checked."""
    manifest = download_dataset(name, entry, folder / "raw", mirror, offline)
    prepare_dataset(name, entry, manifest, folder / "d.npz", folder / "d.json")
    return load_card(folder / "d.json")


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("name", WEB)
def test_every_downloaded_dataset_survives_a_cut_and_a_503(server: FaultServer, tmp_path: Path, name: str) -> None:
    loopback.serve(server, ENTRIES[name], cut, status(503), whole)
    card = prepare(name, ENTRIES[name], tmp_path, server.base)
    assert list(card["raw_sha256"].values()) == [file["sha256"] for file in ENTRIES[name]["files"]]
    assert card["rows"] == ENTRIES[name].get("facts", card)["rows"]
    before = (tmp_path / "raw" / "manifest.json").read_bytes()
    download_dataset(name, ENTRIES[name], tmp_path / "raw", None, offline=True)
    assert (tmp_path / "raw" / "manifest.json").read_bytes() == before


def test_the_training_images_of_mnist_are_read(server: FaultServer, tmp_path: Path) -> None:
    """All 60,000, which no entry of config/datasets.yaml asks for."""
    test = {file["url"].replace("t10k-", "train-") for file in ENTRIES["mnist"]["files"]}
    left = [item for item in loopback.manifest() if item["url"] in test]
    assert len(left) == 2
    files = [{"url": item["url"], "sha256": item["sha256"], "bytes": item["bytes"]} for item in left]
    entry = ENTRIES["mnist"] | {"files": files, "facts": {}}
    loopback.serve(server, entry, cut, whole)
    download_dataset("mnist", entry, tmp_path, server.base)
    table = read_raw([tmp_path / Path(item["path"]).name for item in left], read_entry("mnist", entry)).table
    assert table.shape == (60_000, 785)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # LeCun & Cortes
    assert np.bincount(table.pop("target")).tolist() == counts
    assert table.to_numpy().mean() == pytest.approx(33.3184, abs=1e-4)


def test_every_declared_file_is_as_the_mirror_says() -> None:
    known = {item["url"]: item for item in loopback.manifest()}
    for name in WEB:
        for file in ENTRIES[name]["files"]:
            item = known[file["url"]]
            assert (file["sha256"], file.get("bytes", item["bytes"])) == (item["sha256"], item["bytes"])
            assert set(file.get("mirrors", [])) <= set(item["also_at"])


# ------------------------------------------------------------------------------- every fault, on a real file


@pytest.mark.parametrize(
    ("behaviours", "requests"),
    [
        pytest.param([cut, whole], 2, id="connection cut"),
        pytest.param([status(503), whole], 2, id="503 then 200"),
        pytest.param([silent, whole], 2, id="no answer, then 200"),
    ],
)
def test_a_fault_that_passes_ends_in_the_right_data(
    server: FaultServer, tmp_path: Path, behaviours: list[Behaviour], requests: int
) -> None:
    loopback.serve(server, YACHT, *behaviours)
    assert prepare("yacht", YACHT, tmp_path, server.base)["rows"] == 308
    assert len(server.requests) == requests


def test_a_redirect_is_followed_to_the_right_data(server: FaultServer, tmp_path: Path) -> None:
    (item,) = (item for item in loopback.manifest() if item["url"] == YACHT["files"][0]["url"])
    server.serve("/moved", (MIRROR / item["path"]).read_bytes(), cut, whole)
    server.serve(f"/{item['path']}", b"", redirect("/moved"))
    assert prepare("yacht", YACHT, tmp_path, server.base)["rows"] == 308


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        pytest.param(wrong, "sent other bytes", id="wrong bytes"),
        pytest.param(truncated, "of 11633 bytes", id="truncated file"),
        pytest.param(status(404), "answered 404", id="404"),
        pytest.param(status(503), "answered 503", id="503 for ever"),
        pytest.param(silent, "no answer in time", id="no answer"),
    ],
)
def test_a_fault_that_stays_ends_in_one_message_and_no_data(
    server: FaultServer, tmp_path: Path, behaviour: Behaviour, told: str
) -> None:
    loopback.serve(server, YACHT, behaviour)
    with pytest.raises(UserError, match=told) as caught:
        prepare("yacht", YACHT, tmp_path, server.base)
    for part in ("yacht+hydrodynamics.zip", YACHT["files"][0]["sha256"], "L2AUDIT_MIRROR"):
        assert part in str(caught.value)
    assert visible(tmp_path / "raw") == []


@pytest.mark.parametrize("first", [wrong, truncated, status(404)])
def test_the_next_address_of_a_real_file_is_tried(server: FaultServer, tmp_path: Path, first: Behaviour) -> None:
    entry = ENTRIES["california"]
    (file,) = entry["files"]
    path = next(item["path"] for item in loopback.manifest() if item["url"] == file["url"])
    server.serve(f"/{path}", (MIRROR / path).read_bytes(), first)
    server.serve(f"/{file['mirrors'][0].partition('://')[2]}", (MIRROR / path).read_bytes())
    assert prepare("california", entry, tmp_path, server.base)["rows"] == 20433


CHILD = """
import json, sys
from l2audit.data.sources import download_dataset
download_dataset(sys.argv[1], json.loads(sys.argv[2]), *sys.argv[3:])
"""


def test_a_killed_download_of_a_real_file_is_done_again(server: FaultServer, tmp_path: Path) -> None:
    name, entry = "spambase", ENTRIES["spambase"]
    loopback.serve(server, entry, slow, whole)
    command = [sys.executable, "-c", CHILD, name, json.dumps(entry), str(tmp_path / "raw"), server.base]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}) as process:
        quarter = entry["files"][0]["bytes"] // 4
        wait_until(lambda: any(part.stat().st_size >= quarter for part in (tmp_path / "raw").glob(".*.part")), 30)
        process.send_signal(signal.SIGKILL)
    assert visible(tmp_path / "raw") == []
    assert prepare(name, entry, tmp_path, server.base)["class_counts"] == [2788, 1813]
    assert len(server.requests) == 2


def test_two_at_once_download_a_real_file_once(server: FaultServer, tmp_path: Path) -> None:
    name, entry = "spambase", ENTRIES["spambase"]
    loopback.serve(server, entry, slow, whole)
    command = [sys.executable, "-c", CHILD, name, json.dumps(entry), str(tmp_path / "raw"), server.base]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}) as other:
        wait_until(lambda: any((tmp_path / "raw").glob(".*.part")), 30)
        assert prepare(name, entry, tmp_path, server.base)["rows"] == 4601
        assert other.wait() == 0
    assert len(server.requests) == 1


def test_offline_names_the_real_files_and_where_they_belong(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        prepare("mnist", ENTRIES["mnist"], tmp_path, None, offline=True)
    for file in ENTRIES["mnist"]["files"]:
        place = tmp_path / "raw" / Path(file["url"]).name
        assert f"{place}: {file['bytes']} bytes, SHA-256 {file['sha256']}, from {file['url']}" in str(caught.value)
    for file in ENTRIES["mnist"]["files"]:
        item = next(item for item in loopback.manifest() if item["url"] == file["url"])
        (tmp_path / "raw" / Path(file["url"]).name).write_bytes((MIRROR / item["path"]).read_bytes())
    assert prepare("mnist", ENTRIES["mnist"], tmp_path, None, offline=True)["rows"] == 10_000


# ------------------------------------------------------------------------------- an entry and no Python


def documented(name: str) -> dict[str, Any]:
    """An entry that docs/datasets.md shows as an example."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "datasets.md").read_text("utf-8"), flags=re.DOTALL)
    entry: dict[str, Any] = next(yaml.safe_load(block)[name] for block in blocks if block.startswith(f"{name}:"))
    return entry


@pytest.mark.parametrize("name", ["abalone", "airfoil"])
def test_the_examples_of_the_docs_are_the_entries_in_use(server: FaultServer, tmp_path: Path, name: str) -> None:
    entry = documented(name)
    loopback.serve(server, entry)
    card = prepare(name, entry, tmp_path, server.base)
    own = prepare(name, ENTRIES[name], tmp_path / "own", server.base)
    assert card["prepared_sha256"] == own["prepared_sha256"]
    assert load_prepared(tmp_path / "d.npz").X.shape == (card["rows"], card["columns"])
