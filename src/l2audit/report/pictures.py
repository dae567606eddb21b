"""The figures of the page with their captions: from an entry of verdicts.json and the tables behind it to pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from markupsafe import Markup

from l2audit.config.claims import Constants
from l2audit.effects.estimands import ESTIMANDS
from l2audit.effects.estimands.base import CONTAMINATED
from l2audit.effects.layout import ALL
from l2audit.report import evidence, words
from l2audit.report.figures import Curve, Damage, curves, damage, log_log
from l2audit.report.forest import Group, Mark, forest
from l2audit.report.words import interval, plain

Entry = Mapping[str, Any]
"""A claim, or one of its strata or parts, as verdicts.json has it."""


@dataclass(frozen=True)
class Picture:
    """A figure with its caption; `heading` names it, `caption` says what to see."""

    id: str
    body: Markup
    heading: str
    caption: str


@dataclass(frozen=True)
class Material:
    """The published files that a section may draw on."""

    effects: pd.DataFrame
    summary: pd.DataFrame
    identities: Sequence[Entry]
    constants: Constants
    levels: Mapping[str, str] = field(default_factory=dict)
    headline: str = ""


def anchor(claim_id: str) -> str:
    """The id of a claim's section: letters, digits and hyphens."""
    return "claim-" + "".join(c if c.isalnum() or c in "-_" else "-" for c in claim_id)


def one_delta(parts: Sequence[Entry]) -> str:
    """One delta in plain units, every unit that occurs once."""
    found = (words.delta(task) for part in parts for task in planned_tasks(part).values())
    return " or ".join(dict.fromkeys(found))


def planned_tasks(part: Entry) -> dict[str, Entry]:
    """The figures of each task that a dataset was planned for; without any dataset, of each registered one."""
    wanted = {one["task"] for one in part["datasets"]} or set(part["tasks"])
    return {task: part["tasks"][task] for task in sorted(wanted)}


def groups_of(entry: Entry) -> list[Group]:
    """Rows of the forest plot, as judged: one group per stratum, or one in all where the claim has none."""
    return [_group(row) for row in entry["strata"] or [entry]]


def _group(row: Entry) -> Group:
    panels = [{one["dataset"]: _mark(one) for one in part["datasets"]} for part in measured_parts(row)]
    rows = sorted(panels[0], key=lambda name: (panels[0][name].value is None, panels[0][name].value or 0.0, name))
    stratum = row.get("stratum", ALL)
    return Group("" if stratum == ALL else words.stratum(stratum), rows, panels, averages(row))


def _mark(one: Entry) -> Mark:
    if one["unclipped_score"] is None:
        return Mark(one["dataset"], None)
    return Mark(
        one["dataset"], one["unclipped_score"], *_limits(one), side={"above": 1, "below": -1}.get(one["decisive"], 0)
    )


def _limits(one: Entry) -> tuple[float, float]:
    """The interval of a judged number; NaN where it has none (one seed, one dataset)."""
    return (
        math.nan if one["ci_low"] is None else one["ci_low"],
        math.nan if one["ci_high"] is None else one["ci_high"],
    )


def measured_parts(row: Entry) -> list[Entry]:
    """The parts of a claim, or of one of its strata, that carry an estimate."""
    return [part for part in row["parts"] if "m" in part]


def averages(row: Entry) -> list[Mark | None]:
    """The judged mean of each part with its 95 % interval, in units of delta; None where nothing was judged."""
    return [_average(part) for part in measured_parts(row)]


def _average(part: Entry) -> Mark | None:
    if part["m"] is None or part["ci_low"] is None:
        return None
    low, high = _limits(part)
    return Mark("average", part["m"], low, high, side=1 if low > 1 else -1 if high < -1 else 0)


def claim_pictures(entry: Entry, material: Material) -> list[Picture]:
    """The deciding figure, then what a reader of this claim wants to see besides."""
    if not any(part["datasets"] for part in measured_parts(entry)):
        return []
    estimand = ESTIMANDS[measured_parts(entry)[0]["estimand"]]
    found = [forest_picture(entry, material)]
    if entry["id"] == material.headline and estimand.levels == CONTAMINATED:
        found += _curve_pictures(entry, material)
    if "huber" in estimand.losses:
        found += _damage_pictures(entry, material)
    return found


def forest_picture(entry: Entry, material: Material) -> Picture:
    """The forest plot of a claim: every dataset, every stratum, every part."""
    groups, parts = groups_of(entry), measured_parts(entry)
    panels = [panel_title(part) if len(parts) > 1 else "" for part in parts]
    clip = material.constants.clip
    name = anchor(entry["id"])
    body = forest(
        groups,
        panels,
        clip=clip,
        name=f"{name}-forest",
        title=f"Effect by dataset: {entry['question']}",
        description=_describe(groups, panels),
    )
    return Picture(
        f"{name}-figure",
        body,
        "Every dataset against the smallest effect that matters.",
        words.FOREST.format(delta=one_delta(parts), clip=clip),
    )


def glance_picture(entry: Entry, material: Material) -> Picture:
    """The averages of the central claim: one row per kind of contamination, the overall one below."""
    measured = measured_parts(entry)
    by_stratum = {words.stratum(row["stratum"]): averages(row) for row in entry["strata"]}
    panels: list[dict[str, Mark]] = [
        {name: marks[k] or Mark(name, None) for name, marks in by_stratum.items()} for k in range(len(measured))
    ]
    group = Group("", list(by_stratum), panels, averages(entry))
    told = [
        f"{name}: "
        + ", ".join(
            f"{part['id']} {plain(mark.value, 1, sign=True)} δ {interval(mark.low, mark.high, 1)}"
            for part, mark in zip(measured, marks, strict=True)
            if mark
        )
        for name, marks in [*by_stratum.items(), (words.stratum(ALL), averages(entry))]
    ]
    labels = [panel_title(part) for part in measured]
    body = forest(
        [group],
        labels,
        clip=material.constants.clip,
        name="glance",
        average=words.stratum(ALL),
        title="Averages by kind of contamination",
        description="; ".join(told) + ".",
    )
    return Picture(
        "glance",
        body,
        "The answer by kind of outlier.",
        words.GLANCE,
    )


def panel_title(part: Entry) -> str:
    """What a panel is headed with: the words before the colon of a part's statement, if there are such, and its id."""
    head, colon, _ = part["statement"].partition(":")
    return f"{head}? ({part['id']})" if colon and len(head) <= 30 else str(part["id"])


def _describe(groups: Sequence[Group], panels: Sequence[str]) -> str:
    """The figure in words: the averages, and how many datasets lie on either side of the band."""
    told = []
    for group in groups:
        for label, marks, overall in zip(panels, group.panels, group.overall, strict=True):
            values = [mark for mark in marks.values() if mark.value is not None]
            above, below = (sum(mark.side == side for mark in values) for side in (1, -1))
            mean = (
                f"average {plain(overall.value, 1, sign=True)} δ {interval(overall.low, overall.high, 1)}, "
                if overall
                else ""
            )
            place = ", ".join(text for text in (group.title, label) if text)
            found = f"{above} of {len(values)} datasets as claimed, {below} the opposite"
            told.append(f"{place + ': ' if place else ''}{mean}{found}")
    return "; ".join(told) + "."


def _curve_pictures(entry: Entry, material: Material) -> list[Picture]:
    """Test risk against beta in a few cells, for the claim's first part."""
    part = measured_parts(entry)[0]
    table = evidence.cells(effects_of(entry, part, material), deltas(part), material.constants)
    chosen = [cell for _, least, greatest in evidence.telling_cells(table) for cell in (least, greatest)]
    drawn = [evidence.curve(material.summary, cell, entry["scale"][cell.task], material.levels) for cell in chosen]
    if not drawn:
        return []
    body = curves(
        drawn,
        name=f"{anchor(entry['id'])}-curves",
        title="Test risk against beta, clean and with outliers",
        description=_describe_curves(drawn),
    )
    return [
        Picture(
            f"{anchor(entry['id'])}-curves",
            body,
            "How the damage D changes with the strength of the penalty.",
            words.CURVES,
        )
    ]


def _describe_curves(drawn: Sequence[Curve]) -> str:
    told = []
    for one in drawn:
        without, at_chosen = (plain(one.dirty[k] - one.clean[k], 2) for k in (0, one.chosen))
        told.append(
            f"{one.title}, {one.subtitle}: D is {without} at beta 0 and {at_chosen} at the chosen beta "
            f"{one.beta[one.chosen]:g} ({one.unit})"
        )
    return "; ".join(told)


def _damage_pictures(entry: Entry, material: Material) -> list[Picture]:
    """Damage under both losses, on the datasets and levels that the claim is judged on."""
    panels = evidence.damages(material.summary, effects_of(entry, measured_parts(entry)[0], material), material.levels)
    if not panels:
        return []
    body = damage(
        panels,
        name=f"{anchor(entry['id'])}-damage",
        title="Damage under squared and Huber loss against beta",
        description="; ".join(f"{heading}: {_describe_damage(lines)}" for heading, lines in panels),
    )
    return [
        Picture(
            f"{anchor(entry['id'])}-damage",
            body,
            "Changing the loss, against adding a penalty.",
            words.DAMAGE,
        )
    ]


def effects_of(entry: Entry, part: Entry, material: Material) -> pd.DataFrame:
    """The effects of one part of a claim."""
    effects = material.effects
    found: pd.DataFrame = effects[(effects["claim"] == entry["id"]) & (effects["part"] == part["id"])]
    return found


def deltas(part: Entry) -> dict[str, float]:
    """Delta per task in the units of theta (a share of 1, not percentage points)."""
    return {task: found["delta"] / found["scale"] for task, found in part["tasks"].items()}


def _describe_damage(lines: Sequence[Damage]) -> str:
    return ", ".join(
        f"{line.name}: mean D {plain(line.damage[0], 3)} at beta 0, least {plain(min(line.damage), 3)}"
        for line in lines
        if line.average
    )


def identity_pictures(entry: Entry) -> list[Picture]:
    """The log-log curve of the penalty, where an exact check of this claim carries its points."""
    return [_log_log_picture(entry, check) for check in entry["checks"] if check.get("points")]


def _log_log_picture(entry: Entry, check: Entry) -> Picture:
    slope = plain(float(check["obtained"]), 4)
    name = f"{anchor(entry['id'])}-loglog"
    body = log_log(
        check["points"]["scale"],
        check["points"]["penalty"],
        float(check["obtained"]),
        name=name,
        title="The penalty against the scale of the weights, on logarithmic axes",
        description=f"The points lie on a straight line of slope {slope}; an exponential bends away from it.",
    )
    return Picture(
        f"{name}-figure",
        body,
        "A power law is straight on these axes, an exponential is not.",
        words.LOG_LOG,
    )
