"""The drawing of a specification curve: estimates in order of size over the choices that led to them.

The form is Figure 2 of Simonsohn, Simmons and Nelson (2020). Where there are more specifications than columns, a column
stands for neighbours in that order: it shows the middle one of them, and how many of them made each choice.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from l2audit.report.style import BAND, INK, LINE, NARROW, SOFT, WIDE, blank, both, drawing
from l2audit.report.words import plain

LEVELS = 4
"""Shades of a cell: a share of 0 is blank, the others are rounded up to a quarter."""


@dataclass(frozen=True)
class Row:
    """One row below the curve: who made a choice (or got a verdict), in the order of the estimates.

    made: (n,) of bool; told: what stands at the right; colour: of the cells; bold: the registered choice.
    """

    name: str
    made: np.ndarray
    told: str
    colour: str
    bold: bool


@dataclass(frozen=True)
class Group:
    """The rows of one axis under its title."""

    title: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Curve:
    """n specifications in ascending order of their estimates, in units of delta, with 95 % intervals; (n,) each.

    registered: the index of the registered one; clip: beyond which a dataset counts as this many deltas.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    registered: int
    groups: Sequence[Group]
    clip: float


@dataclass(frozen=True)
class _Layout:
    """Sizes in CSS pixels."""

    width: float
    gutter: float
    row: float
    line: int  # characters of a name on one line
    least: float  # width of a column
    top: float = 22.0
    curve: float = 170.0
    head: float = 25.0  # a group's title
    right: float = 46.0

    def name(self, text: str) -> str:
        """`text` in lines that fit into the gutter."""
        return textwrap.fill(text, self.line, break_long_words=False, break_on_hyphens=False)


_WIDE = _Layout(WIDE, gutter=250.0, row=18.0, line=40, least=8.0)
_NARROW = _Layout(NARROW, gutter=142.0, row=17.0, line=21, least=5.0)


def specification_curve(found: Curve, *, name: str, title: str, description: str) -> Markup:
    """The curve over its choices, for a wide page and for a phone."""
    with drawing():
        return both(_figure(found, _WIDE), _figure(found, _NARROW), name, title, description)


def columns(n: int, most: int) -> list[np.ndarray]:
    """The indices 0 .. n - 1 in at most `most` runs of neighbours, whose sizes differ by at most one.

    >>> [len(one) for one in columns(5, 2)], len(columns(3, 10))
    ([3, 2], 3)
    """
    return [one for one in np.array_split(np.arange(n), min(n, most))]


def _figure(found: Curve, layout: _Layout) -> Figure:
    heights = [[layout.row * (1 + layout.name(row.name).count("\n") * 0.75) for row in g.rows] for g in found.groups]
    matrix = sum(layout.head + sum(rows) for rows in heights)
    height = layout.top + layout.curve + matrix + 16
    span = layout.width - layout.gutter - layout.right
    bins = columns(len(found.estimate), int(span // layout.least))
    figure = blank(layout.width, height)
    left, wide = layout.gutter / layout.width, span / layout.width
    upper = figure.add_axes((left, (matrix + 16) / height, wide, layout.curve / height))
    lower = figure.add_axes((left, 16 / height, wide, matrix / height))
    for axes in (upper, lower):
        axes.set_xlim(0, len(bins))
    _estimates(upper, found, bins)
    _matrix(lower, found, bins, heights, layout, span / len(bins))
    return figure


def _estimates(axes: Axes, found: Curve, bins: Sequence[np.ndarray]) -> None:
    """One point a column with its interval; the registered specification marked."""
    middle = np.array([one[len(one) // 2] for one in bins])
    limit = _limit(found)
    x = np.arange(len(bins)) + 0.5
    low, high = (np.clip(values[middle], -limit, limit) for values in (found.low, found.high))
    axes.axhspan(-1, 1, color=BAND, linewidth=0, zorder=0)
    axes.axhline(0, color=SOFT, linewidth=0.8, zorder=0.5)
    axes.vlines(x, low, high, color=LINE, linewidth=2.2, zorder=1)
    axes.plot(x, np.clip(found.estimate[middle], -limit, limit), "o", color=INK, markersize=2.4, zorder=2)
    place = next(k for k, one in enumerate(bins) if one[0] <= found.registered <= one[-1]) + 0.5
    value = float(np.clip(found.estimate[found.registered], -limit, limit))
    axes.axvline(place, color=SOFT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0.6)
    axes.plot([place], [value], "D", color=INK, markersize=7, zorder=3)
    side, shift = ("left", 5) if place < 0.6 * len(bins) else ("right", -5)
    axes.annotate("registered", (place, 1), (shift, -12), xycoords=("data", "axes fraction"),
                  textcoords="offset points", ha=side, fontsize=11.5, color=INK)  # fmt: skip
    axes.set_ylim(-limit, limit)
    step = 5 if limit > 6 else 2 if limit > 3 else 1
    ticks = [tick for tick in range(-int(limit), int(limit) + 1) if tick % step == 0]
    axes.set_yticks(ticks, [plain(tick, 0, sign=True) + "δ" if tick else "0" for tick in ticks])
    axes.set_xticks([])
    axes.tick_params(axis="both", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_visible(False)
    for y, text, lift in ((1, "as claimed ▲", 3), (0, "opposite ▼", -12)):
        axes.annotate(text, (0, y), (2, lift), xycoords="axes fraction", textcoords="offset points", fontsize=11.5,
                      color=SOFT)  # fmt: skip


def _limit(found: Curve) -> float:
    """Half height of the axis in deltas: 3, 5 or the clip, the smallest that shows every estimate."""
    reach = float(np.nanmax(np.abs(found.estimate)))
    return next((limit for limit in (3.0, 5.0) if reach < limit), found.clip + 0.6)


def _matrix(
    axes: Axes,
    found: Curve,
    bins: Sequence[np.ndarray],
    heights: Sequence[Sequence[float]],
    layout: _Layout,
    cell: float,
) -> None:
    """Rows of choices: the darker a cell, the more of its column's specifications made the choice."""
    total = sum(layout.head + sum(rows) for rows in heights)
    axes.set_ylim(total, 0)
    axes.axis("off")
    y = 0.0
    text: dict[str, Any] = {
        "xycoords": ("axes fraction", "data"),
        "textcoords": "offset points",
        "annotation_clip": False,
    }
    for group, rows in zip(found.groups, heights, strict=True):
        axes.annotate(group.title, (0, y + 0.68 * layout.head), (2 - layout.gutter, 0), ha="left", va="center",
                      fontweight="bold", fontsize=11.5, color=INK, **text)  # fmt: skip
        y += layout.head
        for row, tall in zip(group.rows, rows, strict=True):
            place = y + tall / 2
            axes.annotate(layout.name(row.name), (0, place), (-8, 0), ha="right", va="center", fontsize=11.5,
                          linespacing=1.0, fontweight="bold" if row.bold else "normal",
                          color=INK if row.bold else SOFT, **text)  # fmt: skip
            axes.annotate(row.told, (1, place), (layout.right - 2, 0), ha="right", va="center", fontsize=11.5,
                          color=SOFT, **text)  # fmt: skip
            axes.plot([0, len(bins)], [place, place], color=LINE, linewidth=0.6, zorder=0)
            shares = np.array([row.made[one].mean() for one in bins])
            for level in range(1, LEVELS + 1):
                strokes = _strokes(np.ceil(shares * LEVELS - 1e-9) == level, place)
                if strokes:
                    axes.add_patch(PathPatch(strokes, fill=False, edgecolor=row.colour, alpha=level / LEVELS,
                                             linewidth=0.62 * layout.row, capstyle="butt"))  # fmt: skip
            y += tall


def _strokes(where: np.ndarray, y: float) -> Path | None:
    """One path of horizontal strokes over the columns in which `where` is true, neighbours joined."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(int)))
    if not len(edges):
        return None
    points = [(float(x), y) for x in edges]
    return Path(points, [Path.MOVETO, Path.LINETO] * (len(points) // 2))
