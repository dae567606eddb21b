"""What a dataset's files say of it is the same wherever its table lay, and tells nobody where that was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from faults.fault_server import FaultServer, whole
from l2audit.data.sources import download_dataset
from l2audit.files import sha256_of
from l2audit.report.apparatus import sources
from report_example import example
from workshop import WORDS, croissant_of, make

TABLE = "a,b,y\n" + "".join(f"{i},{i % 7},{i * i}\n" for i in range(30))
ENTRY = {"task": "regression", "target": "y", **WORDS}


def as_csv(path: Path) -> dict[str, Any]:
    path.with_suffix(".csv").write_text(TABLE, encoding="utf-8")
    return {"source": f"file:{path.with_suffix('.csv')}"}


def as_parquet(path: Path) -> dict[str, Any]:
    pd.DataFrame({"a": range(30), "y": [i * i for i in range(30)]}).to_parquet(path.with_suffix(".parquet"))
    return {"source": f"file:{path.with_suffix('.parquet')}", "reader": "parquet"}


def written(folder: Path, source: dict[str, Any]) -> dict[str, bytes]:
    """All that is written about and of a dataset, by its place below `folder`."""
    make("own", folder, ENTRY | source)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("table", [as_csv, as_parquet])
def test_the_same_file_at_another_place_gives_the_same_bytes(
    tmp_path: Path, table: Callable[[Path], dict[str, Any]]
) -> None:
    places = [tmp_path / "home-of-someone" / "secret", tmp_path / "elsewhere"]
    found = []
    for number, place in enumerate(places):
        place.mkdir(parents=True)
        source = table(place / "my table")
        found.append(written(tmp_path / f"data{number}", source))
    assert found[0] == found[1]
    assert {"raw/own/manifest.json", "prepared/own.json", "prepared/own.croissant.json"} < set(found[0])
    for path, content in found[0].items():
        assert b"someone" not in content, path
        assert b"secret" not in content, path


def test_a_card_names_the_file_and_its_sha256(tmp_path: Path) -> None:
    source = as_csv(tmp_path / "mine")
    _, card, _ = make("own", tmp_path, ENTRY | source)
    assert card["source"] == "file:mine.csv"
    assert card["raw_sha256"] == {"mine.csv": sha256_of(tmp_path / "mine.csv")}


def test_the_page_shows_the_name_and_the_sha256_of_a_file_whatever_an_older_card_says() -> None:
    card = example()["provenance"]["datasets"][0]
    older = card | {"source": "file:/private/of/someone/mine.csv", "raw_sha256": {"mine.csv": "0123456789abcdef" * 4}}
    (shown,) = sources(example()["verdicts"], example()["provenance"] | {"datasets": [older]})["cards"]
    assert shown["source"] == f"file:mine.csv, SHA-256 {'0123456789abcdef' * 4}"
    (other,) = sources(example()["verdicts"], example()["provenance"] | {"datasets": [card]})["cards"]
    assert other["source"] == card["source"]


def test_who_may_read_an_address_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name and password in an address are used for the download, and written nowhere."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "mine.csv").write_text(TABLE, encoding="utf-8")
    with FaultServer() as server:
        server.serve("/mine.csv", TABLE.encode(), whole)
        address = server.base.replace("://", "://someone:secret@") + "/mine.csv"
        entry = ENTRY | {"source": "https", "files": [{"url": address, "sha256": sha256_of(tmp_path / "mine.csv")}]}
        download_dataset("own", entry, tmp_path / "raw" / "own")
    _, card, npz = make("own", tmp_path, entry)  # offline now
    assert card["urls"] == [f"{server.base}/mine.csv"]
    for path in (npz.with_suffix(".json"), croissant_of(npz), tmp_path / "raw" / "own" / "manifest.json"):
        assert f"{server.base}/mine.csv" in path.read_text(encoding="utf-8")
        assert "secret" not in path.read_text(encoding="utf-8")
