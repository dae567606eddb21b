"""Real public files on 127.0.0.1: the local mirror of dataset files, and OpenML's answers as kept by scikit-learn."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pandas as pd

from faults.fault_server import Behaviour, FaultServer

ROOT = Path(__file__).parents[1]
MIRROR = ROOT.parent / "shared" / "mirror"
NO_MIRROR = "the local mirror of public datasets is not on this machine"
NO_OPENML = "this build of scikit-learn comes without its copies of OpenML's answers"
OPENML = Path(str(distribution("scikit-learn").locate_file("sklearn/datasets/tests/data/openml")))
# What OpenML answers, by the prefix of the file that scikit-learn keeps it in.
ANSWERS = {"jd": "api/v1/json/data/{}", "jdf": "api/v1/json/data/features/{}", "jdq": "api/v1/json/data/qualities/{}"}


@cache
def manifest() -> list[dict[str, Any]]:
    """What the mirror holds; [] where there is none."""
    path = MIRROR / "MANIFEST.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def unavailable(entry: Mapping[str, Any]) -> str | None:
    """Why a dataset cannot be had on this machine without the internet; None if it can."""
    kind, _, locator = entry["source"].partition(":")
    if kind == "https":
        mirrored = {item["url"] for item in manifest()}
        return None if {file["url"] for file in entry["files"]} <= mirrored else NO_MIRROR
    if kind == "openml":
        return None if (OPENML / f"id_{locator}").is_dir() else NO_OPENML
    if kind == "file":
        return None if Path(locator).is_file() else f"{locator} is not on this machine"
    return None


def serve(server: FaultServer, entry: Mapping[str, Any], *behaviours: Behaviour) -> None:
    """Serve what the download of `entry` asks for at /HOST/PATH, as a mirror does; each file by `behaviours`."""
    kind, _, locator = entry["source"].partition(":")
    if kind == "https":
        paths = {item["url"]: item["path"] for item in manifest()}
        for file in entry["files"]:
            serve_file(server, paths[file["url"]], *behaviours)
    elif kind == "openml":
        for path, content in openml_answers(locator).items():
            server.serve(f"/www.openml.org/{path}", content, *behaviours)


def serve_file(server: FaultServer, path: str, *behaviours: Behaviour) -> None:
    """Serve one file of the mirror at /HOST/PATH."""
    server.serve(f"/{path}", (MIRROR / path).read_bytes(), *behaviours)


def openml_answers(number: str) -> dict[str, bytes]:
    """The answers that OpenML gives for a dataset, by path."""
    folder = OPENML / f"id_{number}"
    answers = {
        address.format(number): _unzipped(folder / f"api-v1-{prefix}-{number}.json.gz")
        for prefix, address in ANSWERS.items()
    }
    table = json.loads(answers[ANSWERS["jd"].format(number)])["data_set_description"]["url"]
    (data,) = folder.glob("data-v1-dl-*.arff.gz")
    return answers | {table.partition("openml.org/")[2]: _unzipped(data)}


def openml_parquet(number: str) -> bytes:
    """The Parquet file that OpenML would have of the dataset's ARFF file, with all columns.

    As OpenML's are: categories that are `true` and `false` are booleans, whole numbers are integers.
    """
    from sklearn.externals import _arff

    answers = openml_answers(number)
    (data,) = (content for path, content in answers.items() if not path.startswith("api/"))
    parsed = _arff.load(data.decode())
    frame = pd.DataFrame(parsed["data"], columns=[name for name, _ in parsed["attributes"]])
    for name, kind in parsed["attributes"]:
        column = frame[name]
        if isinstance(kind, list):
            is_boolean = {str(one).casefold() for one in kind} == {"true", "false"} and column.notna().all()
            frame[name] = column.str.casefold().eq("true") if is_boolean else column.astype("category")
        elif column.dtype == "float64" and column.notna().all() and (column % 1 == 0).all():
            frame[name] = column.astype("int64")
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def serve_parquet(server: FaultServer, number: str, *behaviours: Behaviour, broken: Behaviour) -> str:
    """Serve a dataset whose ARFF file is `broken`, and its Parquet file by `behaviours`, whose path is returned."""
    address = f"https://data.openml.org/datasets/0000/{int(number):04}/dataset_{number}.pq"
    for path, content in openml_answers(number).items():
        if path == ANSWERS["jd"].format(number):
            described = json.loads(content)
            described["data_set_description"]["parquet_url"] = address
            server.serve(f"/www.openml.org/{path}", json.dumps(described).encode())
        else:
            server.serve(f"/www.openml.org/{path}", content, *([] if path.startswith("api/") else [broken]))
    path = f"/{address.partition('://')[2]}"
    server.serve(path, openml_parquet(number), *behaviours)
    return path


def _unzipped(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())
