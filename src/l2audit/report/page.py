"""The page: a pure function from the published files of a study to one self-contained HTML document.

It fetches nothing, holds no script, and knows no clock and no path: equal files give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from l2audit import __version__
from l2audit.config.claims import Constants
from l2audit.contamination import CLEAN
from l2audit.errors import UserError
from l2audit.report import apparatus, backing, evidence, words
from l2audit.report.gallery import ROWS, Gallery, gallery
from l2audit.report.pictures import Material, glance_picture
from l2audit.report.ranks import rank_sections
from l2audit.report.sections import Section, section
from l2audit.report.specifications import curve_section
from l2audit.report.words import THIN, count, short, span, vector

PLUMBING = "Plumbing only, no verdicts: this study tries the pipeline out and is too small to judge anything."


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
    constants = Constants(**verdicts["constants"])
    material = Material(effects, summary, identities, constants, evidence.level_words(summary), verdicts["headline"])
    entries = [*verdicts["claims"], *verdicts["added"]]
    sections = [section(entry, material) for entry in entries]
    other_choices = (
        curve_section(specifications, entries, constants.clip, material.headline) if study["verdicts"] else None
    )
    outliers = gallery(provenance.get("contaminations", {}), provenance["runs"]["kinds"])
    page = {
        **_head(verdicts, entries, sections, provenance, study, material, backing.failed_oracles(oracles)),
        **apparatus.controls(verdicts["controls"], material, judged=bool(study["verdicts"])),
        **apparatus.trust([*entries, *verdicts["controls"]], summary, provenance),
        "known": backing.oracles(oracles),
        "calibration": backing.calibration(calibration, provenance["code_sha256"].get("judge")),
        "registration": backing.registration(verdicts),
        **apparatus.sources(verdicts, provenance),
        "claims": sections,
        "exploratory": rank_sections(verdicts.get("exploratory", {})),
        "specifications": other_choices,
        "gallery": outliers,
        "gallery_caption": words.GALLERY.format(rows=ROWS),
        "constants": apparatus.constants(constants, entries, material.headline),
        "verdict_words": apparatus.verdict_words(constants),
        "contents": _contents(sections, outliers, other_choices=bool(other_choices)),
        "thin": THIN,
        "version": __version__,
    }
    return _environment().get_template("page.html.j2").render(page=page, css=_style_sheet())


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("l2audit.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters.update(short=short, vector=vector)
    return environment


@cache
def _style_sheet() -> Markup:
    return Markup(resources.files("l2audit.report").joinpath("templates/style.css").read_text(encoding="utf-8"))


def _head(
    verdicts: Mapping[str, Any],
    entries: Sequence[Mapping[str, Any]],
    sections: Sequence[Section],
    provenance: Mapping[str, Any],
    study: Mapping[str, Any],
    material: Material,
    not_reproduced: Sequence[str],
) -> dict[str, Any]:
    """Title, answer, stamps and the few numbers under the answer."""
    central = next((one for one in sections if one.id == material.headline), None)
    entry = next((one for one in entries if one["id"] == material.headline), None)
    judged = bool(study["verdicts"])
    failed = [control["id"] for control in verdicts["controls"] if control["outcome"] == "failed"]
    stamps = [] if judged else [PLUMBING]
    if failed and judged:
        stamps.append(f"A control failed ({', '.join(failed)}): do not rely on the verdicts of this page.")
    if not_reproduced:
        told = "Known results were not reproduced" if len(not_reproduced) > 1 else "A known result was not reproduced"
        stamps.append(f"{told} ({', '.join(not_reproduced)}): do not rely on the numbers of this page.")
    if backing.registration(verdicts)["stamp"] and judged:
        stamps.append(backing.registration(verdicts)["stamp"])
    answer = f"{central.badge.text}: {central.sentence}" if central else ""
    return {
        "title": central.question if central else "What L2 regularisation does, claim by claim",
        "description": " ".join([*stamps, answer]) if judged else PLUMBING,
        "stamps": stamps,
        "judged": judged,
        "central": central,
        "study_name": study["name"],
        "study_title": study.get("title", ""),
        "thread": verdicts["thread"],
        "facts": _facts(entries, material.summary, provenance),
        "glance": glance_picture(entry, material)
        if entry and judged and entry["strata"] and entry["entered"]["datasets"]
        else None,
        "citation": _citation(central, answer if judged else PLUMBING, verdicts, study),
    }


def _facts(
    entries: Sequence[Mapping[str, Any]], summary: pd.DataFrame, provenance: Mapping[str, Any]
) -> list[dict[str, str]]:
    """How much the study holds: what enters the verdicts on its own datasets; controls and maps add nothing."""
    entered = [entry["entered"] for entry in entries if "entered" in entry and entry["role"] == "study"]
    architectures = provenance["runs"]["architectures"]
    found: dict[str, set[str]] = {
        "dataset": {name for one in entered for name in one["datasets"]},
        "architecture": {architectures[arm] for one in entered for arm in (*one["arms"], *one["against"])},
    }
    levels = {level for one in entered for level in _levels(one, summary)} - {CLEAN}
    seeds = [number for one in entered for number in one["repetitions"]]
    facts = [(count(provenance["runs"]["total"]), "models trained")]
    facts += [(count(len(names)), f"{what}{'' if len(names) == 1 else 's'} compared") for what, names in found.items()]
    facts += [(count(len(levels)), "kinds, rates and sizes of outliers")]
    facts += [(span(min(seeds), max(seeds)), "repetitions of each comparison")] if seeds else []
    return [{"number": number, "text": text} for number, text in facts]


def _levels(entered: Mapping[str, Any], summary: pd.DataFrame) -> set[str]:
    """The levels behind a verdict; all of its arms, where a part reads every level."""
    arms = summary["architecture"].isin(entered["arms"]) & summary["dataset"].isin(entered["datasets"])
    return {*entered["levels"], *(summary.loc[arms, "level"] if entered["every_level"] else ())}


def _citation(central: Section | None, answer: str, verdicts: Mapping[str, Any], study: Mapping[str, Any]) -> str:
    question = central.question if central else ""
    registration = f"Registration SHA-256 {verdicts['registration_sha256']}."
    return f"l2audit {__version__}, study “{study['name']}”. {question} {answer} {registration}"


def _contents(sections: Sequence[Section], outliers: Gallery | None, *, other_choices: bool) -> list[dict[str, str]]:
    fixed = [
        *([("choices", "Other choices")] if other_choices else []),
        *([("outliers", "What an outlier is")] if outliers else []),
        ("known", "Known results"),
        ("calibration", "How often wrong?"),
        ("controls", "Controls"),
        ("rule", "How a verdict is reached"),
        ("trust", "What was left out"),
        ("datasets", "Datasets"),
        ("provenance", "Provenance"),
        ("glossary", "Glossary"),
        ("regenerate", "Check and cite"),
    ]
    claims = [(one.anchor, f"({one.id})", one.question) for one in sections]
    plain_entries = [(where, text, "") for where, text in fixed]
    return [
        {"anchor": where, "text": text, "more": more}
        for where, text, more in [("answer", "The answer", ""), ("claims", "All claims", ""), *claims, *plain_entries]
    ]
