"""The figures and maps of a claim: from its entry in verdicts.json and the tables behind it to what is printed.

Nothing is judged here: thresholds and tests are the judge's own functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from l2audit.config.claims import Constants
from l2audit.config.study import PRIMARY_LOSS
from l2audit.contamination import CLEAN
from l2audit.effects.estimands import CONTAMINATED, ESTIMANDS
from l2audit.effects.grid import moments
from l2audit.effects.layout import ALL
from l2audit.judge.statistics import boundary_tests, holm
from l2audit.report import words
from l2audit.report.figures import Damage, ForestGroup, Mark, RiskCurve, damage, forest, log_log, risk_curves
from l2audit.report.style import Picture, picture
from l2audit.report.words import anchor, interval, plain
from l2audit.wording.phrases import Entry
from l2audit.wording.sentences import shown_rows, stratum

CELL = ["dataset", "task", "arm", "stratum", "level"]
SIGNS = {1.0: ("▲", "as claimed"), -1.0: ("▼", "the opposite"), 0.0: ("●", "smaller than δ")}


@dataclass(frozen=True)
class Published:
    """The published files of a study, parsed: the JSON files and the two Parquet tables of the same names.

    study: its `name`, `title` and `verdicts` (false: plumbing only, nothing is judged); calibration: where the judge
    was put on trial.
    """

    verdicts: Entry
    effects: pd.DataFrame
    summary: pd.DataFrame
    identities: Sequence[Entry]
    provenance: Entry
    study: Entry
    oracles: Sequence[Entry]
    specifications: Entry
    calibration: Entry | None = None

    @cached_property
    def constants(self) -> Constants:
        """The thresholds of the rule."""
        return Constants(**self.verdicts["constants"])

    @cached_property
    def levels(self) -> dict[str, str]:
        """Every level of the study in words."""
        seen = self.summary[["level", "kind", "rate", "magnitude"]].drop_duplicates("level")
        return {
            level: "clean" if level == CLEAN else words.level(kind, float(rate), float(magnitude))
            for level, kind, rate, magnitude in seen.itertuples(index=False)
        }

    def effects_of(self, entry: Entry, part: Entry) -> pd.DataFrame:
        """The effects of one part of a claim."""
        found: pd.DataFrame = self.effects[
            (self.effects["claim"] == entry["id"]) & (self.effects["part"] == part["id"])
        ]
        return found

    def cells_of(self, entry: Entry, part: Entry) -> pd.DataFrame:
        """The `cells` of one part of a claim; delta is in the units of theta (a share of 1, not percentage points)."""
        delta = {task: found["delta"] / found["scale"] for task, found in part["tasks"].items()}
        return cells(self.effects_of(entry, part), delta, self.constants)


def measured_parts(row: Entry) -> list[Entry]:
    """The parts of a claim, or of one of its strata, that carry an estimate.

    A claim in situations has none of its own: those of its record tell units, tasks and datasets. Their averages run
    over model families and are never shown.
    """
    return [part for part in row.get("record", row)["parts"] if "m" in part]


def rows_shown(entry: Entry) -> list[Entry]:
    """The rows of a claim that have an estimate to show: its strata and, unless it is in situations, itself."""
    return [*shown_rows(entry), *(() if "record" in entry else (entry,))]


def planned_tasks(part: Entry) -> dict[str, Entry]:
    """The figures of each task that a dataset was planned for; without any dataset, of each registered one."""
    wanted = {one["task"] for one in part["datasets"]} or set(part["tasks"])
    return {task: part["tasks"][task] for task in sorted(wanted)}


def one_delta(parts: Sequence[Entry]) -> str:
    """One delta in plain units, every unit that occurs once."""
    found = (words.delta(task) for part in parts for task in planned_tasks(part).values())
    return " or ".join(dict.fromkeys(found))


def cells(effects: pd.DataFrame, delta: Mapping[str, float], constants: Constants) -> pd.DataFrame:
    """One row per cell of one part: mean, number of usable seeds, and what the seeds decide, in units of delta.

    `sign` is +1 or -1 (decisively beyond one delta), 0 (decisively within) or NaN (undecided); Holm over all judged
    cells, two hypotheses each as in the judge's rule. `why` is the commonest reason in a cell that is not judged.
    """
    rows = effects.assign(u=effects["theta"].where(effects["ok"]) / effects["task"].map(dict(delta)))
    found = []
    for key, group in rows.groupby(CELL, sort=True):
        n, mean, sd = moments(group["u"].to_numpy(float))
        judged = bool(n >= 2 and n >= constants.seed_share * len(group) - 1e-9)
        reasons = group.loc[~group["ok"], "reason"]
        why = "" if judged or reasons.empty else str(reasons.value_counts().sort_index().idxmax())
        found.append((*key, int(n), len(group), float(mean), float(sd), judged, why))
    table = pd.DataFrame(found, columns=[*CELL, "n", "planned", "mean", "sd", "judged", "why"])
    tests = boundary_tests(
        np.where(table["judged"], table["n"], 0), table["mean"].to_numpy(float), table["sd"].to_numpy(float)
    )
    pairs = np.column_stack([np.minimum(tests.supported, tests.excluded), np.minimum(tests.reversed, tests.equivalent)])
    adjusted = holm(pairs.ravel(), 2 * int(table["judged"].sum())).reshape(pairs.shape) <= constants.alpha
    above = adjusted[:, 0] & (tests.supported < tests.excluded)
    below = adjusted[:, 1] & (tests.reversed < tests.equivalent)
    within = adjusted.all(axis=1) & ~above & ~below
    table["sign"] = np.select([~table["judged"].to_numpy(bool), above, below, within], [np.nan, 1.0, -1.0, 0.0], np.nan)
    return table


def maps(entry: Entry, part: Entry, published: Published) -> list[dict[str, Any]]:
    """The heterogeneity map of one part, one table per task.

    Datasets are rows; columns are contamination levels in `groups`, one per arm.
    """
    if published.effects_of(entry, part).empty:
        return []
    levels = published.levels
    found = []
    for task, table in published.cells_of(entry, part).groupby("task", sort=True):
        pairs = table[["arm", "level"]].drop_duplicates().itertuples(index=False, name=None)
        columns = sorted(pairs, key=lambda pair: (pair[0] != "linear", *pair))
        arms = [arm for arm, _ in columns]
        known = {(row.dataset, row.arm, row.level): row for row in table.itertuples()}
        order = table.groupby("dataset")["mean"].mean().sort_values(kind="stable").index
        found.append(
            {
                "caption": f"{part['id']}, {task}: 1 δ = {words.delta(part['tasks'][task])}",
                "groups": [{"name": name, "span": arms.count(name)} for name in dict.fromkeys(arms)],
                "columns": [levels.get(level, level) for _, level in columns],
                "rows": [
                    {"name": name, "cells": [_map_cell(known.get((name, *column)), levels) for column in columns]}
                    for name in order
                ],
            }
        )
    return found


def _map_cell(row: Any, levels: Mapping[str, str]) -> dict[str, str]:
    """One cell of the map: text (mean and glyph), CSS class (colour, hatch) and a note in words."""
    if row is None:
        return {"text": "", "css": "none", "note": ""}
    where = f"{row.dataset}, {row.arm}, {levels.get(row.level, row.level)}"
    if not row.judged:
        note = f"{where}: not judged, {row.n} of {row.planned} seeds usable ({row.why})"
        return {"text": "–", "css": "hatch", "note": note}
    glyph, word = SIGNS.get(row.sign, ("·", "undecided"))
    depth = sum(abs(row.mean) > edge for edge in (1, 3, 10))
    return {
        "text": f"{plain(row.mean, 1 if abs(row.mean) < 9.95 else 0, sign=True)} {glyph}",
        "css": f"{'a' if row.mean > 0 else 'b'}{depth}" if depth else "",
        "note": f"{where}: {plain(row.mean, 2, sign=True)} δ over {row.n} seeds, {word}",
    }


def telling_cells(table: pd.DataFrame) -> list[tuple[str, Any, Any]]:
    """Per stratum the cell of least and the cell of greatest mean effect: (stratum, least, greatest).

    A rule and not a choice, so that the curves shown are not picked to please.
    """
    judged = table[table["judged"]].sort_values(CELL, kind="stable")
    return [
        (str(stratum), rows.iloc[int(rows["mean"].argmin())], rows.iloc[int(rows["mean"].argmax())])
        for stratum, rows in judged.groupby("stratum", sort=True)
    ]


def claim_pictures(entry: Entry, published: Published) -> list[Picture]:
    """The deciding figure, then what a reader of this claim wants to see besides."""
    parts = measured_parts(entry)
    if not parts:
        return [_log_log_picture(entry, check) for check in entry["checks"] if check.get("points")]
    if not any(part["datasets"] for part in parts):
        return []
    estimand = ESTIMANDS[parts[0]["estimand"]]
    found: list[Picture | None] = [forest_picture(entry, published)]
    if entry["id"] == published.verdicts["headline"] and estimand.levels == CONTAMINATED:
        found.append(_curve_picture(entry, published))
    if "huber" in estimand.losses:
        found.append(_damage_picture(entry, published))
    return [one for one in found if one]


def forest_picture(entry: Entry, published: Published) -> Picture:
    """The forest plot of a claim: every dataset, every part, by stratum where the claim has any.

    Of a claim in situations, the average of each: every dataset in each of twenty would fill pages.
    """
    parts, clip = measured_parts(entry), published.constants.clip
    labels = [panel_title(part) if len(parts) > 1 else "" for part in parts]
    if "record" in entry:
        drawn, told = _by_kind(entry)
        return picture(
            f"{anchor(entry['id'])}-forest",
            lambda width: forest(width, drawn, labels, clip=clip),
            "Every situation against the smallest effect that matters.",
            words.CAPTIONS["situations"].format(delta=one_delta(parts)),
            (f"Effect by situation: {entry['question']}", "; ".join(told) + "."),
            id=f"{anchor(entry['id'])}-figure",
        )
    groups, told = [], []
    for row in entry["strata"] or [entry]:
        panels: list[dict[str, Mark]] = []
        for part in measured_parts(row):
            panels.append({})
            for one in part["datasets"]:  # one of a single seed has no interval
                low, high = (math.nan if one[end] is None else one[end] for end in ("ci_low", "ci_high"))
                side = {"above": 1, "below": -1}.get(one["decisive"], 0)
                panels[-1][one["dataset"]] = Mark(one["score"], low, high, side)
        rows = sorted(panels[0], key=lambda name: (panels[0][name].value is None, panels[0][name].value or 0.0, name))
        title = "" if row.get("stratum", ALL) == ALL else stratum(row["stratum"])
        groups.append(ForestGroup(title, rows, panels, _averages(row)))
        for label, marks, overall in zip(labels, panels, groups[-1].overall, strict=True):
            lead = ", ".join(filter(None, (title, label)))
            mean = "" if overall.value is None else f"average {_told(overall)}, "
            sides = [mark.side for mark in marks.values() if mark.value is not None]
            counts = f"{sides.count(1)} of {len(sides)} datasets as claimed, {sides.count(-1)} the opposite"
            told.append(f"{lead}: ".removeprefix(": ") + mean + counts)
    return picture(
        f"{anchor(entry['id'])}-forest",
        lambda width: forest(width, groups, labels, clip=clip),
        "Every dataset against the smallest effect that matters.",
        words.CAPTIONS["forest"].format(delta=one_delta(parts), clip=clip),
        (f"Effect by dataset: {entry['question']}", "; ".join(told) + "."),
        id=f"{anchor(entry['id'])}-figure",
    )


def _by_kind(entry: Entry) -> tuple[list[ForestGroup], list[str]]:
    """The averages of a claim's rows, a group a kind of contamination where situations are told apart; and as words."""
    parts, every = measured_parts(entry), stratum(ALL)
    overall = [] if "record" in entry else _averages(entry)
    groups: dict[str, dict[str, list[Mark]]] = {}  # kind of contamination, where situations are told apart -> rows
    for row in shown_rows(entry):
        kind, name = (row["kind"], row["family"]) if "record" in entry else (ALL, row["stratum"])
        groups.setdefault("" if kind == ALL else stratum(kind), {})[stratum(name)] = _averages(row)
    drawn, told = [], []
    for kind, marks in groups.items():
        panels = [dict(zip(marks, column, strict=True)) for column in zip(*marks.values(), strict=True)]
        drawn.append(ForestGroup(kind, list(marks), panels, overall))
        for name, own in [*marks.items(), *([(every, overall)] if overall else [])]:
            known = (
                f"{part['id']} {_told(mark)}" for part, mark in zip(parts, own, strict=True) if mark.value is not None
            )
            told.append(f"{', '.join(filter(None, (kind, name)))}: {', '.join(known)}")
    return drawn, told


def glance_picture(entries: Sequence[Entry], published: Published) -> Picture | None:
    """The averages of the central claim, one row per kind of contamination or situation; None where it has none."""
    central = (one for one in entries if one["id"] == published.verdicts["headline"])
    entry = next((one for one in central if one["strata"] and one["entered"]["datasets"]), None)
    if entry is None:
        return None
    (drawn, told), parts = _by_kind(entry), measured_parts(entry)
    labels = [panel_title(part) for part in parts]
    return picture(
        "glance",
        lambda width: forest(width, drawn, labels, clip=published.constants.clip, average=stratum(ALL)),
        "The answer by kind of outlier.",
        words.CAPTIONS["glance"],
        ("Averages by kind of contamination", "; ".join(told) + "."),
    )


def panel_title(part: Entry) -> str:
    """What a panel is headed with: the words before the colon of a part's statement, if there are such, and its id."""
    head, colon, _ = part["statement"].partition(":")
    return f"{head}? ({part['id']})" if colon and len(head) <= 30 else str(part["id"])


def _averages(row: Entry) -> list[Mark]:
    """The mean of each part with its 95 % interval, in units of delta; neither is cut."""
    marks = []
    for part in measured_parts(row):
        m, low, high = (part[name] for name in ("m", "ci_low", "ci_high"))
        known = m is not None and low is not None
        marks.append(Mark(m, low, high, (low > 1) - (high < -1)) if known else Mark(None))
    return marks


def _told(mark: Mark) -> str:
    return f"{plain(mark.value, 1, sign=True)} δ {interval(mark.low, mark.high, 1)}"


def _curve_picture(entry: Entry, published: Published) -> Picture | None:
    """Clean and contaminated test risk against beta in a few cells, for the claim's first part, primary loss."""
    own = published.summary.set_index(["dataset", "arm", "loss", "level"])
    drawn, told = [], []
    for _, *extremes in telling_cells(published.cells_of(entry, measured_parts(entry)[0])):
        for cell in extremes:
            place, scale = (cell.dataset, cell.arm, PRIMARY_LOSS[cell.task]), entry["scale"][cell.task]
            clean, dirty = (own.loc[[(*place, level)]].set_index("beta").sort_index() for level in (CLEAN, cell.level))
            risks = {"in_band": clean["in_band"] >= 0.5}
            for name, rows in (("clean", clean), ("dirty", dirty)):
                risks |= {name: rows["test_risk"] * scale, f"{name}_se": rows["test_risk_se"].fillna(0.0) * scale}
            one = RiskCurve(
                f"{cell.dataset}, {cell.arm}",
                published.levels.get(cell.level, cell.level),
                "test error, %" if cell.task == "classification" else "test nRMSE",
                pd.DataFrame(risks),
                int(clean["chosen"].to_numpy(float).argmax()),
            )
            drawn.append(one)
            without, at_chosen = (plain(one.damage(k), 2) for k in (0, one.chosen))
            told.append(
                f"{one.title}, {one.subtitle}: D is {without} at beta 0 and {at_chosen} at the chosen beta "
                f"{one.risks.index[one.chosen]:g} ({one.unit})"
            )
    if not drawn:
        return None
    return picture(
        f"{anchor(entry['id'])}-curves",
        lambda width: risk_curves(width, drawn),
        "How the damage D changes with the strength of the penalty.",
        words.CAPTIONS["curves"],
        ("Test risk against beta, clean and with outliers", "; ".join(told)),
    )


def _damage_picture(entry: Entry, published: Published) -> Picture | None:
    """Per level that the claim is judged on: D against beta of each dataset under each loss, and their mean."""
    effects = published.effects_of(entry, measured_parts(entry)[0])
    axes = ["dataset", "arm"]
    here = published.summary.merge(effects.loc[effects["ok"], axes].drop_duplicates(), on=axes)
    risk = here.pivot_table("test_risk", [*axes, "loss", "beta"], "level")
    panels, told = [], []
    for level in sorted(set(effects["level"]) & set(risk)):
        gap = (risk[level] - risk[CLEAN]).dropna().rename("D").reset_index()
        lines, means = [], []
        for loss, by_loss in sorted(gap.groupby("loss"), reverse=True):
            for _, one in by_loss.groupby(axes, sort=True):
                lines.append(Damage(loss, one["beta"].tolist(), one["D"].tolist()))
            mean, name = by_loss.groupby("beta")["D"].mean(), words.LOSSES.get(loss, loss)
            lines.append(Damage(loss, mean.index.tolist(), mean.tolist(), name, average=True))
            means.append(f"{name}: mean D {plain(mean.iloc[0], 3)} at beta 0, least {plain(mean.min(), 3)}")
        if lines:
            panels.append((published.levels.get(level, level), lines))
            told.append(f"{panels[-1][0]}: {', '.join(means)}")
    if not panels:
        return None
    return picture(
        f"{anchor(entry['id'])}-damage",
        lambda width: damage(width, panels),
        "Changing the loss, against adding a penalty.",
        words.CAPTIONS["damage"],
        ("Damage under squared and Huber loss against beta", "; ".join(told)),
    )


def _log_log_picture(entry: Entry, check: Entry) -> Picture:
    """The growth of the penalty, where an exact check of this claim carries its points."""
    slope, points, name = float(check["obtained"]), check["points"], f"{anchor(entry['id'])}-loglog"
    told = f"The points lie on a straight line of slope {plain(slope, 4)}; an exponential bends away from it."
    return picture(
        name,
        lambda width: log_log(width, points["scale"], points["penalty"], slope),
        "A power law is straight on these axes, an exponential is not.",
        words.CAPTIONS["log_log"],
        ("The penalty against the scale of the weights, on logarithmic axes", told),
        id=f"{name}-figure",
    )
