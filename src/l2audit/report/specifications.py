"""How much hangs on the choices of the analysis: from specifications.json to tables and curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from l2audit.report import words
from l2audit.report.curve import Curve, Group, Row, specification_curve
from l2audit.report.pictures import Picture, anchor
from l2audit.report.sections import Table
from l2audit.report.style import AGAINST, AGREE, MIXED, NULL, SOFT
from l2audit.report.words import count, interval, percent, plain

FIRM = 0.9
"""A verdict that holds in this share of its specifications, as printed, is firm; the thread's others get a curve."""

THREAD = "claims"
"""The family of what the thread says. Added claims have their line in the table: curves of all would bury the page."""

TITLES = {
    "metric": "Measure of error",
    "margin": "Judged band",
    "delta": "Smallest effect, δ",
    "beta": "Beta chosen by",
    "convergence": "Penalised runs",
    "scaling": "Scaled by rows",
    "architectures": "Architectures",
}
"""What an axis is called on the page."""

TONES = {"agree": AGREE, "against": AGAINST, "mixed": MIXED, "null": NULL, "open": SOFT}

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Drawn:
    """One claim with its curve and, as a table, what each choice does alone."""

    id: str
    picture: Picture
    alone: Table


@dataclass(frozen=True)
class Line:
    """One line of the table of all claims: a claim, or one of its strata."""

    claim: str
    of_what: str
    badge: words.Badge
    same: str
    share: str
    others: str


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
    return {
        "sentence": _sentence([one for _, one in claims], headline),
        "note": found["note"],
        "lines": [line for _, one in claims for line in _lines(one)],
        "caption": words.SPECIFICATIONS,
        "how_to_read": words.CURVE,
        "choices": _choices(found),
        "hash": found["specifications_sha256"],
        "absent": [
            f"Not among them is “{one['choice']}” under “{TITLES[one['axis']].lower()}”: {one['reason']}."
            for one in found["absent"]
        ],
        "drawn": [
            _drawn(entry, one, found["axes"], clip) for entry, one in claims if _worth_drawing(entry, one, headline)
        ],
    }


def _worth_drawing(entry: Entry, one: Entry, headline: str) -> bool:
    """The central claim and, of the thread's, those that are not firm; where there is a registered estimate."""
    wanted = one["id"] == headline or (entry["family"] == THREAD and not _firm(one))
    return wanted and one["of"] > 1 and one["specifications"][0]["estimate"] is not None


def _sentence(claims: Sequence[Entry], headline: str) -> str:
    """The answer for the central claim, if it is judged, and which others are firm."""
    firm = ", ".join(f"({one['id']})" for one in claims if _firm(one)) or "no claim"
    told = f"In at least {percent(FIRM)} of theirs, the verdict stays as it is for {firm}."
    central = next((one for one in claims if one["id"] == headline), None)
    if central is None:
        return told
    share = f"{count(central['same'])} of {count(central['of'])} specifications, {_share(central['share'])},"
    return f"For claim ({headline}), {share} give the verdict “{central['verdict']}” as registered. {told}"


def _lines(one: Entry) -> list[Line]:
    return [
        Line(
            one["id"],
            words.stratum(row["stratum"]) if "stratum" in row else "",
            words.badge(row["verdict"]),
            f"{count(row['same'])} of {count(row['of'])}",
            _share(row["share"]),
            _others(row),
        )
        for row in (one, *one["strata"])
    ]


def _firm(one: Entry) -> bool:
    return bool(round(one["share"], 2) >= FIRM)


def _share(share: float) -> str:
    """A share as a percentage; neither none nor all where it is not."""
    if share != round(share):
        if share < 0.005:
            return f"<{percent(0.01)}"
        if share >= 0.995:
            return f">{percent(0.99)}"
    return percent(share)


def _others(row: Entry) -> str:
    """The other verdicts, most frequent first."""
    others = sorted((-n, verdict) for verdict, n in row["verdicts"].items() if verdict != row["verdict"])
    return ", ".join(f"{verdict} {count(-n)}" for n, verdict in others) or "none"


def _choices(found: Mapping[str, Any]) -> Table:
    """Every registered choice with the reason for it."""
    rows = [
        [TITLES[axis["axis"]] if choice is axis["choices"][0] else "", choice["name"], choice["reason"]]
        for axis in found["axes"]
        for choice in axis["choices"]
    ]
    return Table("Every choice and the reason for it; the first of each is the registered one", CHOICE_HEAD, rows)


CHOICE_HEAD = ["What is chosen", "Choice", "Reason"]


def _drawn(entry: Entry, one: Entry, axes: Sequence[Entry], clip: float) -> Drawn:
    name = f"{anchor(one['id'])}-choices"
    return Drawn(one["id"], _picture(entry, one, axes, clip, name), _alone(one, axes))


def _picture(entry: Entry, one: Entry, axes: Sequence[Entry], clip: float, name: str) -> Picture:
    judged = [row for row in one["specifications"] if row["estimate"] is not None]
    order = sorted(range(len(judged)), key=lambda k: (judged[k]["estimate"], judged[k]["choices"]))
    ranked = [judged[k] for k in order]
    values = {
        key: np.array([math.nan if row[key] is None else row[key] for row in ranked], dtype=float)
        for key in ("estimate", "ci_low", "ci_high")
    }
    groups = [_verdicts(one, ranked), *_axes(one, ranked, axes)]
    body = specification_curve(
        Curve(values["estimate"], values["ci_low"], values["ci_high"], order.index(0), groups, clip),
        name=name,
        title=f"Specification curve: {entry['question']}",
        description=_describe(one, values["estimate"], groups[1:]),
    )
    heading = f"({one['id']}) {entry['question']}"
    told = f"The same verdict in {count(one['same'])} of {count(one['of'])} specifications."
    return Picture(name, body, heading, told)


def _verdicts(one: Entry, ranked: Sequence[Entry]) -> Group:
    """Which verdict each specification gives; the registered one first, then the most frequent."""
    names = sorted(one["verdicts"], key=lambda verdict: (verdict != one["verdict"], -one["verdicts"][verdict], verdict))
    return Group(
        "Verdict",
        [
            Row(
                verdict,
                np.array([row["verdict"] == verdict for row in ranked]),
                _share(one["verdicts"][verdict] / one["of"]),
                TONES[words.badge(verdict).tone],
                verdict == one["verdict"],
            )
            for verdict in names
        ],
    )


def _axes(one: Entry, ranked: Sequence[Entry], axes: Sequence[Entry]) -> list[Group]:
    """The axes on which this claim has a choice, each choice with the share of its specifications that agree."""
    groups = []
    for place, axis in enumerate(axes):
        names = _names(one, place, axis)
        if len(names) > 1:
            rows = [_choice_row(one, ranked, place, name, names[0]) for name in names]
            groups.append(Group(TITLES[axis["axis"]], rows))
    return groups


def _names(one: Entry, place: int, axis: Entry) -> list[str]:
    """The choices that occur on an axis, in the order of the configuration, then as they come."""
    seen = list(dict.fromkeys(row["choices"][place] for row in one["specifications"]))
    known = [choice["name"] for choice in axis["choices"] if choice["name"] in seen]
    return [*known, *(name for name in seen if name not in known)]


def _choice_row(one: Entry, ranked: Sequence[Entry], place: int, name: str, registered: str) -> Row:
    made = np.array([row["choices"][place] == name for row in ranked])
    own = [row["verdict"] == one["verdict"] for row in one["specifications"] if row["choices"][place] == name]
    return Row(name, made, _share(sum(own) / len(own)), SOFT, name == registered)


def _describe(one: Entry, estimate: np.ndarray, groups: Sequence[Group]) -> str:
    reach = f"from {plain(estimate.min(), 1, sign=True)} δ to {plain(estimate.max(), 1, sign=True)} δ"
    shares = "; ".join(
        f"{group.title}: " + ", ".join(f"{row.name} {row.told}" for row in group.rows) for group in groups
    )
    verdicts = ", ".join(f"{verdict} {count(n)}" for verdict, n in sorted(one["verdicts"].items()))
    return f"Estimates {reach}. Verdicts: {verdicts}. Share with the registered verdict by choice: {shares}."


def _alone(one: Entry, axes: Sequence[Entry]) -> Table:
    """What each choice does by itself, all others as registered, axis by axis."""
    first = one["specifications"][0]
    rows: list[list[Any]] = [["all as registered", first["verdict"], _number(first)]]
    for place, axis in enumerate(axes):
        for row in one["specifications"]:
            if [k for k in range(len(axes)) if row["choices"][k] != first["choices"][k]] == [place]:
                choice = Markup('{}<br><span class="soft">{}</span>').format(
                    row["choices"][place], TITLES[axis["axis"]]
                )
                rows.append([choice, row["verdict"], _number(row)])
    return Table(words.ALONE, ["Choice", "Verdict", "Average, δ"], rows, frozenset({2}))


def _number(row: Entry) -> str:
    return f"{plain(row['estimate'], 1, sign=True)} {interval(row['ci_low'], row['ci_high'], 1)}"
