"""The page from its files: a folder of evidence in, one HTML file out, for the workflow and for `l2audit report`."""

from __future__ import annotations

from pathlib import Path

from l2audit.files import sha256_of, write_text
from l2audit.report.page import build_page
from l2audit.stored import read_frame, read_json

PROVENANCE = "provenance.json"
EVIDENCE = (
    "verdicts.json",
    "specifications.json",
    "effects.parquet",
    "summary.parquet",
    "identities.json",
    "oracles.json",
    PROVENANCE,
)
"""What the page is a function of. `report/published/` holds a copy of these of the default study."""

CALIBRATION = "calibration.json"
"""The trial of the judge, beside the evidence or elsewhere; a page without it says so."""


def strangers(folder: Path) -> list[Path]:
    """The files of the evidence in `folder` that are not those which its provenance.json names.

    They are another run's, as after one that failed half-way, or were changed.
    """
    named = read_json(folder / PROVENANCE).get("files", {})
    return [folder / name for name in EVIDENCE if name != PROVENANCE and sha256_of(folder / name) != named.get(name)]


def write_page(folder: Path, page: Path, calibration: Path | None = None) -> None:
    """Build the page of the study whose evidence is in `folder` and write it to `page`.

    `calibration`: the trial of the judge; the file in `folder`, if there is one, where None.
    """
    trial = calibration or folder / CALIBRATION
    provenance = read_json(folder / PROVENANCE)
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
