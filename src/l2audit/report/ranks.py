"""Do two measured changes go together: the exploratory rank correlation of verdicts.json as text, scatter and table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from l2audit.effects.layout import ALL
from l2audit.report import words
from l2audit.report.pictures import Picture, anchor
from l2audit.report.sections import Table
from l2audit.report.style import INK, LINE, NARROW, PAPER, SOFT, WIDE, blank, both, drawing
from l2audit.report.words import NONE, count, interval, plain

DIGITS = 2
EVERY_ARCHITECTURE = "all architectures"
LOOKS = {"classification": ("o", INK), "regression": ("s", PAPER)}
"""Marker of a task and what it is filled with."""

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Ranks:
    """What stands in the section of the claim about damage; without any figure, a question and a sentence."""

    question: str
    sentence: str
    picture: Picture | None
    table: Table | None


def rank_sections(exploratory: Mapping[str, Entry]) -> dict[str, Ranks]:
    """By the id of the claim in whose section it stands; empty where verdicts.json has no such figures."""
    found = exploratory.get("evenness_and_damage")
    return {found["damage"]["claim"]: _ranks(found)} if found else {}


def _ranks(found: Entry) -> Ranks:
    even, less = found["evenness"]["part"], found["damage"]["part"]
    question = (
        f"Where L2 moved the weights further towards even ({even}), did it also take away more of the damage ({less})?"
    )
    known = any(row["rho"] is not None for row in found["rows"])
    return Ranks(question, found["sentence"], _picture(found, question), _table(found["rows"]) if known else None)


def _picture(found: Entry, question: str) -> Picture | None:
    overall = found["rows"][0]["stratum"]
    drawn = [row for row in found["rows"] if row["stratum"] == overall and row["rho"] is not None]
    panels = [row for row in drawn if row["architecture"] != ALL]
    if not panels:
        return None
    name = f"{anchor(found['damage']['claim'])}-ranks"
    described = "; ".join(f"{_name(row)}: {_figures(row)} over {row['n_datasets']} datasets" for row in panels)
    body = scatters(panels, name=name, title=question, description=f"Rank correlations. {described}.")
    return Picture(f"{name}-figure", body, "Evenness against damage, dataset by dataset.", words.RANKS)


def _table(rows: Sequence[Entry]) -> Table:
    """Every row of the figures; an architecture is named once."""
    lines = []
    for row in rows:
        first = row["stratum"] == rows[0]["stratum"]
        figures = [count(row["n_datasets"]), _figures(row), plain(row["across_cells"], DIGITS, sign=True)]
        lines.append([_name(row) if first else "", words.stratum(row["stratum"]), *figures])
    head = ["Models", "Contamination", "Datasets", "Rank correlation", "Across cells"]
    return Table(words.RANKS_TABLE, head, lines, frozenset({2, 3, 4}))


def _name(row: Entry) -> str:
    return EVERY_ARCHITECTURE if row["architecture"] == ALL else str(row["architecture"])


def _figures(row: Entry) -> str:
    if row["rho"] is None:
        return NONE
    return f"{plain(row['rho'], DIGITS, sign=True)} {interval(row['ci_low'], row['ci_high'], DIGITS)}"


def scatters(panels: Sequence[Entry], *, name: str, title: str, description: str) -> Markup:
    """A panel a row of figures: its datasets by mean rank among their peers, each in [-1/2, 1/2], in both changes."""
    with drawing():
        return both(
            _scatters(panels, max(2, min(len(panels), 3)), WIDE), _scatters(panels, 1, NARROW), name, title, description
        )


def _scatters(panels: Sequence[Entry], columns: int, width: float) -> Figure:
    """Panels in rows of `columns`; the legend above the first."""
    legend, top, tall, bottom, gap = 24.0, 40.0, 210.0, 34.0, 30.0
    rows = -(-len(panels) // columns)
    height = legend + rows * (top + tall + bottom)
    span = (width - gap * (columns - 1)) / columns - 2
    figure = blank(width, height)
    for number, row in enumerate(panels):
        down, across = divmod(number, columns)
        x, y = 1 + across * (span + gap), height - legend - (down + 1) * (top + tall) - down * bottom
        _scatter(figure.add_axes((x / width, y / height, span / width, tall / height)), row)
    handles = {text: mark for axes in figure.axes for mark, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="upper left", ncols=2, bbox_to_anchor=(0, 1), borderaxespad=0,
                  handletextpad=0.2, columnspacing=1.2)  # fmt: skip
    return figure


def _scatter(axes: Axes, row: Entry) -> None:
    for line in (axes.axhline, axes.axvline):
        line(0, color=LINE, linewidth=0.8, zorder=0)
    for task, (marker, face) in LOOKS.items():
        points = [one for one in row["datasets"] if one["task"] == task]
        if points:
            x, y = ([one[change] for one in points] for change in ("evenness", "damage"))
            axes.plot(x, y, marker, color=INK, markerfacecolor=face, markersize=6, label=task)
    axes.set_xlim(-0.5, 0.5)
    axes.set_ylim(-0.5, 0.65)  # room for the words at the upper end
    axes.set_xticks([])
    axes.set_yticks([])
    heading: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    for text, lift, weight, colour in ((_name(row), 22, "bold", INK), (_told(row), 7, "normal", SOFT)):
        axes.annotate(text, (0, 1), (0, lift), fontsize=12, fontweight=weight, color=colour, **heading)
    axes.annotate("more damage taken away ▲", (0, 1), (5, -15), fontsize=11.5, color=SOFT, **heading)
    axes.annotate("further towards even ▶", (1, 0), (0, -16), ha="right", fontsize=11.5, color=SOFT, **heading)


def _told(row: Entry) -> str:
    return f"{_figures(row)}, {count(row['n_datasets'])} datasets"
