"""The figures of effects and risks: forest plot, test risk and damage against beta, the penalty's growth.

Each draws plain records at a given width in CSS pixels; at the width of a phone, what stood side by side stands below.
Effects are in units of delta, so that one band (the ROPE, plus or minus one delta) means the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from l2audit.report import style
from l2audit.report.style import AGAINST, AGREE, BAND, INK, LINE, NARROW, NULL, PAPER, SOFT
from l2audit.report.words import digits_for, plain, power_of_ten

LEAST_DAMAGE = 1e-3  # what is drawn for a damage of zero or less, which has no logarithm
TASK_LOOKS = {"classification": ("o", INK), "regression": ("s", PAPER)}  # a marker and what it is filled with
LOSS_LOOKS = {"squared": (AGREE, (0, (5, 2)), "s"), "huber": (AGAINST, "solid", "o")}


class Mark(NamedTuple):
    """One interval of a forest plot, in units of delta; `value` None: planned, but not judged.

    `side` is +1 or -1 where the value is decisively beyond one delta, else 0.
    """

    value: float | None
    low: float = math.nan
    high: float = math.nan
    side: int = 0


@dataclass(frozen=True)
class ForestGroup:
    """The rows of one stratum: names of datasets, and per panel their marks by name and any overall interval."""

    title: str
    rows: Sequence[str]
    panels: Sequence[Mapping[str, Mark]]
    overall: Sequence[Mark]


def forest(
    width: float, groups: Sequence[ForestGroup], panels: Sequence[str], *, clip: float, average: str = "average"
) -> Figure:
    """Forest plot: one row per dataset, grouped by stratum, one panel per part of the claim, a diamond for the average.

    Marks beyond `clip` deltas are arrow heads at the edge: a dataset's score counts at most that much. On a phone the
    panels stand below each other, the names are repeated, and one of several words may take two lines.
    """
    phone = width <= NARROW
    lines: list[tuple[str, str, ForestGroup]] = []  # from top to bottom: what it is, its text, its group
    for group in groups:
        lines += [("heading", group.title, group)] if group.title else []
        lines += [("dataset", name, group) for name in group.rows]
        lines += [("average", average, group)] if group.overall else []
        lines.append(("space", "", group))
    lines.pop()
    names = [text for what, text, _ in lines if what in ("dataset", "average")]
    shown = {name: style.wrapped(name, 19) if phone else name for name in names}
    longest = max((len(part) for name in shown.values() for part in name.split("\n")), default=0)
    gutter = min(max(70.0, 7.3 * longest + 20), 150.0 if phone else 260.0)
    row = 20.0 if not phone else 27.0 if any("\n" in name for name in shown.values()) else 19.0
    room, tall = style.Room(above=52.0, below=34.0, left=gutter, right=20.0, gap=44.0), row * (len(lines) + 0.4)
    figure, drawn = style.grid(width, len(panels), 1 if phone else len(panels), tall, room)
    values = [mark.value for group in groups for marks in group.panels for mark in marks.values()]
    edges = [edge for group in groups for mark in group.overall for edge in (mark.low, mark.high)]
    limit = style.axis_limit([abs(one) for one in (*values, *edges) if one is not None and math.isfinite(one)], clip)
    for number, (axes, label) in enumerate(zip(drawn, panels, strict=True)):
        axes.set_ylim(len(lines) - 0.3, -0.7)
        axes.axvspan(-1, 1, color=BAND, linewidth=0, zorder=0)
        axes.axvline(0, color=SOFT, linewidth=0.8, zorder=0.5)
        axes.set_xlim(-limit, limit)
        style.delta_axis(axes, axes.xaxis, limit)
        for edge in (-clip, clip) if limit >= clip else ():
            axes.axvline(edge, color=LINE, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0.5)
        for x, ha, text in ((-limit, "left", "◀ opposite"), (limit, "right", "as claimed ▶")):
            style.note(axes, text, (x, 1), (0, 5), by=("data", "axes fraction"), ha=ha)
        style.note(axes, label, (0, 1), (-gutter if phone else 0, 22), fontsize=13, fontweight="bold", color=INK)
        look = {"fontsize": 11.5 if phone else 12.5, "va": "center", "linespacing": 1.0, "annotation_clip": False}
        for y, (what, text, _) in enumerate(lines if phone or number == 0 else ()):
            shift, look["ha"] = (2 - gutter, "left") if what == "heading" else (-10, "right")
            look["fontweight"], look["color"] = ("normal", SOFT) if what == "dataset" else ("bold", INK)
            style.note(axes, shown.get(text, text), (0, y), (shift, 0), by=("axes fraction", "data"), **look)
        for y, (what, text, group) in enumerate(lines):
            if what == "average":
                _draw_mark(axes, y, group.overall[number], limit, clip, average=True)
            elif what == "dataset":
                _draw_mark(axes, y, group.panels[number].get(text, Mark(None)), limit, clip, average=False)
    return figure


def _draw_mark(axes: Axes, y: float, mark: Mark, limit: float, clip: float, *, average: bool) -> None:
    """A dataset as a point with its interval, an average as a diamond as wide; the shape says what the colour says."""
    if mark.value is None:
        why = "too few datasets" if average else "not judged"
        axes.text(0, y, why, ha="center", va="center", color=SOFT, fontsize=11, style="italic")
        return
    within = not mark.side and mark.low > -1 and mark.high < 1
    colour, shape = {1: (AGREE, "^"), -1: (AGAINST, "v"), 0: (NULL if within else SOFT, "o")}[mark.side]
    low, value, high = (float(np.clip(one, -limit, limit)) for one in (mark.low, mark.value, mark.high))
    if average:
        corners = [low, value, high, value]
        axes.fill(corners, [y, y - 0.36, y, y + 0.36], color=colour, linewidth=1, joinstyle="miter")
        return
    if math.isfinite(mark.low):
        axes.plot([low, high], [y, y], color=colour, solid_capstyle="butt")
    if abs(mark.value) >= clip:
        shape = ">" if mark.value > 0 else "<"
    place = float(np.clip(mark.value, -clip, clip))
    face = colour if mark.side or within else PAPER
    axes.plot([place], [y], shape, color=colour, markerfacecolor=face, markersize=6.5, clip_on=False)


class RiskCurve(NamedTuple):
    """Clean and contaminated test risk against beta in one cell.

    `risks` has a row per beta and the columns clean, clean_se, dirty, dirty_se and in_band. These are means and
    standard errors over seeds, in `unit`. `chosen` is the row of the beta that most seeds chose.
    """

    title: str
    subtitle: str
    unit: str
    risks: pd.DataFrame
    chosen: int

    def damage(self, row: int) -> float:
        """D at the beta of a row: what the outliers add to the risk."""
        return float(self.risks["dirty"].iloc[row] - self.risks["clean"].iloc[row])


def positions(beta: Sequence[float]) -> np.ndarray:
    """Where each beta stands on a logarithmic axis; beta = 0 stands one decade left of the smallest positive one."""
    values = np.asarray(beta, dtype=float)
    positive = values[values > 0]
    left = math.log10(positive.min()) - 1 if positive.size else 0.0
    return np.where(values > 0, np.log10(np.where(values > 0, values, 1.0)), left)


def _beta_axis(axes: Axes, beta: Sequence[float]) -> None:
    """Tick labels at zero and at whole powers of ten; every beta that was trained gets a tick."""
    shown = [b == 0 or math.isclose(math.log10(b) % 1, 0, abs_tol=1e-9) for b in beta]
    axes.set_xticks(positions(beta), [power_of_ten(b) if show else "" for b, show in zip(beta, shown, strict=True)])
    axes.set_xlabel("beta", labelpad=1)
    axes.tick_params(axis="both", length=3)
    axes.grid(True, axis="y", linewidth=0.6)
    axes.set_axisbelow(True)


def risk_curves(width: float, cells: Sequence[RiskCurve]) -> Figure:
    """Small multiples of test risk against beta: the distance between the two lines is D."""
    columns, right = (1, 14) if width <= NARROW else (2, 6)
    room = style.Room(above=40, below=48, left=46, right=right, gap=54, top=36)
    figure, drawn = style.grid(width, len(cells), columns, 165, room)
    for axes, cell in zip(drawn, cells, strict=True):
        risks = cell.risks
        x = positions(risks.index.tolist())
        edges = np.concatenate([[x[0] - 0.5], (x[1:] + x[:-1]) / 2, [x[-1] + 0.25]])
        for band in np.flatnonzero(risks["in_band"]):
            axes.axvspan(edges[band], edges[band + 1], color=BAND, linewidth=0, zorder=0, label="judged band")
        for name, colour, marker, dash, text in (
            ("dirty", AGREE, "s", (0, (5, 2)), "with outliers"),
            ("clean", AGAINST, "o", "solid", "clean"),
        ):
            axes.errorbar(x, risks[name], yerr=risks[f"{name}_se"], color=colour, marker=marker, markersize=4,
                          linestyle=dash, label=text, elinewidth=1)  # fmt: skip
        digits = digits_for(np.nanmax(risks[["clean", "dirty"]]) / 3)
        for k in (0, cell.chosen):
            ends = risks[["clean", "dirty"]].iloc[k].tolist()
            axes.plot([x[k], x[k]], ends, color=INK, linewidth=1, linestyle=(0, (1, 1.5)))
            told = f"D\u2009=\u2009{plain(cell.damage(k), digits)}"
            style.note(axes, told, (x[k], sum(ends) / 2), (5, 0), by="data", va="center", fontsize=12, color=INK)
        axes.axvline(x[cell.chosen], color=SOFT, linewidth=0.8)
        axes.set_xlim(x[0] - 0.4, x[-1] + 0.25)
        style.headings(axes, cell.title, 20, f"{cell.subtitle}; {cell.unit}", 5)
        _beta_axis(axes, risks.index.tolist())
    style.legend(figure, 2 if columns == 1 else 3, handlelength=2, columnspacing=1.2)
    return figure


class Damage(NamedTuple):
    """D(beta) of one dataset, or of the average over datasets, under one loss."""

    loss: str
    beta: Sequence[float]
    damage: Sequence[float]
    name: str = ""
    average: bool = False


def damage(width: float, panels: Sequence[tuple[str, Sequence[Damage]]]) -> Figure:
    """D against beta under squared and under Huber loss, one panel per contamination level, logarithmic in D."""
    columns = 1 if width <= NARROW else max(2, min(len(panels), 3))
    room = style.Room(above=18, below=48, left=50, right=10, gap=50, top=32)
    figure, drawn = style.grid(width, len(panels), columns, 215, room)
    for axes, (heading, lines) in zip(drawn, panels, strict=True):
        for line in lines:
            colour, dash, marker = LOSS_LOOKS.get(line.loss, (INK, "solid", "o"))
            look: dict[str, Any] = {"linewidth": 0.9, "alpha": 0.45}
            if line.average:
                look = {"marker": marker, "markersize": 4.5, "linewidth": 2.4, "label": line.name}
            y = np.maximum(np.asarray(line.damage, dtype=float), LEAST_DAMAGE)
            axes.plot(positions(line.beta), y, color=colour, linestyle=dash, **look)
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        ticks = [m * 10.0**k for k in range(-5, 5) for m in (1, 2, 5) if low <= m * 10.0**k <= high]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_yticks([], minor=True)
        axes.set_title(heading)
        _beta_axis(axes, max((line.beta for line in lines), key=len))
    style.legend(figure, 2, handlelength=2)
    return figure


def log_log(width: float, scale: Sequence[float], value: Sequence[float], slope: float) -> Figure:
    """The penalty against the scale of the weights on logarithmic axes, with a line of slope 2 and an exponential."""
    s, p = np.asarray(scale, float), np.asarray(value, float)
    width, height = min(width, 560.0), 360.0
    one = int(np.argmin(np.abs(np.log(s))))
    growth = p[one] * np.exp(np.minimum(s - s[one], 700))
    shown = growth < p.max() * 3
    figure = style.blank(width, height)
    axes = style.panel(figure, 70, 44, width - 88, height - 114)
    axes.plot(s, p[one] * (s / s[one]) ** 2, color=AGAINST, linewidth=6, alpha=0.35, label="slope 2: quadratic")
    axes.plot(s[shown], growth[shown], color=AGREE, linestyle=(0, (5, 3)), label="an exponential, equal at s = 1")
    axes.plot(s, p, "o", color=INK, markersize=3.5, label=f"the penalty, slope {slope:.4f}")
    axes.set(xscale="log", yscale="log", ylim=(p.min() / 3, p.max() * 3))
    for axis, values, step in ((axes.xaxis, s, 1), (axes.yaxis, p, 2)):
        low, high = math.ceil(math.log10(values.min()) - 1e-9), math.floor(math.log10(values.max()) + 1e-9)
        ticks = [10.0**k for k in range(low, high + 1, step)]
        axis.set_ticks(ticks, [power_of_ten(tick) for tick in ticks])
        axis.set_ticks([], minor=True)
    axes.grid(True, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set(xlabel="factor s by which all weights are multiplied", ylabel="penalty ½‖s·w‖²")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2, handlelength=1.8, labelspacing=0.25)
    return figure


def rank_scatters(width: float, panels: Sequence[tuple[str, str, Sequence[Mapping[str, Any]]]]) -> Figure:
    """A panel per heading and figures: its datasets by mean rank among their peers, in [-1/2, 1/2] for both changes."""
    columns = 1 if width <= NARROW else max(2, min(len(panels), 3))
    room = style.Room(above=40, below=34, left=1, right=2 * columns - 1, gap=30, top=24)
    figure, drawn = style.grid(width, len(panels), columns, 210, room)
    for axes, (title, told, datasets) in zip(drawn, panels, strict=True):
        axes.axhline(0, color=LINE, linewidth=0.8, zorder=0)
        axes.axvline(0, color=LINE, linewidth=0.8, zorder=0)
        for task, (marker, face) in TASK_LOOKS.items():
            points = [(one["evenness"], one["damage"]) for one in datasets if one["task"] == task]
            if points:
                axes.plot(*zip(*points, strict=True), marker, color=INK, markerfacecolor=face, markersize=6, label=task)
        axes.set(xticks=[], yticks=[], xlim=(-0.5, 0.5), ylim=(-0.5, 0.65))  # room for the words at the upper end
        style.headings(axes, title, 22, f"{told}, {len(datasets)} datasets", 7)
        style.note(axes, "more damage taken away ▲", (0, 1), (5, -15))
        style.note(axes, "further towards even ▶", (1, 0), (0, -16), ha="right")
    style.legend(figure, 2, handletextpad=0.2, columnspacing=1.2)
    return figure
