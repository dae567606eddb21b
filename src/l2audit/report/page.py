"""The page: from the published files of a study to one self-contained HTML document.

It fetches nothing, holds no script, and knows no clock and no path: equal files give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from l2audit import __version__
from l2audit.config.claims import Constants
from l2audit.contamination import CLEAN
from l2audit.errors import UserError
from l2audit.files import write_text
from l2audit.report import apparatus, evidence
from l2audit.report.gallery import ROWS, gallery
from l2audit.report.pictures import Material, glance_picture
from l2audit.report.sections import rank_sections, section
from l2audit.report.specifications import curve_section
from l2audit.report.words import THIN, count, percent, short, vector
from l2audit.stored import read_frame, read_json

CALIBRATION = "calibration.json"
"""The trial of the judge, beside the evidence or elsewhere; a page without it says so."""

PLUMBING = "Plumbing only, no verdicts: this study tries the pipeline out and is too small to judge anything."


def write_page(folder: Path, page: Path, calibration: Path | None = None) -> None:
    """Build the page of the study whose evidence is in `folder` and write it to `page`.

    `calibration`: the trial of the judge; the file in `folder`, if there is one, where None.
    """
    trial = calibration or folder / CALIBRATION
    parsed = {
        name: read_json(folder / f"{name}.json")
        for name in ("verdicts", "identities", "provenance", "oracles", "specifications")
    }
    html = build_page(
        **parsed,
        effects=read_frame(folder / "effects.parquet"),
        summary=read_frame(folder / "summary.parquet"),
        study=parsed["provenance"]["study"],
        calibration=read_json(trial) if trial.exists() else None,
    )
    write_text(page, html)


def build_page(
    verdicts: Mapping[str, Any],
    effects: pd.DataFrame,
    summary: pd.DataFrame,
    identities: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
    study: Mapping[str, Any],
    oracles: Sequence[Mapping[str, Any]],
    specifications: Mapping[str, Any],
    calibration: Mapping[str, Any] | None = None,
) -> str:
    """The page of a study as one HTML document.

    `verdicts`, `identities`, `oracles`, `specifications`, `provenance`, `calibration`: the parsed JSON files of the
    same names, the last one where the judge was put on trial; `effects`, `summary`: the Parquet tables; `study`: its
    `name`, `title` and `verdicts` (false: plumbing only, nothing is judged). UserError: verdicts of an earlier version.
    """
    if "headline" not in verdicts:
        raise UserError("these verdicts were made by an earlier version", fix="judge again: snakemake --cores all")
    constants, headline = Constants(**verdicts["constants"]), verdicts["headline"]
    material = Material(effects, summary, identities, constants, evidence.level_words(summary), headline)
    entries = [*verdicts["claims"], *verdicts["added"]]
    sections = [section(entry, material) for entry in entries]
    central = next((one for one in sections if one["id"] == headline), None)
    judged = bool(study["verdicts"])
    other_choices = curve_section(specifications, entries, constants.clip, headline) if judged else None
    outliers = gallery(provenance.get("contaminations", {}), provenance["runs"]["kinds"])
    known = apparatus.oracles(oracles)
    stamps = _stamps(verdicts, known["failed"], judged=judged)
    question = central["question"] if central else ""
    answer = f"{central['badge'].text}: {central['sentence']}" if central else ""
    told = answer if judged else PLUMBING
    page = {
        "title": question or "What L2 regularisation does, claim by claim",
        "description": " ".join([*stamps, answer]) if judged else PLUMBING,
        "stamps": stamps,
        "judged": judged,
        "central": central,
        "study_name": study["name"],
        "study_title": study.get("title", ""),
        "thread": verdicts["thread"],
        "facts": _facts(entries, summary, provenance),
        "glance": glance_picture(entries, material) if judged else None,
        "citation": f"l2audit {__version__}, study “{study['name']}”. {question} {told} "
        f"Registration SHA-256 {verdicts['registration_sha256']}.",
        **apparatus.controls(verdicts["controls"], material, judged=judged),
        **apparatus.trust([*entries, *verdicts["controls"]], summary, provenance),
        "known": known,
        "calibration": apparatus.calibration(calibration, provenance["code_sha256"].get("judge")),
        "registration": apparatus.registration(verdicts),
        **apparatus.sources(verdicts, provenance),
        "claims": sections,
        "exploratory": rank_sections(verdicts.get("exploratory", {})),
        "specifications": other_choices,
        "gallery": outliers,
        "gallery_rows": ROWS,
        **apparatus.rule(constants, entries, headline),
        "thin": THIN,
        "version": __version__,
    }
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("l2audit.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters.update(short=short, vector=vector, percent=percent)
    css = resources.files("l2audit.report").joinpath("templates/style.css").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(page=page, css=Markup(css))


def _stamps(verdicts: Mapping[str, Any], not_reproduced: Sequence[str], *, judged: bool) -> list[str]:
    """What a reader must know before anything else."""
    stamps = [] if judged else [PLUMBING]
    failed = [control["id"] for control in verdicts["controls"] if control["outcome"] == "failed"]
    if failed and judged:
        stamps.append(f"A control failed ({', '.join(failed)}): do not rely on the verdicts of this page.")
    if not_reproduced:
        told = "Known results were not reproduced" if len(not_reproduced) > 1 else "A known result was not reproduced"
        stamps.append(f"{told} ({', '.join(not_reproduced)}): do not rely on the numbers of this page.")
    changed = apparatus.registration(verdicts)["stamp"]
    return [*stamps, changed] if changed and judged else stamps


def _facts(
    entries: Sequence[Mapping[str, Any]], summary: pd.DataFrame, provenance: Mapping[str, Any]
) -> list[dict[str, str]]:
    """How much the study holds: what enters the verdicts on its own datasets; controls and maps add nothing."""
    entered = [entry["entered"] for entry in entries if "entered" in entry and entry["role"] == "study"]
    architecture = provenance["runs"]["architectures"]
    datasets = {name for one in entered for name in one["datasets"]}
    architectures = {architecture[arm] for one in entered for arm in (*one["arms"], *one["against"])}
    seeds = [number for one in entered for number in one["repetitions"]]
    levels: set[str] = set()
    for one in entered:
        levels.update(one["levels"])
        if one["every_level"]:
            own = summary["arm"].isin(one["arms"]) & summary["dataset"].isin(one["datasets"])
            levels.update(summary.loc[own, "level"])
    facts = [
        (count(provenance["runs"]["total"]), "models trained"),
        (count(len(datasets)), "dataset compared" if len(datasets) == 1 else "datasets compared"),
        (count(len(architectures)), "architecture compared" if len(architectures) == 1 else "architectures compared"),
        (count(len(levels - {CLEAN})), "kinds, rates and sizes of outliers"),
    ]
    if seeds:
        least, most = count(min(seeds)), count(max(seeds))
        facts.append((least if least == most else f"{least} to {most}", "repetitions of each comparison"))
    return [{"number": number, "text": text} for number, text in facts]
