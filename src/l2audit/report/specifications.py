"""How much hangs on the choices of the analysis: from specifications.json to tables and specification curves.

A curve shows estimates in order of size over the choices that led to them, as in Figure 2 of Simonsohn, Simmons and
Nelson (2020). Where there are more specifications than columns, a column stands for neighbours in that order: it shows
the middle one of them, and how many of them made each choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from l2audit.config.claims import EVERY_KIND
from l2audit.report import style, words
from l2audit.report.style import AGAINST, AGREE, BAND, INK, LINE, MIXED, NARROW, NULL, SOFT, Picture, picture
from l2audit.report.words import Table, anchor, count, estimate, percent, plain
from l2audit.wording.phrases import Entry
from l2audit.wording.sentences import stratum

FIRM = 0.9
"""A verdict that holds in this share of its specifications, as printed, is firm; the thread's others get a curve."""

THREAD = "claims"
"""The family of what the thread says. Added claims have their line in the table: curves of all would bury the page."""

TITLES = {
    "metric": "Measure of error",
    "margin": "Judged band",
    "beta": "Beta chosen by",
    "convergence": "Penalised runs",
    "floor": "Floor of the damage",
    "delta": "Smallest effect, δ",
    "clip": "Clip of a score",
    "scaling": "Scaled by rows",
}
"""What an axis is called on the page."""

TONES = {"agree": AGREE, "against": AGAINST, "mixed": MIXED, "null": NULL, "open": SOFT}

ESTIMATE = "estimate"
"""The column that specifications of a claim have if it is judged as a whole."""
NAMED = 0.05
"""The least share of the variance for which an axis is named."""

LEVELS = 4
"""Shades of a cell: a share of 0 is blank, the others are rounded up to a quarter."""


def curve_section(
    found: Mapping[str, Any], entries: Sequence[Entry], clip: float, headline: str
) -> dict[str, Any] | None:
    """What the page prints: a sentence, a line a measured claim, curves; None where nothing was judged.

    `found`: the parsed specifications.json; `entries`: the claims of verdicts.json in the order of the page;
    `headline`: the id of the claim that answers the question of the study.
    """
    by_id = {one["id"]: one for one in found["claims"]}
    claims = [(entry, by_id[entry["id"]]) for entry in entries if entry["id"] in by_id]
    if not claims:
        return None
    firm = {one["id"]: round(one["share"], 2) >= FIRM for _, one in claims}
    named = ", ".join(f"({name})" for name, holds in firm.items() if holds) or "no claim"
    sentence = f"In at least {percent(FIRM)} of theirs, the verdict stays as it is for {named}."
    if headline in firm:
        central = by_id[headline]
        share = f"{count(central['same'])} of {count(central['of'])} specifications, {_share(central['share'])},"
        sentence = f"For claim ({headline}), {share} give the verdict “{central['verdict']}” as registered. {sentence}"
    lines, drawn = [], []
    for entry, one in claims:
        others = sorted((-n, verdict) for verdict, n in one["verdicts"].items() if verdict != one["verdict"])
        lines.append(
            {
                "claim": one["id"],
                "badge": words.badge(one["verdict"]),
                "same": f"{count(one['same'])} of {count(one['of'])}",
                "share": _share(one["share"]),
                "others": ", ".join(f"{verdict} {count(-n)}" for n, verdict in others) or "none",
            }
        )
        wanted = one["id"] == headline or (entry["family"] == THREAD and not firm[one["id"]])
        if wanted and one["of"] > 1 and one["rows"][0]["estimates"]:
            rows = _specifications(one, found)
            curve = _picture(entry, one, rows, found["axes"], clip) if ESTIMATE in rows[0] else None
            drawn.append({"id": one["id"], "picture": curve, "alone": _alone(rows, found["axes"])})
    choices = [
        [TITLES[axis["axis"]] if choice is axis["choices"][0] else "", choice["name"], choice["reason"]]
        for axis in found["axes"]
        for choice in axis["choices"]
    ]
    return {
        "sentence": sentence,
        "joint": _joint_sentence(by_id[headline], found) if headline in by_id else "",
        "note": found["note"],
        "lines": lines,
        "situations": _situations(claims),
        "tests": _tests(claims),
        "choices": Table(words.CAPTIONS["choices"], ["What is chosen", "Choice", "Reason"], choices),
        "hash": found["specifications_sha256"],
        "absent": [
            f"Not among them is “{one['choice']}” under “{TITLES[one['axis']].lower()}”: {one['reason']}."
            for one in found["absent"]
        ],
        "drawn": drawn,
    }


def _share(share: float) -> str:
    """A share as a percentage; neither none nor all where it is not."""
    if 0 < share < 0.005:
        return f"<{percent(0.01)}"
    if 0.995 <= share < 1:
        return f">{percent(0.99)}"
    return percent(share)


def _judged_rows(one: Entry) -> Sequence[Entry]:
    """The rows that a claim is judged in: its situations, else the claim as a whole and each of its strata."""
    apart = ESTIMATE not in one["specifications"] and len(one["rows"]) > 1
    return list(one["rows"][1:] if apart else one["rows"])


def _place(one: Entry, row: Entry) -> tuple[str, str]:
    """The kind of contamination of a row in words, and its arm; "" where it is of all kinds, or of all arms."""
    name = row["row"]
    if name == EVERY_KIND:
        return "", ""
    if ESTIMATE in one["specifications"]:
        return stratum(name), ""
    kind, _, arm = name.rpartition("/")
    return stratum(kind) if kind else "", arm


def _situations(claims: Sequence[tuple[Entry, Entry]]) -> Table:
    """The share of specifications that agree, a line per claim and kind, a column per model family."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for _, one in claims:
        for row in _judged_rows(one):
            kind, arm = _place(one, row)
            if arm:
                mark = f"{words.badge(row['verdict']).glyph}{words.THIN}{_share(row['share'])}"
                cells.setdefault((one["id"], kind), {})[arm] = mark
    arms = list(dict.fromkeys(arm for line in cells.values() for arm in line))
    told, last = [], ""
    for (claim, kind), line in cells.items():
        told.append([f"({claim})" if claim != last else "", kind, *(line.get(arm, "") for arm in arms)])
        last = claim
    head = ["Claim", "Kind of contamination", *arms]
    return Table(words.CAPTIONS["agreement"], head, told, set(range(2, len(head))))


def _tests(claims: Sequence[tuple[Entry, Entry]]) -> Table:
    """Each row that was judged: its estimates, its joint test, and the axes that move the estimates."""
    told, last = [], ""
    for _, one in claims:
        for row in _judged_rows(one):
            joint = row["joint"]
            if joint:
                axes = sorted(((-share, TITLES[axis]) for axis, share in row["variance"].items() if axis in TITLES))
                found = [f"{title.lower()} {percent(-share)}" for share, title in axes if -share >= NAMED]
                least, median, most = row["estimates"]
                told.append(
                    [
                        f"({one['id']})" if one["id"] != last else "",
                        ", ".join(filter(None, _place(one, row))) or stratum(EVERY_KIND),
                        f"{plain(median, 1, sign=True)} [{plain(least, 1)}, {plain(most, 1)}]",
                        f"{percent(joint['share'])} ({percent(joint['null_share'])})",
                        f"{joint['p_share']:.3f}",
                        f"{joint['p_median']:.3f}",
                        ", ".join(found) or "none",
                    ]
                )
                last = one["id"]
    head = ["Claim", "Situation", "Averages, δ", "As claimed (by chance)", "p, share", "p, median", "Moved by"]
    return Table(words.CAPTIONS["joint"], head, told, {2, 3, 4, 5})


def _joint_sentence(one: Entry, found: Mapping[str, Any]) -> str:
    """The joint test of a claim: whether its specifications, taken together, differ from no effect at all."""
    rows = [row for row in _judged_rows(one) if row["joint"]]
    flips = f"where the signs of whole datasets are flipped at random, {count(found['flips'])} times"
    name, alpha, of = f"claim ({one['id']})", found["alpha"], len(rows)
    if not rows:
        return ""
    if of == 1:
        share, chance = (percent(rows[0]["joint"][key]) for key in ("share", "null_share"))
        return (
            f"Taken together, {share} of the specifications of {name} have a significant effect as claimed; {flips}, "
            f"{chance} have (p = {rows[0]['joint']['p_share']:.3f})."
        )
    holds = sum(row["joint"]["p_share"] * of <= alpha for row in rows)
    return (
        f"Taken together, the specifications of {name} show an effect as claimed in {holds} of {of} situations: more "
        f"of them are significant there than {flips} (p at most {alpha:g}, corrected for {of} situations)."
    )


def _specifications(one: Entry, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The specifications of a claim, unpacked: the choices by name, verdicts in words, an estimate if there is one."""
    columns, names = one["specifications"], [[choice["name"] for choice in axis["choices"]] for axis in found["axes"]]
    each = []
    for number, chosen in enumerate(columns["choices"]):
        row: dict[str, Any] = {
            name: columns[name][number] for name in (ESTIMATE, "ci_low", "ci_high") if name in columns
        }
        row["choices"] = [own[int(digit, 16)] for own, digit in zip(names, chosen, strict=True)]
        row["verdict"] = found["words"][int(columns["verdict"][number], 16)]
        row["rows"] = columns["rows"][number][1:]
        each.append(row)
    return each


def _alone(rows: Sequence[Entry], axes: Sequence[Entry]) -> Table:
    """What each choice does by itself, all others as registered, axis by axis."""
    first = rows[0]
    found: list[tuple[str, Entry]] = [("all as registered", first)]
    choice = Markup('{}<br><span class="soft">{}</span>')
    for place, axis in enumerate(axes):
        for row in rows:
            if [k for k in range(len(axes)) if row["choices"][k] != first["choices"][k]] == [place]:
                found.append((choice.format(row["choices"][place], TITLES[axis["axis"]]), row))
    if ESTIMATE in first:
        last, told = "Average, δ", [estimate(row[ESTIMATE], row["ci_low"], row["ci_high"]) for _, row in found]
    else:
        same = [sum(a == b for a, b in zip(row["rows"], first["rows"], strict=True)) for _, row in found]
        last, told = "Situations with the same verdict", [f"{n} of {len(first['rows'])}" for n in same]
    lines = [[name, row["verdict"], end] for (name, row), end in zip(found, told, strict=True)]
    return Table(words.CAPTIONS["alone"], ["Choice", "Verdict", last], lines, {2})


class ChoiceRow(NamedTuple):
    """One row below the curve: who made a choice (or got a verdict), in the order of the estimates.

    made: (n,) of bool; told: what stands at the right; colour: of the cells; bold: the registered choice.
    """

    name: str
    made: np.ndarray
    told: str
    colour: str
    bold: bool


@dataclass(frozen=True)
class SpecificationCurve:
    """n specifications in ascending order of their estimates, in units of the registered delta, with 95 % intervals.

    (n,) each. registered: the index of the registered one; groups: per axis its title and rows; clip: the panel shows
    no more deltas than this.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    registered: int
    groups: Sequence[tuple[str, Sequence[ChoiceRow]]]
    clip: float


def _picture(entry: Entry, one: Entry, every: Sequence[Entry], axes: Sequence[Entry], clip: float) -> Picture:
    """The curve of a claim. Below it: its verdicts, the registered one first, then the most frequent; then every axis.

    every: its specifications, unpacked. A choice has the share of its specifications that agree. Choices stand in the
    order of the configuration; an axis without a choice is left out.
    """
    registered = one["verdict"]
    judged = [row for row in every if row["estimate"] is not None]
    ranked = sorted(judged, key=lambda row: (row["estimate"], row["choices"]))
    mean, low, high = pd.DataFrame(ranked)[["estimate", "ci_low", "ci_high"]].to_numpy(float).T
    rows: list[ChoiceRow] = []
    for verdict, n in sorted(one["verdicts"].items(), key=lambda pair: (pair[0] != registered, -pair[1], pair[0])):
        made = np.array([row["verdict"] == verdict for row in ranked])
        rows.append(ChoiceRow(verdict, made, _share(n / one["of"]), TONES[words.badge(verdict).tone], not rows))
    groups = [("Verdict", rows)]
    for place, axis in enumerate(axes):
        agree: dict[str, list[bool]] = {choice["name"]: [] for choice in axis["choices"]}
        for row in every:
            agree.setdefault(row["choices"][place], []).append(row["verdict"] == registered)
        rows = []
        for name, own in agree.items():
            if own:
                made = np.array([row["choices"][place] == name for row in ranked])
                rows.append(ChoiceRow(name, made, _share(sum(own) / len(own)), SOFT, not rows))
        if len(rows) > 1:
            groups.append((TITLES[axis["axis"]], rows))
    found = SpecificationCurve(mean, low, high, ranked.index(judged[0]), groups, clip)
    shares = "; ".join(f"{title}: " + ", ".join(f"{row.name} {row.told}" for row in rows) for title, rows in groups[1:])
    verdicts = ", ".join(f"{verdict} {count(n)}" for verdict, n in sorted(one["verdicts"].items()))
    told = (
        f"Estimates from {plain(mean[0], 1, sign=True)} δ to {plain(mean[-1], 1, sign=True)} δ. "
        f"Verdicts: {verdicts}. Share with the registered verdict by choice: {shares}."
    )
    return picture(
        f"{anchor(one['id'])}-choices",
        lambda width: specification_curve(width, found),
        f"({one['id']}) {entry['question']}",
        f"The same verdict in {count(one['same'])} of {count(one['of'])} specifications.",
        (f"Specification curve: {entry['question']}", told),
    )


def neighbours(n: int, most: int) -> list[np.ndarray]:
    """The indices 0 .. n - 1 in at most `most` runs of neighbours, whose sizes differ by at most one.

    >>> [len(one) for one in neighbours(5, 2)], len(neighbours(3, 10))
    ([3, 2], 3)
    """
    return np.array_split(np.arange(n), min(n, most))


def specification_curve(width: float, found: SpecificationCurve) -> Figure:
    """The estimates above, one point a column with its interval; below them a row per choice with its name and share.

    A cell is the darker, the more of its column's specifications made the choice.
    """
    phone = width <= NARROW
    gutter, row, most, least = (142.0, 17.0, 21, 5.0) if phone else (250.0, 18.0, 40, 8.0)
    top, curve, head, right, bottom = 22.0, 170.0, 25.0, 46.0, 16.0
    names = {one.name: style.wrapped(one.name, most) for _, rows in found.groups for one in rows}
    heights = {name: row * (1 + text.count("\n") * 0.75) for name, text in names.items()}
    matrix = sum(head + sum(heights[one.name] for one in rows) for _, rows in found.groups)
    span = width - gutter - right
    bins = neighbours(len(found.estimate), int(span // least))
    figure = style.blank(width, top + curve + matrix + bottom)
    axes = style.panel(figure, gutter, matrix + bottom, span, curve)
    middle = np.array([one[len(one) // 2] for one in bins])
    limit = style.axis_limit(np.abs(found.estimate), found.clip)
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
    style.note(axes, "registered", (place, 1), (shift, -12), by=("data", "axes fraction"), ha=side, color=INK)
    axes.set(xlim=(0, len(bins)), ylim=(-limit, limit))
    style.delta_axis(axes, axes.yaxis, limit)
    style.note(axes, "as claimed ▲", (0, 1), (2, 3))
    style.note(axes, "opposite ▼", (0, 0), (2, -12))
    axes = style.panel(figure, gutter, bottom, span, matrix)
    axes.set(xlim=(0, len(bins)), ylim=(matrix, 0))
    axes.axis("off")
    text: dict[str, Any] = {"by": ("axes fraction", "data"), "va": "center", "annotation_clip": False}
    y = 0.0
    for title, rows in found.groups:
        style.note(axes, title, (0, y + 0.68 * head), (2 - gutter, 0), ha="left", fontweight="bold", color=INK, **text)
        y += head
        for one in rows:
            place = y + heights[one.name] / 2
            look = {"fontweight": "bold", "color": INK} if one.bold else {"fontweight": "normal"}
            style.note(axes, names[one.name], (0, place), (-8, 0), ha="right", linespacing=1.0, **look, **text)
            style.note(axes, one.told, (1, place), (right - 2, 0), ha="right", **text)
            axes.plot([0, len(bins)], [place, place], color=LINE, linewidth=0.6, zorder=0)
            shades = np.ceil(np.array([one.made[some].mean() for some in bins]) * LEVELS - 1e-9)
            for level in range(1, LEVELS + 1):  # cells of a shade are one path of strokes, neighbours joined
                edges = np.flatnonzero(np.diff(shades == level, prepend=False, append=False))
                if len(edges):
                    strokes = Path([(float(x), place) for x in edges], [Path.MOVETO, Path.LINETO] * (len(edges) // 2))
                    axes.add_patch(PathPatch(strokes, fill=False, edgecolor=one.colour, alpha=level / LEVELS,
                                             linewidth=0.62 * row, capstyle="butt"))  # fmt: skip
            y += heights[one.name]
    return figure
