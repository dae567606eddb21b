"""From the published tables to what figures draw: the heterogeneity map, curves against beta, damage under two losses.

Nothing is judged here: thresholds and tests are the judge's own functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from l2audit.config.claims import Constants
from l2audit.config.study import PRIMARY_LOSS
from l2audit.contamination import CLEAN
from l2audit.effects.means import moments
from l2audit.judge.statistics import boundary_tests, holm
from l2audit.report import words
from l2audit.report.figures import Damage, RiskCurve
from l2audit.report.words import plain

CELL = ["dataset", "task", "arm", "stratum", "level"]
SIGNS = {1.0: ("▲", "as claimed"), -1.0: ("▼", "the opposite"), 0.0: ("●", "smaller than δ")}


def deltas(part: Mapping[str, Any]) -> dict[str, float]:
    """Delta per task in the units of theta (a share of 1, not percentage points)."""
    return {task: found["delta"] / found["scale"] for task, found in part["tasks"].items()}


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


def maps(
    effects: pd.DataFrame, part: Mapping[str, Any], constants: Constants, levels: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The heterogeneity map of one part, one table per task; `levels` gives the words of a level.

    Datasets are rows; columns are contamination levels in `groups`, one per arm.
    """
    if effects.empty:
        return []
    found = []
    for task, table in cells(effects, deltas(part), constants).groupby("task", sort=True):
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


def risk_curve(summary: pd.DataFrame, cell: Any, scale: float, levels: Mapping[str, str]) -> RiskCurve:
    """Clean and contaminated test risk times `scale` against beta in one cell, under the task's primary loss."""
    own = summary.set_index(["dataset", "arm", "loss", "level"])
    place = (cell.dataset, cell.arm, PRIMARY_LOSS[cell.task])
    clean, dirty = (own.loc[[(*place, level)]].set_index("beta").sort_index() for level in (CLEAN, cell.level))
    risks = pd.DataFrame(
        {
            "clean": clean["test_risk"] * scale,
            "clean_se": clean["test_risk_se"].fillna(0.0) * scale,
            "dirty": dirty["test_risk"] * scale,
            "dirty_se": dirty["test_risk_se"].fillna(0.0) * scale,
            "in_band": clean["in_band"] >= 0.5,
        }
    )
    return RiskCurve(
        title=f"{cell.dataset}, {cell.arm}",
        subtitle=levels.get(cell.level, cell.level),
        unit="test error, %" if cell.task == "classification" else "test nRMSE",
        risks=risks,
        chosen=int(clean["chosen"].to_numpy(float).argmax()),
    )


def damages(summary: pd.DataFrame, effects: pd.DataFrame, levels: Mapping[str, str]) -> list[tuple[str, list[Damage]]]:
    """Per contamination level: D against beta of each dataset of `effects` under each loss, and their mean."""
    axes = ["dataset", "arm"]
    here = summary.merge(effects.loc[effects["ok"], axes].drop_duplicates(), on=axes)
    risk = here.pivot_table("test_risk", [*axes, "loss", "beta"], "level")
    panels = []
    for level in sorted(set(effects["level"]) & set(risk)):
        gap = (risk[level] - risk[CLEAN]).dropna().rename("D").reset_index()
        lines = []
        for loss, by_loss in sorted(gap.groupby("loss"), reverse=True):
            for _, one in by_loss.groupby(axes, sort=True):
                lines.append(Damage(loss, one["beta"].tolist(), one["D"].tolist()))
            mean = by_loss.groupby("beta")["D"].mean()
            lines.append(Damage(loss, mean.index.tolist(), mean.tolist(), words.LOSSES.get(loss, loss), average=True))
        if lines:
            panels.append((levels.get(level, level), lines))
    return panels


def level_words(summary: pd.DataFrame) -> dict[str, str]:
    """Every level of the study in words."""
    seen = summary[["level", "kind", "rate", "magnitude"]].drop_duplicates("level")
    return {
        level: "clean" if level == CLEAN else words.level(kind, float(rate), float(magnitude))
        for level, kind, rate, magnitude in seen.itertuples(index=False)
    }
