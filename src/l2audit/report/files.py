"""The page from its files: a folder of evidence in, one HTML file out, for the workflow and for `l2audit report`."""

from __future__ import annotations

from pathlib import Path

from l2audit.files import write_text
from l2audit.report.page import build_page
from l2audit.stored import read_frame, read_json

CALIBRATION = "calibration.json"
"""The trial of the judge, beside the evidence or elsewhere; a page without it says so."""


def write_page(folder: Path, page: Path, calibration: Path | None = None) -> None:
    """Build the page of the study whose evidence is in `folder` and write it to `page`.

    `calibration`: the trial of the judge; the file in `folder`, if there is one, where None.
    """
    trial = calibration or folder / CALIBRATION
    provenance = read_json(folder / "provenance.json")
    html = build_page(
        read_json(folder / "verdicts.json"),
        read_frame(folder / "effects.parquet"),
        read_frame(folder / "summary.parquet"),
        read_json(folder / "identities.json"),
        provenance,
        provenance["study"],
        read_json(folder / "oracles.json"),
        read_json(folder / "specifications.json"),
        read_json(trial) if trial.exists() else None,
    )
    write_text(page, html)
