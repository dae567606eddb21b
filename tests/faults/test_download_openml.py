"""A dataset of OpenML, from answers on this machine: the pinned table, or one clear message."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import loopback
from faults.fault_server import Behaviour, FaultServer, cut, silent, status, whole, wrong
from l2audit.data import sources
from l2audit.data.sources import download_dataset
from l2audit.errors import UserError
from l2audit.files import sha256_of

ZOO: dict[str, Any] = yaml.safe_load((loopback.ROOT / "config" / "datasets.yaml").read_text(encoding="utf-8"))["zoo"]
pytestmark = pytest.mark.skipif(loopback.unavailable(ZOO) is not None, reason=loopback.NO_OPENML)


@pytest.fixture(autouse=True)
def near_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("sklearn.datasets._openml.time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(sources, "SILENCE", 0.5)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize(
    "behaviours",
    [
        pytest.param([whole], id="no fault"),
        pytest.param([status(503), whole], id="503 then 200"),
        pytest.param([silent, whole], id="no answer, then 200"),
        pytest.param([status(500), status(502), status(503), whole], id="three tries in vain"),
    ],
)
def test_the_table_is_the_one_that_is_pinned(server: FaultServer, tmp_path: Path, behaviours: list[Behaviour]) -> None:
    loopback.serve(server, ZOO, *behaviours)
    manifest = download_dataset("zoo", ZOO, tmp_path, server.base)
    assert sha256_of(tmp_path / "table.csv") == ZOO["sha256"]
    assert "https://www.openml.org/d/62" in manifest.read_text()
    assert visible(tmp_path) == ["manifest.json", "table.csv"]
    assert {path.partition("/")[2].partition("/")[0] for path in server.requests} == {"www.openml.org"}


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        pytest.param(status(404), "HTTP Error 404", id="404"),
        pytest.param(status(503), "HTTP Error 503", id="503 for ever"),
        pytest.param(silent, "timed out", id="no answer"),
        pytest.param(wrong, "cannot be had from OpenML", id="wrong bytes"),
        pytest.param(cut, "cannot be had from OpenML", id="connection cut"),
    ],
)
def test_a_fault_that_stays_is_told(server: FaultServer, tmp_path: Path, behaviour: Behaviour, told: str) -> None:
    loopback.serve(server, ZOO, behaviour)
    with pytest.raises(UserError, match=told) as caught:
        download_dataset("zoo", ZOO, tmp_path, server.base)
    for part in ("https://www.openml.org/d/62", "zoo.source", "L2AUDIT_MIRROR"):
        assert part in str(caught.value)
    assert visible(tmp_path) == []
    loopback.serve(server, ZOO)
    download_dataset("zoo", ZOO, tmp_path, server.base)
    assert sha256_of(tmp_path / "table.csv") == ZOO["sha256"]


def test_another_table_than_the_pinned_one_is_refused_and_its_hash_told(server: FaultServer, tmp_path: Path) -> None:
    loopback.serve(server, ZOO)
    with pytest.raises(UserError, match=f"has the SHA-256 {ZOO['sha256']}, not {'0' * 64}"):
        download_dataset("zoo", ZOO | {"sha256": "0" * 64}, tmp_path, server.base)
    assert visible(tmp_path) == []


def test_what_is_there_is_not_fetched_again_and_two_at_once_fetch_it_once(server: FaultServer, tmp_path: Path) -> None:
    loopback.serve(server, ZOO)
    threads = [threading.Thread(target=download_dataset, args=("zoo", ZOO, tmp_path, server.base)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    download_dataset("zoo", ZOO, tmp_path, server.base)
    assert len(server.requests) == len(loopback.openml_answers("62"))


def test_offline_says_where_to_put_the_table(server: FaultServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{tmp_path}/table.csv: SHA-256 {ZOO['sha256']}, from https://www.openml.org"):
        download_dataset("zoo", ZOO, tmp_path, server.base, offline=True)
    loopback.serve(server, ZOO)
    download_dataset("zoo", ZOO, tmp_path / "online", server.base)
    (tmp_path / "table.csv").write_bytes((tmp_path / "online" / "table.csv").read_bytes())
    before = len(server.requests)
    download_dataset("zoo", ZOO, tmp_path, offline=True)
    assert len(server.requests) == before


def test_urllib_is_left_as_it_was_found(server: FaultServer, tmp_path: Path) -> None:
    import socket
    import urllib.request

    loopback.serve(server, ZOO)
    download_dataset("zoo", ZOO, tmp_path, server.base)
    assert socket.getdefaulttimeout() is None
    with urllib.request.urlopen(server.serve("/plain", b"as it is")) as answer:
        assert answer.read() == b"as it is"


# ------------------------------------------------------------------------------- where only Parquet is served


@pytest.mark.parametrize(
    "number", ["2", "61", "62", "561", "1119", "1590", "40589", "40675", "40945", "40966", "42585"]
)
def test_parquet_gives_the_bytes_that_arff_gives(server: FaultServer, tmp_path: Path, number: str) -> None:
    """Tables with categories that are booleans or numbers, missing cells, texts, and columns that are marked."""
    entry = ZOO | {"source": f"openml:{number}"}
    loopback.serve(server, entry)
    expected = told_sha256(entry, tmp_path, server)
    path = loopback.serve_parquet(server, number, broken=status(404))
    assert told_sha256(entry, tmp_path, server) == expected
    assert server.requests[-1] == path


def told_sha256(entry: dict[str, Any], folder: Path, server: FaultServer) -> str:
    """The SHA-256 of the table that comes."""
    with pytest.raises(UserError, match="has the SHA-256") as refused:
        download_dataset("any", entry | {"sha256": "0" * 64}, folder, server.base)
    return str(refused.value).partition("has the SHA-256 ")[2].partition(",")[0]


@pytest.mark.parametrize("broken", [status(404), status(503), wrong, cut, silent])
def test_where_arff_is_broken_the_parquet_file_is_taken(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Behaviour
) -> None:
    monkeypatch.setattr(sources, "PAUSE", 0.01)
    loopback.serve_parquet(server, "62", status(503), cut, whole, broken=broken)
    download_dataset("zoo", ZOO, tmp_path, server.base)
    assert sha256_of(tmp_path / "table.csv") == ZOO["sha256"]
    assert visible(tmp_path) == ["manifest.json", "table.csv"]


@pytest.mark.parametrize("parquet", [status(404), status(503), wrong])
def test_where_neither_comes_both_faults_are_told(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parquet: Behaviour
) -> None:
    monkeypatch.setattr(sources, "PAUSE", 0.01)
    loopback.serve_parquet(server, "62", parquet, broken=status(404))
    with pytest.raises(UserError, match="HTTP Error 404: Not Found; nor as Parquet: "):
        download_dataset("zoo", ZOO, tmp_path, server.base)
    assert visible(tmp_path) == []


def test_the_second_host_of_the_interface_is_asked(server: FaultServer, tmp_path: Path) -> None:
    loopback.serve_parquet(server, "62", broken=status(404))
    for path in [one for one in server.resources if one.startswith("/www.openml.org/api/")]:
        server.resources[path.replace("www.", "api.")] = server.resources.pop(path)
    download_dataset("zoo", ZOO, tmp_path, server.base)
    assert sha256_of(tmp_path / "table.csv") == ZOO["sha256"]
