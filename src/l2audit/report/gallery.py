"""The gallery: what each kind of contamination does, drawn on a small set by the registered function itself.

One picture a kind, the clean rows beside the contaminated ones. The data are made up and seeded, two features (or one)
a row, so that all of them can be seen; nothing here comes from a study.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from l2audit.contamination import (
    FEATURES_AND_LABELS,
    FEATURES_AND_TARGET,
    KINDS,
    LABELS,
    TARGET,
    Reference,
    Rows,
    contaminate,
)
from l2audit.report import words
from l2audit.report.style import AGAINST, AGREE, INK, MIXED, NARROW, SOFT, Room, drawing, grid, to_svg
from l2audit.seeds import generator
from l2audit.wording.phrases import Entry

ROWS = 40
CLASS_LOOKS = ((AGAINST, "o"), (AGREE, "^"), (MIXED, "s"))
UNTOUCHED, HIT = (AGAINST, "o"), (AGREE, "^")
SEED = 8  # of the first ten, the one whose random directions lie farthest from the principal ones: oblique to the eye


def gallery(kinds: Mapping[str, Entry], used: Collection[str]) -> dict[str, list[dict[str, Any]]] | None:
    """Cards of the described `kinds`, those of the study (`used`) and the `others`; None where nothing is described.

    kinds: as config/contaminations.yaml describes them; a card is that and a picture. In the order of registration.
    A kind that is described but no longer registered has no picture left, hence no card.
    """
    found: dict[str, list[dict[str, Any]]] = {"used": [], "others": []}
    for name in (name for name in KINDS if name in kinds):
        entry, level = kinds[name], kinds[name]["levels"][0]
        magnitude = float(level.get("magnitude", 0.0))
        share = "all rows" if level["rate"] == 1 else f"{words.percent(level['rate'])} of the {entry['rate']}"
        own = {
            "name": name,
            "heading": words.KINDS.get(name, name),
            "body": _picture(name, float(level["rate"]), magnitude, share, entry["description"]),
            "drawn": f"{share}, magnitude {magnitude:g} ({entry['magnitude']})" if magnitude else share,
        }
        found["used" if name in used else "others"].append({**entry, **own})
    return found if any(found.values()) else None


def _made_up(hits: str) -> Rows:
    """Clean rows that show what is hit: classes, a line or a plane, about as wide as scaled data are."""
    if hits in (LABELS, FEATURES_AND_LABELS):
        draw = generator("gallery", "classes")
        y = np.arange(ROWS) % len(CLASS_LOOKS)
        centres = np.array([[-1.2, -0.7], [1.2, -0.7], [0.0, 1.2]])
        return Rows(centres[y] + 0.45 * draw.standard_normal((ROWS, 2)), y, len(CLASS_LOOKS))
    if hits == TARGET:
        draw = generator("gallery", "line")
        x = np.sort(draw.uniform(-1.8, 1.8, ROWS))
        return Rows(x[:, None], 0.9 * x + 0.35 * draw.standard_normal(ROWS), None)
    draw = generator("gallery", "plane")
    shared, own = draw.standard_normal((2, ROWS))
    X = np.column_stack([shared, 0.9 * shared + 0.45 * own])
    return Rows(X, 0.5 * X.sum(axis=1) + 0.35 * draw.standard_normal(ROWS), None)


@cache
def _picture(name: str, rate: float, magnitude: float, share: str, description: str) -> Markup:
    """Clean rows left, contaminated ones right; shape or a ring marks what is hit, not colour alone.

    Panels have no ticks: where points lie to each other is all that counts. Leverage points get a third panel, where
    the target stands over the fit to the clean rows.
    """
    hits = KINDS[name].hits
    clean = _made_up(hits)
    reference = Reference(clean)
    got = contaminate(
        clean, reference, kind=name, rate=rate, magnitude=magnitude, dataset="gallery", seed=SEED, part="train"
    )
    hit = share.replace(" of the ", " of ")
    plane = ("x", "y") if hits == TARGET else ("x₁", "x₂")
    titles = [("clean", *plane), (f"{hit} hit", *plane)]
    if hits == FEATURES_AND_TARGET:
        titles = [titles[0], (hit.replace(" of rows", " hit"), *plane), ("target and fit", "f(x)", "y")]
    with drawing():
        room = Room(above=22, below=20, left=18, right=4, gap=22)
        figure, panels = grid(NARROW, len(titles), len(titles), 110, room)
        for axes, (title, across, up) in zip(panels, titles, strict=True):
            axes.set_title(title, fontweight="normal", pad=5)
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(across, labelpad=1)
            axes.set_ylabel(up, labelpad=3, rotation=0, ha="right", va="center")
        before, after = (np.column_stack([rows.X[:, 0], rows.y]) if hits == TARGET else rows.X for rows in (clean, got))
        if hits in (LABELS, FEATURES_AND_LABELS):
            for k, look in enumerate(CLASS_LOOKS):
                _dots(panels[0], before[clean.y == k], look)
                _dots(panels[1], after[got.y == k], look)
            panels[1].plot(*after[got.mask].T, "o", markersize=8, markeredgewidth=0.9, markeredgecolor=INK,
                           markerfacecolor="none", clip_on=False)  # fmt: skip
        else:
            _dots(panels[0], before, UNTOUCHED)
            _marked(panels[1], after, got.mask)
        points = np.vstack([before, after])
        extent = 1.12 * np.ptp(points, axis=0)
        if hits != TARGET:  # equal units on both axes, so that a right angle is seen as one
            size = np.array([panels[0].bbox.width, panels[0].bbox.height])
            extent = float((extent / size).max()) * size
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        low, high = middle - extent / 2, middle + extent / 2
        for axes in panels[:2]:
            axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        for axes in panels[2:]:
            axes.axline((0, 0), slope=1, color=SOFT, linewidth=1)
            _marked(axes, np.column_stack([reference.surface(got.X)[:, 0], got.y]), got.mask)
        told = f"{description} Left: {ROWS} clean rows. Right: {got.mask.sum()} of them hit ({share})."
        return to_svg(figure, f"kind-{name}", f"{words.KINDS.get(name, name)} ({name})", told)


def _dots(axes: Axes, points: np.ndarray, look: tuple[str, str], size: float = 4.0) -> None:
    colour, marker = look
    axes.plot(*points.T, marker, color=colour, markersize=size, markeredgewidth=0, clip_on=False)


def _marked(axes: Axes, points: np.ndarray, mask: np.ndarray) -> None:
    _dots(axes, points[~mask], UNTOUCHED)
    _dots(axes, points[mask], HIT, size=6.0)
