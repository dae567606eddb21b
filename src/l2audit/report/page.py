"""The page: from the published files of a study to one self-contained HTML document.

It fetches nothing, holds no script, and knows no clock and no path: equal files give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup

from l2audit import __version__
from l2audit.contamination import CLEAN
from l2audit.errors import UserError
from l2audit.files import write_text
from l2audit.report import apparatus
from l2audit.report.gallery import ROWS, gallery
from l2audit.report.pictures import Published, glance_picture
from l2audit.report.sections import rank_sections, section
from l2audit.report.specifications import curve_section
from l2audit.report.words import THIN, count, percent, short, vector
from l2audit.stored import read_frame, read_json
from l2audit.wording.phrases import Entry
from l2audit.wording.sentences import registration_status
from l2audit.wording.tables import notice

PLUMBING = "Plumbing only, no verdicts: this study tries the pipeline out and is too small to judge anything."


def write_page(folder: Path, page: Path, calibration: Path | None = None) -> None:
    """Build the page of the study whose evidence is in `folder` and write it to `page`.

    `calibration`: the trial of the judge; calibration.json in `folder`, if there is one, where None.
    """
    trial = calibration or folder / "calibration.json"
    names = ("verdicts", "identities", "provenance", "oracles", "specifications")
    parsed = {name: read_json(folder / f"{name}.json") for name in names}
    published = Published(
        **parsed,
        effects=read_frame(folder / "effects.parquet"),
        summary=read_frame(folder / "summary.parquet"),
        study=parsed["provenance"]["study"],
        calibration=read_json(trial) if trial.exists() else None,
    )
    write_text(page, build_page(published))


def build_page(published: Published) -> str:
    """The page of a study as one HTML document. UserError: verdicts of an earlier version."""
    verdicts, provenance, study = published.verdicts, published.provenance, published.study
    if "headline" not in verdicts:
        raise UserError("these verdicts were made by an earlier version", fix="judge again: snakemake --cores all")
    entries, headline = [*verdicts["claims"], *verdicts["added"]], verdicts["headline"]
    sections = [section(entry, published) for entry in entries]
    central = next((one for one in sections if one["id"] == headline), None)
    judged = bool(study["verdicts"])
    choices = curve_section(published.specifications, entries, published.constants.clip, headline) if judged else None
    known = apparatus.oracles(published.oracles)
    stamps = [] if judged else [PLUMBING]  # what a reader must know before anything else
    failed = [control["id"] for control in verdicts["controls"] if control["outcome"] == "failed"]
    if failed and judged:
        stamps.append(f"A control failed ({', '.join(failed)}): do not rely on the verdicts of this page.")
    if names := ", ".join(known["failed"]):
        told = "Known results were" if len(known["failed"]) > 1 else "A known result was"
        stamps.append(f"{told} not reproduced ({names}): do not rely on the numbers of this page.")
    if judged and notice(verdicts):
        stamps.append(notice(verdicts))
    question = central["question"] if central else ""
    answer = f"{central['badge'].text}: {central['sentence']}" if central else ""
    page = {
        "title": question or "What L2 regularisation does, claim by claim",
        "description": " ".join([*stamps, answer]) if judged else PLUMBING,
        "stamps": stamps,
        "judged": judged,
        "central": central,
        "study_name": study["name"],
        "study_title": study.get("title", ""),
        "thread": verdicts["thread"],
        "facts": _facts(entries, published),
        "glance": glance_picture(entries, published) if judged else None,
        "citation": f"l2audit {__version__}, study “{study['name']}”. {question} {answer if judged else PLUMBING} "
        f"Registration SHA-256 {verdicts['registration_sha256']}.",
        **apparatus.controls(published, judged=judged),
        **apparatus.trust([*entries, *verdicts["controls"]], published),
        "known": known,
        "calibration": apparatus.calibration(published.calibration, provenance["code_sha256"].get("judge")),
        "registration": verdicts.get("registered") or registration_status(verdicts["registration_sha256"], {}),
        **apparatus.sources(verdicts, provenance),
        "claims": sections,
        "exploratory": rank_sections(verdicts.get("exploratory", {})),
        "specifications": choices,
        "gallery": gallery(provenance.get("contaminations", {}), provenance["runs"]["kinds"]),
        "gallery_rows": ROWS,
        **apparatus.rule(entries, published),
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


def _facts(entries: Sequence[Entry], published: Published) -> list[dict[str, str]]:
    """How much the study holds: what enters the verdicts on its own datasets; controls and maps add nothing."""
    entered = [entry["entered"] for entry in entries if "entered" in entry and entry["role"] == "study"]
    summary, runs = published.summary, published.provenance["runs"]
    datasets = {name for one in entered for name in one["datasets"]}
    architectures = {runs["architectures"][arm] for one in entered for arm in (*one["arms"], *one["against"])}
    seeds = [number for one in entered for number in one["repetitions"]]
    levels = {level for one in entered for level in one["levels"]}
    for one in entered:
        if one["every_level"]:
            own = summary["arm"].isin(one["arms"]) & summary["dataset"].isin(one["datasets"])
            levels.update(summary.loc[own, "level"])
    facts = {
        "models trained": count(runs["total"]),
        "dataset compared" if len(datasets) == 1 else "datasets compared": count(len(datasets)),
        "architecture compared" if len(architectures) == 1 else "architectures compared": count(len(architectures)),
        "kinds, rates and sizes of outliers": count(len(levels - {CLEAN})),
    }
    if seeds:
        facts["repetitions of each comparison"] = " to ".join(dict.fromkeys([count(min(seeds)), count(max(seeds))]))
    return [{"number": number, "text": text} for text, number in facts.items()]
