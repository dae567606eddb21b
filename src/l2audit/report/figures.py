"""The other figures of the page: test risk against beta, damage under two losses, the penalty's growth.

Pure functions from a few plain records to inline SVG. Every figure is drawn once for a wide page and once for a phone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from l2audit.report.style import AGAINST, AGREE, BAND, INK, NARROW, SOFT, WIDE, blank, both, drawing
from l2audit.report.words import digits_for, plain, power_of_ten

LEAST_DAMAGE = 1e-3  # what is drawn for a damage of zero or less, which has no logarithm


@dataclass(frozen=True)
class Curve:
    """Clean and contaminated test risk (mean and standard error over seeds, in `unit`) against beta in one cell."""

    title: str
    subtitle: str
    unit: str
    beta: Sequence[float]
    clean: Sequence[float]
    clean_se: Sequence[float]
    dirty: Sequence[float]
    dirty_se: Sequence[float]
    in_band: Sequence[bool]
    chosen: int  # index of the beta that most seeds chose


@dataclass(frozen=True)
class Damage:
    """D(beta) of one dataset, or of the average over datasets, under one loss."""

    loss: str
    beta: Sequence[float]
    damage: Sequence[float]
    name: str = ""
    average: bool = False


def positions(beta: Sequence[float]) -> np.ndarray:
    """Where each beta stands on a logarithmic axis; beta = 0 stands one decade left of the smallest positive one."""
    values = np.asarray(beta, dtype=float)
    positive = values[values > 0]
    left = math.log10(positive.min()) - 1 if positive.size else 0.0
    return np.where(values > 0, np.log10(np.where(values > 0, values, 1.0)), left)


def _beta_axis(axes: Axes, beta: Sequence[float]) -> None:
    """Tick labels at zero and at whole powers of ten; every beta that was trained gets a tick."""
    where = positions(beta)
    shown = [b == 0 or math.isclose(math.log10(b) % 1, 0, abs_tol=1e-9) for b in beta]
    axes.set_xticks(where, [power_of_ten(b) if show else "" for b, show in zip(beta, shown, strict=True)])
    axes.tick_params(axis="both", length=3)
    axes.grid(True, axis="y", linewidth=0.6)
    axes.set_axisbelow(True)


def curves(cells: Sequence[Curve], *, name: str, title: str, description: str) -> Markup:
    """Small multiples of test risk against beta: the distance between the two lines is D."""
    with drawing():
        return both(_curves(cells, 2, WIDE), _curves(cells, 1, NARROW), name, title, description)


def _curves(cells: Sequence[Curve], columns: int, width: float) -> Figure:
    top, panel, gap, left = 36, 165, 88, 46
    rows = math.ceil(len(cells) / columns)
    height = top + rows * (panel + gap)
    span = (width - 14) / columns - left
    figure = blank(width, height)
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        x = left + column * (span + left + 8)
        y = height - top - row * (panel + gap) - panel - 40
        axes = figure.add_axes((x / width, y / height, span / width, panel / height))
        _curve(axes, cell)
        if number == 0:
            figure.legend(
                *axes.get_legend_handles_labels(),
                loc="upper left",
                ncols=3 if columns > 1 else 2,
                bbox_to_anchor=(0, 1),
                borderaxespad=0,
                handlelength=2,
                columnspacing=1.2,
            )
    return figure


def _curve(axes: Axes, cell: Curve) -> None:
    x = positions(cell.beta)
    digits = digits_for(float(np.nanmax([*cell.dirty, *cell.clean])) / 3)
    edges = np.concatenate([[x[0] - 0.5], (x[1:] + x[:-1]) / 2, [x[-1] + 0.25]])
    label = "judged band"
    for k, inside in enumerate(cell.in_band):
        if inside:
            axes.axvspan(edges[k], edges[k + 1], color=BAND, linewidth=0, zorder=0, label=label)
            label = "_"
    for values, errors, colour, marker, dash, text in (
        (cell.dirty, cell.dirty_se, AGREE, "s", (0, (5, 2)), "with outliers"),
        (cell.clean, cell.clean_se, AGAINST, "o", "solid", "clean"),
    ):
        axes.errorbar(x, values, yerr=errors, color=colour, marker=marker, markersize=4, linestyle=dash, label=text,
                      elinewidth=1)  # fmt: skip
    for k in (0, cell.chosen):
        gap = cell.dirty[k] - cell.clean[k]
        axes.plot([x[k], x[k]], [cell.clean[k], cell.dirty[k]], color=INK, linewidth=1, linestyle=(0, (1, 1.5)))
        axes.annotate(f"D\u2009=\u2009{plain(gap, digits)}", (x[k], (cell.clean[k] + cell.dirty[k]) / 2), (5, 0),
                      textcoords="offset points", va="center", fontsize=12, color=INK)  # fmt: skip
    axes.axvline(x[cell.chosen], color=SOFT, linewidth=0.8)
    axes.set_xlim(x[0] - 0.4, x[-1] + 0.25)
    for text, lift, weight, colour in (
        (cell.title, 20, "bold", INK),
        (f"{cell.subtitle}; {cell.unit}", 5, "normal", SOFT),
    ):
        axes.annotate(text, (0, 1), (0, lift), xycoords="axes fraction", textcoords="offset points", fontweight=weight,
                      color=colour, fontsize=12)  # fmt: skip
    axes.set_xlabel("beta", labelpad=1)
    _beta_axis(axes, cell.beta)


def damage(panels: Sequence[tuple[str, Sequence[Damage]]], *, name: str, title: str, description: str) -> Markup:
    """D against beta under squared and under Huber loss, one panel per contamination level, logarithmic in D."""
    with drawing():
        return both(_damage(panels, WIDE), _damage(panels, NARROW), name, title, description)


def _damage(panels: Sequence[tuple[str, Sequence[Damage]]], width: float) -> Figure:
    columns = 1 if width <= NARROW else max(2, min(len(panels), 3))
    left, top, panel, gap = 50, 32, 215, 66
    rows = math.ceil(len(panels) / columns)
    height = top + rows * (panel + gap)
    span = (width - 10) / columns - left
    figure = blank(width, height)
    for number, (heading, lines) in enumerate(panels):
        row, column = divmod(number, columns)
        y = height - top - row * (panel + gap) - panel - 18
        axes = figure.add_axes(((left + column * (span + left)) / width, y / height, span / width, panel / height))
        _damage_panel(axes, heading, lines)
        if number == 0:
            figure.legend(*axes.get_legend_handles_labels(), loc="upper left", ncols=2, bbox_to_anchor=(0, 1),
                          borderaxespad=0, handlelength=2)  # fmt: skip
    return figure


def _damage_panel(axes: Axes, heading: str, lines: Sequence[Damage]) -> None:
    look = {"squared": (AGREE, (0, (5, 2)), "s"), "huber": (AGAINST, "solid", "o")}
    for line in lines:
        colour, dash, marker = look.get(line.loss, (INK, "solid", "o"))
        x, y = positions(line.beta), np.maximum(np.asarray(line.damage, dtype=float), LEAST_DAMAGE)
        if line.average:
            axes.plot(x, y, color=colour, linestyle=dash, marker=marker, markersize=4.5, linewidth=2.4,
                      label=line.name)  # fmt: skip
        else:
            axes.plot(x, y, color=colour, linestyle=dash, linewidth=0.9, alpha=0.45)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    ticks = [m * 10.0**k for k in range(-5, 5) for m in (1, 2, 5) if low <= m * 10.0**k <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set_title(heading, fontsize=12)
    axes.set_xlabel("beta", labelpad=1)
    _beta_axis(axes, max((line.beta for line in lines), key=len))


def log_log(
    scale: Sequence[float], value: Sequence[float], slope: float, *, name: str, title: str, description: str
) -> Markup:
    """The penalty against the scale of the weights on logarithmic axes, with a line of slope 2 and an exponential."""
    s, p = np.asarray(scale, float), np.asarray(value, float)
    with drawing():
        wide, narrow = (_log_log(s, p, slope, width) for width in (560.0, NARROW))
        return both(wide, narrow, name, title, description)


def _log_log(s: np.ndarray, p: np.ndarray, slope: float, width: float) -> Figure:
    height, legend = 360.0, 62.0
    one = int(np.argmin(np.abs(np.log(s))))
    growth = p[one] * np.exp(np.minimum(s - s[one], 700))
    shown = growth < p.max() * 3
    figure = blank(width, height)
    axes = figure.add_axes((70 / width, 44 / height, (width - 88) / width, (height - 52 - legend) / height))
    axes.plot(s, p[one] * (s / s[one]) ** 2, color=AGAINST, linewidth=6, alpha=0.35, label="slope 2: quadratic")
    axes.plot(s[shown], growth[shown], color=AGREE, linestyle=(0, (5, 3)), label="an exponential, equal at s = 1")
    axes.plot(s, p, "o", color=INK, markersize=3.5, label=f"the penalty, slope {slope:.4f}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(p.min() / 3, p.max() * 3)
    _decades(axes, s, p)
    axes.set_xlabel("factor s by which all weights are multiplied")
    axes.set_ylabel("penalty ½‖s·w‖²")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2, handlelength=1.8, labelspacing=0.25)
    return figure


def _decades(axes: Axes, s: np.ndarray, p: np.ndarray) -> None:
    for axis, values, step in ((axes.xaxis, s, 1), (axes.yaxis, p, 2)):
        low, high = math.ceil(math.log10(values.min()) - 1e-9), math.floor(math.log10(values.max()) + 1e-9)
        ticks = [10.0**k for k in range(low, high + 1, step)]
        axis.set_ticks(ticks, [power_of_ten(tick) for tick in ticks])
        axis.set_ticks([], minor=True)
    axes.grid(True, linewidth=0.6)
    axes.set_axisbelow(True)
