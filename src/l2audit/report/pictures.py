"""The figures of a claim with their captions: from its entry in verdicts.json and the tables behind it to pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from l2audit.config.claims import Constants
from l2audit.effects.estimands import CONTAMINATED, ESTIMANDS
from l2audit.effects.layout import ALL
from l2audit.report import evidence, words
from l2audit.report.blocks import Picture, anchor, picture
from l2audit.report.figures import Damage, ForestGroup, Mark, damage, forest, log_log, risk_curves
from l2audit.report.words import interval, plain
from l2audit.wording.phrases import Entry


@dataclass(frozen=True)
class Material:
    """The published files that a section may draw on."""

    effects: pd.DataFrame
    summary: pd.DataFrame
    identities: Sequence[Entry]
    constants: Constants
    levels: Mapping[str, str] = field(default_factory=dict)
    headline: str = ""

    def effects_of(self, entry: Entry, part: Entry) -> pd.DataFrame:
        """The effects of one part of a claim."""
        own = (self.effects["claim"] == entry["id"]) & (self.effects["part"] == part["id"])
        found: pd.DataFrame = self.effects[own]
        return found


def measured_parts(row: Entry) -> list[Entry]:
    """The parts of a claim, or of one of its strata, that carry an estimate."""
    return [part for part in row["parts"] if "m" in part]


def planned_tasks(part: Entry) -> dict[str, Entry]:
    """The figures of each task that a dataset was planned for; without any dataset, of each registered one."""
    wanted = {one["task"] for one in part["datasets"]} or set(part["tasks"])
    return {task: part["tasks"][task] for task in sorted(wanted)}


def one_delta(parts: Sequence[Entry]) -> str:
    """One delta in plain units, every unit that occurs once."""
    found = (words.delta(task) for part in parts for task in planned_tasks(part).values())
    return " or ".join(dict.fromkeys(found))


def claim_pictures(entry: Entry, material: Material) -> list[Picture]:
    """The deciding figure, then what a reader of this claim wants to see besides."""
    parts = measured_parts(entry)
    if not parts:
        return [_log_log_picture(entry, check) for check in entry["checks"] if check.get("points")]
    if not any(part["datasets"] for part in parts):
        return []
    estimand = ESTIMANDS[parts[0]["estimand"]]
    found = [forest_picture(entry, material)]
    if entry["id"] == material.headline and estimand.levels == CONTAMINATED:
        found += _curve_pictures(entry, material)
    if "huber" in estimand.losses:
        found += _damage_pictures(entry, material)
    return found


def forest_picture(entry: Entry, material: Material) -> Picture:
    """The forest plot of a claim: every dataset, every part, by stratum where the claim has any."""
    parts = measured_parts(entry)
    labels = [panel_title(part) if len(parts) > 1 else "" for part in parts]
    groups = []
    for row in entry["strata"] or [entry]:
        panels = [{one["dataset"]: _dataset_mark(one) for one in part["datasets"]} for part in measured_parts(row)]
        rows = sorted(panels[0], key=lambda name: (panels[0][name].value is None, panels[0][name].value or 0.0, name))
        stratum = row.get("stratum", ALL)
        groups.append(ForestGroup("" if stratum == ALL else words.stratum(stratum), rows, panels, _averages(row)))
    told = [
        f"{', '.join(filter(None, (group.title, label)))}: ".removeprefix(": ") + _sides(marks, overall)
        for group in groups
        for label, marks, overall in zip(labels, group.panels, group.overall, strict=True)
    ]
    clip = material.constants.clip
    return picture(
        f"{anchor(entry['id'])}-forest",
        lambda width: forest(width, groups, labels, clip=clip),
        id=f"{anchor(entry['id'])}-figure",
        heading="Every dataset against the smallest effect that matters.",
        caption=words.FOREST.format(delta=one_delta(parts), clip=clip),
        title=f"Effect by dataset: {entry['question']}",
        description="; ".join(told) + ".",
    )


def glance_picture(entries: Sequence[Entry], material: Material) -> Picture | None:
    """The averages of the central claim, one row per kind of contamination; None where it is not judged by kind."""
    central = (one for one in entries if one["id"] == material.headline)
    entry = next((one for one in central if one["strata"] and one["entered"]["datasets"]), None)
    if entry is None:
        return None
    parts = measured_parts(entry)
    marks = {words.stratum(row["stratum"]): _averages(row) for row in entry["strata"]}
    panels = [{name: own[k] for name, own in marks.items()} for k in range(len(parts))]
    group = ForestGroup("", list(marks), panels, _averages(entry))
    every = words.stratum(ALL)
    told = []
    for name, own in [*marks.items(), (every, group.overall)]:
        known = (f"{part['id']} {_told(mark)}" for part, mark in zip(parts, own, strict=True) if mark.value is not None)
        told.append(f"{name}: {', '.join(known)}")
    labels = [panel_title(part) for part in parts]
    return picture(
        "glance",
        lambda width: forest(width, [group], labels, clip=material.constants.clip, average=every),
        heading="The answer by kind of outlier.",
        caption=words.GLANCE,
        title="Averages by kind of contamination",
        description="; ".join(told) + ".",
    )


def panel_title(part: Entry) -> str:
    """What a panel is headed with: the words before the colon of a part's statement, if there are such, and its id."""
    head, colon, _ = part["statement"].partition(":")
    return f"{head}? ({part['id']})" if colon and len(head) <= 30 else str(part["id"])


def _dataset_mark(one: Entry) -> Mark:
    """The score of a dataset; one of a single seed has no interval."""
    if one["unclipped_score"] is None:
        return Mark(None)
    low, high = (math.nan if end is None else end for end in (one["ci_low"], one["ci_high"]))
    return Mark(one["unclipped_score"], low, high, {"above": 1, "below": -1}.get(one["decisive"], 0))


def _averages(row: Entry) -> list[Mark]:
    """The judged mean of each part with its 95 % interval, in units of delta."""
    marks = []
    for part in measured_parts(row):
        m, low, high = (part[name] for name in ("m", "ci_low", "ci_high"))
        known = m is not None and low is not None
        marks.append(Mark(m, low, high, 1 if low > 1 else -1 if high < -1 else 0) if known else Mark(None))
    return marks


def _told(mark: Mark) -> str:
    return f"{plain(mark.value, 1, sign=True)} δ {interval(mark.low, mark.high, 1)}"


def _sides(marks: Mapping[str, Mark], overall: Mark) -> str:
    """One panel in words: the average, and how many datasets lie on either side of the band."""
    values = [mark for mark in marks.values() if mark.value is not None]
    above, below = (sum(mark.side == side for mark in values) for side in (1, -1))
    mean = "" if overall.value is None else f"average {_told(overall)}, "
    return f"{mean}{above} of {len(values)} datasets as claimed, {below} the opposite"


def _curve_pictures(entry: Entry, material: Material) -> list[Picture]:
    """Test risk against beta in a few cells, for the claim's first part."""
    part = measured_parts(entry)[0]
    table = evidence.cells(material.effects_of(entry, part), evidence.deltas(part), material.constants)
    chosen = [cell for _, least, greatest in evidence.telling_cells(table) for cell in (least, greatest)]
    drawn = [evidence.risk_curve(material.summary, cell, entry["scale"][cell.task], material.levels) for cell in chosen]
    told = []
    for one in drawn:
        without, at_chosen = (plain(one.damage(k), 2) for k in (0, one.chosen))
        told.append(
            f"{one.title}, {one.subtitle}: D is {without} at beta 0 and {at_chosen} at the chosen beta "
            f"{one.risks.index[one.chosen]:g} ({one.unit})"
        )
    if not drawn:
        return []
    return [
        picture(
            f"{anchor(entry['id'])}-curves",
            lambda width: risk_curves(width, drawn),
            heading="How the damage D changes with the strength of the penalty.",
            caption=words.CURVES,
            title="Test risk against beta, clean and with outliers",
            description="; ".join(told),
        )
    ]


def _damage_pictures(entry: Entry, material: Material) -> list[Picture]:
    """Damage under both losses, on the datasets and levels that the claim is judged on."""
    own = material.effects_of(entry, measured_parts(entry)[0])
    panels = evidence.damages(material.summary, own, material.levels)
    if not panels:
        return []
    return [
        picture(
            f"{anchor(entry['id'])}-damage",
            lambda width: damage(width, panels),
            heading="Changing the loss, against adding a penalty.",
            caption=words.DAMAGE,
            title="Damage under squared and Huber loss against beta",
            description="; ".join(f"{heading}: {_describe_damage(lines)}" for heading, lines in panels),
        )
    ]


def _describe_damage(lines: Sequence[Damage]) -> str:
    return ", ".join(
        f"{line.name}: mean D {plain(line.damage[0], 3)} at beta 0, least {plain(min(line.damage), 3)}"
        for line in lines
        if line.average
    )


def _log_log_picture(entry: Entry, check: Entry) -> Picture:
    """The growth of the penalty, where an exact check of this claim carries its points."""
    slope, points = float(check["obtained"]), check["points"]
    return picture(
        f"{anchor(entry['id'])}-loglog",
        lambda width: log_log(width, points["scale"], points["penalty"], slope),
        id=f"{anchor(entry['id'])}-loglog-figure",
        heading="A power law is straight on these axes, an exponential is not.",
        caption=words.LOG_LOG,
        title="The penalty against the scale of the weights, on logarithmic axes",
        description=f"The points lie on a straight line of slope {plain(slope, 4)}; an exponential bends away from it.",
    )
