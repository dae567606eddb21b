"""The forest plot: effects of datasets and their averages against the smallest effect of interest.

Effects are drawn in units of delta, so that one band (the ROPE, plus or minus one delta) means the same everywhere.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from l2audit.report.style import AGAINST, AGREE, BAND, INK, LINE, NARROW, NULL, PAPER, SOFT, WIDE, blank, both, drawing
from l2audit.report.words import plain


@dataclass(frozen=True)
class Mark:
    """One interval of a forest plot, in units of delta; `value` None: planned, but not judged.

    `side` is +1 or -1 where the value is decisively beyond one delta, else 0.
    """

    name: str
    value: float | None
    low: float = math.nan
    high: float = math.nan
    side: int = 0


@dataclass(frozen=True)
class Group:
    """The rows of one stratum: per panel the marks by name and the overall interval (None: too few datasets)."""

    title: str
    rows: Sequence[str]
    panels: Sequence[dict[str, Mark]]
    overall: Sequence[Mark | None]


def _tone(mark: Mark) -> tuple[str, str, bool]:
    """Colour, marker and whether it is filled: the shape says the same as the colour."""
    if mark.side > 0:
        return AGREE, "^", True
    if mark.side < 0:
        return AGAINST, "v", True
    if mark.low > -1 and mark.high < 1:
        return NULL, "o", True
    return SOFT, "o", False


def _interval(axes: Axes, y: float, mark: Mark, limit: float, clip: float) -> None:
    if mark.value is None:
        axes.text(0, y, "not judged", ha="center", va="center", color=SOFT, fontsize=11, style="italic")
        return
    colour, shape, filled = _tone(mark)
    if math.isfinite(mark.low):
        axes.plot([max(mark.low, -limit), min(mark.high, limit)], [y, y], color=colour, solid_capstyle="butt")
    place = float(np.clip(mark.value, -clip, clip))
    if abs(mark.value) >= clip:
        shape = ">" if mark.value > 0 else "<"
    axes.plot(
        [place], [y], shape, color=colour, markerfacecolor=colour if filled else PAPER, markersize=6.5, clip_on=False
    )


def _diamond(axes: Axes, y: float, mark: Mark, limit: float) -> None:
    if mark.value is None:
        axes.text(0, y, "too few datasets", ha="center", va="center", color=SOFT, fontsize=11, style="italic")
        return
    colour, _, _ = _tone(mark)
    low, high = max(mark.low, -limit), min(mark.high, limit)
    axes.fill(
        [low, mark.value, high, mark.value], [y, y - 0.36, y, y + 0.36], color=colour, linewidth=1, joinstyle="miter"
    )


def _effect_axis(axes: Axes, limit: float, clip: float) -> None:
    """The common horizontal axis: effect in units of delta, the ROPE as a band, and which side means what."""
    axes.axvspan(-1, 1, color=BAND, linewidth=0, zorder=0)
    axes.axvline(0, color=SOFT, linewidth=0.8, zorder=0.5)
    axes.set_xlim(-limit, limit)
    step = 5 if limit > 6 else 2 if limit > 3 else 1
    ticks = [tick for tick in range(-int(limit), int(limit) + 1) if tick % step == 0]
    axes.set_xticks(ticks, [plain(tick, 0, sign=True) + "δ" if tick else "0" for tick in ticks])
    axes.tick_params(axis="both", length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.set_yticks([])
    if limit >= clip:
        for edge in (-clip, clip):
            axes.axvline(edge, color=LINE, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0.5)
    for x, side, text in ((-limit, "left", "◀ opposite"), (limit, "right", "as claimed ▶")):
        axes.annotate(text, (x, 1), (0, 5), xycoords=("data", "axes fraction"), textcoords="offset points", ha=side,
                      fontsize=11.5, color=SOFT)  # fmt: skip


def axis_limit(groups: Sequence[Group], clip: float) -> float:
    """Half width of the axis in deltas: 3, 5 or `clip`, the smallest that shows every point and overall interval."""
    marks = [mark for group in groups for panel in group.panels for mark in panel.values()]
    overall = [mark for group in groups for mark in group.overall if mark is not None]
    reach = [abs(mark.value) for mark in marks if mark.value is not None]
    reach += [abs(edge) for mark in overall for edge in (mark.low, mark.high) if math.isfinite(edge)]
    return next((limit for limit in (3.0, 5.0) if max(reach, default=0.0) < limit), clip + 0.6)


@dataclass(frozen=True)
class _Line:
    """One row of the drawing: `what` is heading, dataset, average or space."""

    what: str
    text: str
    group: Group


@dataclass(frozen=True)
class _Layout:
    """Sizes in CSS pixels."""

    narrow: bool
    row: float
    gutter: float
    gap: float = 44.0
    top: float = 52.0
    bottom: float = 34.0


def forest(
    groups: Sequence[Group],
    panels: Sequence[str],
    *,
    clip: float,
    name: str,
    title: str,
    description: str,
    average: str = "average",
) -> Markup:
    """Forest plot: one row per dataset, grouped by stratum, one panel per part of the claim, a diamond for the average.

    Marks beyond `clip` deltas are arrow heads at the edge: a dataset's score counts at most that much.
    """
    limit = axis_limit(groups, clip)
    lines = _lines(groups, average)
    with drawing():
        wide, narrow = (_forest(lines, panels, limit, clip, _layout(lines, narrow=phone)) for phone in (False, True))
        return both(wide, narrow, name, title, description)


def _lines(groups: Sequence[Group], average: str) -> list[_Line]:
    """Rows from top to bottom: a heading, the datasets, the average; a space between groups."""
    lines: list[_Line] = []
    for group in groups:
        lines += [_Line("heading", group.title, group)] if group.title else []
        lines += [_Line("dataset", name, group) for name in group.rows]
        lines += [_Line("average", average, group), _Line("space", "", group)]
    return lines[:-1]


def _layout(lines: Sequence[_Line], *, narrow: bool) -> _Layout:
    """Room for the longest name, within reason; on a phone a name of several words may take two lines."""
    names = [_wrapped(line.text) if narrow else line.text for line in lines if line.what in {"dataset", "average"}]
    longest = max((len(part) for name in names for part in name.split("\n")), default=0)
    gutter = min(max(70.0, 6.6 * longest + 18), 150.0 if narrow else 260.0)
    return _Layout(
        narrow, row=(27.0 if any("\n" in name for name in names) else 19.0) if narrow else 20.0, gutter=gutter
    )


def _wrapped(name: str) -> str:
    return textwrap.fill(name, 19, break_long_words=False, break_on_hyphens=False)


def _forest(lines: Sequence[_Line], panels: Sequence[str], limit: float, clip: float, layout: _Layout) -> Figure:
    """Wide: panels side by side over one list of names. Narrow: panels below each other, the names repeated."""
    body = layout.row * (len(lines) + 0.4)
    across = 1 if layout.narrow else len(panels)
    width = NARROW if layout.narrow else WIDE
    height = (layout.top + body + layout.bottom) * (len(panels) if layout.narrow else 1)
    span = (width - layout.gutter - 20 - layout.gap * (across - 1)) / across
    figure = blank(width, height)
    for number, label in enumerate(panels):
        column, row = (0, number) if layout.narrow else (number, 0)
        left = layout.gutter + column * (span + layout.gap)
        base = height - (layout.top + body) * (row + 1) - layout.bottom * row
        axes = figure.add_axes((left / width, base / height, span / width, body / height))
        axes.set_ylim(len(lines) - 0.3, -0.7)
        _effect_axis(axes, limit, clip)
        axes.annotate(label, (0, 1), (-layout.gutter if layout.narrow else 0, 22), xycoords="axes fraction",
                      textcoords="offset points", fontweight="bold")  # fmt: skip
        if layout.narrow or number == 0:
            _names(axes, lines, layout)
        _marks(axes, lines, number, limit, clip)
    return figure


def _names(axes: Axes, lines: Sequence[_Line], layout: _Layout) -> None:
    for y, line in enumerate(lines):
        heading = line.what == "heading"
        axes.annotate(
            line.text if heading or not layout.narrow else _wrapped(line.text),
            (0, y),
            (2 - layout.gutter if heading else -10, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="left" if heading else "right",
            va="center",
            fontsize=11.5 if layout.narrow else 12.5,
            linespacing=1.0,
            fontweight="normal" if line.what == "dataset" else "bold",
            color=SOFT if line.what == "dataset" else INK,
            annotation_clip=False,
        )


def _marks(axes: Axes, lines: Sequence[_Line], panel: int, limit: float, clip: float) -> None:
    for y, line in enumerate(lines):
        if line.what == "dataset":
            _interval(axes, y, line.group.panels[panel].get(line.text, Mark(line.text, None)), limit, clip)
        elif line.what == "average":
            _diamond(axes, y, line.group.overall[panel] or Mark(line.text, None), limit)
