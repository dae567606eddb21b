"""The page from its files: a folder of evidence in, one HTML file out, for the workflow and for `l2audit report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from l2audit.files import write_text
from l2audit.report.page import build_page

EVIDENCE = (
    "verdicts.json",
    "specifications.json",
    "effects.parquet",
    "summary.parquet",
    "identities.json",
    "oracles.json",
    "provenance.json",
)
"""What the page is a function of. `report/published/` holds a copy of these of the default study."""

CALIBRATION = "calibration.json"
"""The trial of the judge, beside the evidence or elsewhere; a page without it says so."""


def read_json(path: Path) -> Any:
    """A parsed JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_page(folder: Path, page: Path, calibration: Path | None = None) -> None:
    """Build the page of the study whose evidence is in `folder` and write it to `page`.

    `calibration`: the trial of the judge; the file in `folder`, if there is one, where None.
    """
    trial = calibration or folder / CALIBRATION
    provenance = read_json(folder / "provenance.json")
    html = build_page(
        read_json(folder / "verdicts.json"),
        pd.read_parquet(folder / "effects.parquet"),
        pd.read_parquet(folder / "summary.parquet"),
        read_json(folder / "identities.json"),
        provenance,
        provenance["study"],
        read_json(folder / "oracles.json"),
        read_json(folder / "specifications.json"),
        read_json(trial) if trial.exists() else None,
    )
    write_text(page, html)
