"""From the published tables to what figures draw: the heterogeneity map, curves against beta, damage under two losses.

Nothing is judged here: thresholds and tests are the judge's own functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from l2audit.config.claims import Constants
from l2audit.contamination import CLEAN
from l2audit.effects.estimands import PRIMARY_LOSS
from l2audit.judge.statistics import boundary_tests, holm, moments
from l2audit.report import words
from l2audit.report.figures import Curve, Damage
from l2audit.report.words import plain

CELL = ["dataset", "task", "architecture", "stratum", "level"]


@dataclass(frozen=True)
class MapCell:
    """One cell of the map: text (mean and glyph), CSS classes (colour, hatch) and a note in words."""

    text: str
    css: str
    note: str


@dataclass(frozen=True)
class MapRow:
    """One dataset."""

    name: str
    cells: Sequence[MapCell]


@dataclass(frozen=True)
class MapGroup:
    """One architecture over its columns."""

    name: str
    span: int


@dataclass(frozen=True)
class Map:
    """Datasets by (architecture, contamination level), for one part of a claim and one task."""

    caption: str
    groups: Sequence[MapGroup]
    columns: Sequence[str]
    rows: Sequence[MapRow]


def cells(effects: pd.DataFrame, delta: Mapping[str, float], constants: Constants) -> pd.DataFrame:
    """One row per cell of one part: mean, number of usable seeds, and what the seeds decide, in units of delta.

    `sign` is +1 or -1 (decisively beyond one delta), 0 (decisively within) or NaN (undecided); Holm over all judged
    cells, two hypotheses each as in the judge's rule. `why` is the commonest reason in a cell that is not judged.
    """
    rows = effects.assign(u=effects["theta"].where(effects["ok"]) / effects["task"].map(dict(delta)))
    table = pd.DataFrame(
        [_cell(key, group, constants.seed_share) for key, group in rows.groupby(CELL, sort=True)],
        columns=[*CELL, "n", "planned", "mean", "sd", "judged", "why"],
    )
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


def _cell(key: tuple[Any, ...], group: pd.DataFrame, seed_share: float) -> tuple[Any, ...]:
    values = group["u"].to_numpy(float)
    n, mean, sd = moments(values)
    judged = bool(n >= 2 and n >= seed_share * len(values) - 1e-9)
    reasons = group.loc[~group["ok"], "reason"]
    why = "" if judged or reasons.empty else str(reasons.value_counts().sort_index().idxmax())
    return (*key, int(n), len(values), float(mean), float(sd), judged, why)


def maps(
    effects: pd.DataFrame,
    part: Mapping[str, Any],
    delta: Mapping[str, float],
    constants: Constants,
    levels: Mapping[str, str],
) -> list[Map]:
    """The heterogeneity map of one part, one table per task; `levels` gives the words of a level."""
    if effects.empty:
        return []
    table = cells(effects, delta, constants)
    return [
        _map(rows, f"{part['id']}, {task}: 1 δ = {words.delta(part['tasks'][task])}", levels)
        for task, rows in table.groupby("task", sort=True)
    ]


def _map(table: pd.DataFrame, caption: str, levels: Mapping[str, str]) -> Map:
    columns = sorted(
        table[["architecture", "level"]].drop_duplicates().itertuples(index=False, name=None),
        key=lambda pair: (_architecture_order(pair[0]), pair[1]),
    )
    architectures = list(dict.fromkeys(architecture for architecture, _ in columns))
    found = {(row.dataset, row.architecture, row.level): row for row in table.itertuples()}
    order = table.groupby("dataset")["mean"].mean().sort_values(kind="stable").index
    rows = [MapRow(str(name), [_map_cell(found.get((name, *column)), levels) for column in columns]) for name in order]
    return Map(
        caption=caption,
        groups=[MapGroup(name, sum(a == name for a, _ in columns)) for name in architectures],
        columns=[levels.get(level, level) for _, level in columns],
        rows=rows,
    )


def _architecture_order(name: str) -> tuple[bool, str]:
    return name != "linear", name


def _map_cell(row: Any, levels: Mapping[str, str]) -> MapCell:
    if row is None:
        return MapCell("", "none", "")
    where = f"{row.dataset}, {row.architecture}, {levels.get(row.level, row.level)}"
    if not row.judged:
        return MapCell("–", "hatch", f"{where}: not judged, {row.n} of {row.planned} seeds usable ({row.why})")
    glyph, word = {1.0: ("▲", "as claimed"), -1.0: ("▼", "the opposite"), 0.0: ("●", "smaller than δ")}.get(
        row.sign, ("·", "undecided")
    )
    depth = sum(abs(row.mean) > edge for edge in (1, 3, 10))
    css = f"{'a' if row.mean > 0 else 'b'}{depth}" if depth else ""
    return MapCell(
        f"{plain(row.mean, 1 if abs(row.mean) < 9.95 else 0, sign=True)} {glyph}",
        css,
        f"{where}: {plain(row.mean, 2, sign=True)} δ over {row.n} seeds, {word}",
    )


def telling_cells(table: pd.DataFrame) -> list[tuple[str, Any, Any]]:
    """Per stratum the cell of least and the cell of greatest mean effect: (stratum, least, greatest).

    A rule and not a choice, so that the curves shown are not picked to please.
    """
    judged = table[table["judged"]].sort_values(CELL, kind="stable")
    return [
        (str(stratum), rows.iloc[int(rows["mean"].argmin())], rows.iloc[int(rows["mean"].argmax())])
        for stratum, rows in judged.groupby("stratum", sort=True)
    ]


def curve(summary: pd.DataFrame, cell: Any, scale: float, levels: Mapping[str, str]) -> Curve:
    """Clean and contaminated test risk times `scale` against beta in one cell, under the task's primary loss."""
    here = summary[
        (summary["dataset"] == cell.dataset)
        & (summary["architecture"] == cell.architecture)
        & (summary["loss"] == PRIMARY_LOSS[cell.task])
    ]
    clean = here[here["level"] == CLEAN].sort_values("beta")
    dirty = here[here["level"] == cell.level].sort_values("beta")
    return Curve(
        title=f"{cell.dataset}, {cell.architecture}",
        subtitle=levels.get(cell.level, cell.level),
        unit="test error, %" if cell.task == "classification" else "test nRMSE",
        beta=clean["beta"].tolist(),
        clean=(clean["test_risk"] * scale).tolist(),
        clean_se=(clean["test_risk_se"].fillna(0.0) * scale).tolist(),
        dirty=(dirty["test_risk"] * scale).tolist(),
        dirty_se=(dirty["test_risk_se"].fillna(0.0) * scale).tolist(),
        in_band=(clean["in_band"] >= 0.5).tolist(),
        chosen=int(clean["chosen"].to_numpy(float).argmax()),
    )


def damages(summary: pd.DataFrame, effects: pd.DataFrame, levels: Mapping[str, str]) -> list[tuple[str, list[Damage]]]:
    """Per contamination level: D against beta of each dataset of `effects` under each loss, and their mean."""
    axes = ["dataset", "architecture"]
    wanted = effects.loc[effects["ok"], axes].drop_duplicates()
    here = summary.merge(wanted, on=axes)
    key = [*axes, "loss", "beta"]
    clean = here[here["level"] == CLEAN].set_index(key)["test_risk"]
    panels = []
    for level in sorted(effects["level"].unique()):
        dirty = here[here["level"] == level].set_index(key)["test_risk"]
        gap = (dirty - clean).dropna().rename("D").reset_index()
        lines: list[Damage] = []
        for loss, by_loss in sorted(gap.groupby("loss"), reverse=True):
            single = by_loss.sort_values("beta").groupby(axes, sort=True)
            lines += [Damage(str(loss), one["beta"].tolist(), one["D"].tolist()) for _, one in single]
            mean = by_loss.groupby("beta")["D"].mean()
            lines.append(
                Damage(
                    str(loss), mean.index.tolist(), mean.tolist(), words.LOSSES.get(str(loss), str(loss)), average=True
                )
            )
        if lines:
            panels.append((levels.get(level, level), lines))
    return panels


def level_words(summary: pd.DataFrame) -> dict[str, str]:
    """Every level of the study in words."""
    seen = summary[["level", "kind", "rate", "magnitude"]].drop_duplicates("level")
    return {
        level: "clean" if level == CLEAN else words.level(kind, float(rate), float(magnitude))
        for level, kind, rate, magnitude in zip(*(seen[name].tolist() for name in seen.columns), strict=True)
    }
