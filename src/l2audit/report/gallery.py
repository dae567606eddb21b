"""The gallery: what each kind of contamination does, drawn on a small set by the registered function itself.

One picture a kind, the clean rows beside the contaminated ones. The data are made up and seeded, two features (or one)
a row, so that all of them can be seen; nothing here comes from a study.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from l2audit.contamination import (
    FEATURES,
    FEATURES_AND_LABELS,
    FEATURES_AND_TARGET,
    KINDS,
    LABELS,
    TARGET,
    Contaminated,
    Reference,
    Rows,
    contaminate,
)
from l2audit.report import words
from l2audit.report.style import AGAINST, AGREE, INK, MIXED, NARROW, SOFT, blank, drawing, to_svg
from l2audit.report.words import percent
from l2audit.seeds import generator

ROWS = 40
CLASS_LOOKS = ((AGAINST, "o"), (AGREE, "^"), (MIXED, "s"))
UNTOUCHED, HIT = (AGAINST, "o"), (AGREE, "^")
SEED = 8  # of the first ten, the one whose random directions lie farthest from the principal ones: oblique to the eye

Entry = Mapping[str, Any]
"""A kind as config/contaminations.yaml describes it."""


@dataclass(frozen=True)
class Card:
    """One kind: its name in words and in the configuration, a picture, and what the picture shows."""

    name: str
    heading: str
    body: Markup
    description: str
    formula: str
    drawn: str
    stratum: str
    source: str


@dataclass(frozen=True)
class Gallery:
    """The kinds of the study, then the kinds that it could have used."""

    used: Sequence[Card]
    others: Sequence[Card]


def gallery(kinds: Mapping[str, Entry], used: Collection[str]) -> Gallery | None:
    """Cards of the described `kinds`, those of the study (`used`) first; None where nothing is described.

    In the order of registration. A kind that is described but no longer registered has no picture left, hence no card.
    """
    cards = [(name in used, _card(name, kinds[name])) for name in KINDS if name in kinds]
    if not cards:
        return None
    return Gallery([card for mine, card in cards if mine], [card for mine, card in cards if not mine])


def _card(name: str, entry: Entry) -> Card:
    level = entry["levels"][0]
    magnitude = float(level.get("magnitude", 0.0))
    share = "all rows" if level["rate"] == 1 else f"{percent(level['rate'])} of the {entry['rate']}"
    size = f", magnitude {magnitude:g} ({entry['magnitude']})" if magnitude else ""
    return Card(
        name=name,
        heading=words.KINDS.get(name, name),
        body=_picture(name, float(level["rate"]), magnitude, share, entry["description"]),
        description=entry["description"],
        formula=entry["formula"],
        drawn=f"{share}{size}",
        stratum=entry["stratum"],
        source=entry["source"],
    )


@dataclass(frozen=True)
class Shown:
    """A set before and after a kind was applied to it."""

    clean: Rows
    reference: Reference
    got: Contaminated


@cache
def _picture(name: str, rate: float, magnitude: float, share: str, description: str) -> Markup:
    hits = KINDS[name].hits
    rows = _SETS[hits]()
    reference = Reference(rows)
    got = contaminate(
        rows, reference, kind=name, rate=rate, magnitude=magnitude, dataset="gallery", seed=SEED, part="train"
    )
    shown = Shown(rows, reference, got)
    with drawing():
        figure = blank(NARROW, 152)
        _DRAWINGS[hits](figure, shown, share.replace(" of the ", " of "))
        told = f"{description} Left: {ROWS} clean rows. Right: {got.mask.sum()} of them hit ({share})."
        return to_svg(figure, f"kind-{name}", f"{words.KINDS.get(name, name)} ({name})", told)


# The sets. Features and targets are about as wide as scaled data are.


def _classes() -> Rows:
    draw = generator("gallery", "classes")
    y = np.arange(ROWS) % len(CLASS_LOOKS)
    centres = np.array([[-1.2, -0.7], [1.2, -0.7], [0.0, 1.2]])
    return Rows(centres[y] + 0.45 * draw.standard_normal((ROWS, 2)), y, len(CLASS_LOOKS))


def _line() -> Rows:
    draw = generator("gallery", "line")
    x = np.sort(draw.uniform(-1.8, 1.8, ROWS))
    return Rows(x[:, None], 0.9 * x + 0.35 * draw.standard_normal(ROWS), None)


def _plane() -> Rows:
    draw = generator("gallery", "plane")
    shared, own = draw.standard_normal((2, ROWS))
    X = np.column_stack([shared, 0.9 * shared + 0.45 * own])
    return Rows(X, 0.5 * X.sum(axis=1) + 0.35 * draw.standard_normal(ROWS), None)


_SETS: Mapping[str, Callable[[], Rows]] = {
    LABELS: _classes,
    FEATURES_AND_LABELS: _classes,
    TARGET: _line,
    FEATURES: _plane,
    FEATURES_AND_TARGET: _plane,
}


# The pictures. What is hit is told by shape and by a ring, not by colour alone.


def _draw_classes(figure: Figure, shown: Shown, share: str) -> None:
    clean, after = _panels(figure, ["clean", f"{share} hit"], ("x₁", "x₂"))
    for axes, X, y in ((clean, shown.clean.X, shown.clean.y), (after, shown.got.X, shown.got.y)):
        for k, look in enumerate(CLASS_LOOKS):
            _dots(axes, X[y == k], look)
    _rings(after, shown.got.X[shown.got.mask])
    _same_plane([clean, after], np.vstack([shown.clean.X, shown.got.X]))


def _draw_target(figure: Figure, shown: Shown, share: str) -> None:
    clean, after = _panels(figure, ["clean", f"{share} hit"], ("x", "y"))
    before, now = (np.column_stack([rows.X[:, 0], rows.y]) for rows in (shown.clean, shown.got))
    _dots(clean, before, UNTOUCHED)
    _marked(after, now, shown.got.mask)
    _same_limits([clean, after], np.vstack([before, now]))


def _draw_features(figure: Figure, shown: Shown, share: str) -> None:
    clean, after = _panels(figure, ["clean", f"{share} hit"], ("x₁", "x₂"))
    _dots(clean, shown.clean.X, UNTOUCHED)
    _marked(after, shown.got.X, shown.got.mask)
    _same_plane([clean, after], np.vstack([shown.clean.X, shown.got.X]))


def _draw_leverage(figure: Figure, shown: Shown, share: str) -> None:
    clean, after, fit = _panels(figure, ["clean", share.replace(" of rows", " hit"), "target and fit"], ("x₁", "x₂"))
    _dots(clean, shown.clean.X, UNTOUCHED)
    _marked(after, shown.got.X, shown.got.mask)
    _same_plane([clean, after], np.vstack([shown.clean.X, shown.got.X]))
    fitted = shown.reference.surface(shown.got.X)[:, 0]
    fit.axline((0, 0), slope=1, color=SOFT, linewidth=1)
    _marked(fit, np.column_stack([fitted, shown.got.y]), shown.got.mask)
    _name_axes(fit, "f(x)", "y")


_DRAWINGS: Mapping[str, Callable[[Figure, Shown, str], None]] = {
    LABELS: _draw_classes,
    FEATURES_AND_LABELS: _draw_classes,
    TARGET: _draw_target,
    FEATURES: _draw_features,
    FEATURES_AND_TARGET: _draw_leverage,
}


def _panels(figure: Figure, titles: Sequence[str], labels: tuple[str, str]) -> Iterator[Axes]:
    """Panels side by side, without ticks: where points lie to each other is all that counts."""
    width, height = figure.get_size_inches() * 72
    left, top, bottom = 18, 22, 20
    each = width / len(titles)
    for number, title in enumerate(titles):
        x, wide = number * each + left, each - left - 4
        axes = figure.add_axes((x / width, bottom / height, wide / width, (height - top - bottom) / height))
        axes.set_title(title, fontsize=12, fontweight="normal", pad=5)
        axes.set_xticks([])
        axes.set_yticks([])
        _name_axes(axes, *labels)
        yield axes


def _name_axes(axes: Axes, across: str, up: str) -> None:
    axes.set_xlabel(across, labelpad=1)
    axes.set_ylabel(up, labelpad=3, rotation=0, ha="right", va="center")


def _dots(axes: Axes, points: np.ndarray, look: tuple[str, str], size: float = 4.0) -> None:
    colour, marker = look
    axes.plot(points[:, 0], points[:, 1], marker, color=colour, markersize=size, markeredgewidth=0, clip_on=False)


def _rings(axes: Axes, points: np.ndarray) -> None:
    axes.plot(points[:, 0], points[:, 1], "o", markersize=8, markeredgewidth=0.9, markeredgecolor=INK,
              markerfacecolor="none", clip_on=False)  # fmt: skip


def _marked(axes: Axes, points: np.ndarray, mask: np.ndarray) -> None:
    _dots(axes, points[~mask], UNTOUCHED)
    _dots(axes, points[mask], HIT, size=6.0)


def _same_limits(panels: Sequence[Axes], points: np.ndarray) -> None:
    """Limits that show all `points` in every panel."""
    _set_limits(panels, points, 1.12 * np.ptp(points, axis=0))


def _same_plane(panels: Sequence[Axes], points: np.ndarray) -> None:
    """The same with equal units on both axes, so that a right angle is seen as one."""
    size = np.array([panels[0].bbox.width, panels[0].bbox.height])
    _set_limits(panels, points, 1.12 * float((np.ptp(points, axis=0) / size).max()) * size)


def _set_limits(panels: Sequence[Axes], points: np.ndarray, extent: np.ndarray) -> None:
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    for axes in panels:
        axes.set_xlim(middle[0] - extent[0] / 2, middle[0] + extent[0] / 2)
        axes.set_ylim(middle[1] - extent[1] / 2, middle[1] + extent[1] / 2)
