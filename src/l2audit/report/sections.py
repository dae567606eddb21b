"""One section per claim: from an entry of verdicts.json and the effects behind it to what the templates print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l2audit.report import evidence, words
from l2audit.report.pictures import (
    Entry,
    Material,
    Picture,
    anchor,
    claim_pictures,
    deltas,
    effects_of,
    identity_pictures,
    measured_parts,
    one_delta,
    planned_tasks,
)
from l2audit.report.words import NONE, count, exact, interval, plain

ADDED = ("added", "added-identity")
"""Families of claims that nobody in the thread made."""


@dataclass(frozen=True)
class Table:
    """A plain table: `right` are the columns of numbers, `totals` the rows that sum up."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    right: frozenset[int] = frozenset()
    totals: frozenset[int] = frozenset()

    @property
    def continued(self) -> frozenset[int]:
        """Rows that go on with the subject of the row above: their first cell is empty."""
        return frozenset(number for number, row in enumerate(self.rows) if row[0] == "")


@dataclass(frozen=True)
class PartText:
    """What was measured in one part, in words."""

    id: str
    statement: str
    delta: str


@dataclass(frozen=True)
class Section:
    """Everything that the page prints about one claim."""

    id: str
    anchor: str
    question: str
    quote: str
    author: str
    note: str
    badge: words.Badge
    sentence: str
    datasets: str
    runs: str
    parts: Sequence[PartText]
    figures: Sequence[Picture] = ()
    maps: Sequence[evidence.Map] = ()
    table: Table | None = None
    checks: Table | None = None
    trace: Mapping[str, Any] | None = None
    labels: Sequence[str] = ()
    dropped: Table | None = None
    dropped_summary: str = ""
    detectable: str = ""
    beside: Table | None = None
    scope: str = ""
    added: bool = False


def section(entry: Entry, material: Material) -> Section:
    """The section of one claim of verdicts.json."""
    measured = measured_parts(entry)
    planned = entry["n_planned_datasets"] > 0
    dropped = {**entry["dropped"], **entry["unused"]}
    return Section(
        id=entry["id"],
        anchor=anchor(entry["id"]),
        question=entry["question"],
        quote=entry.get("quote", ""),
        author=entry.get("author", ""),
        note=entry.get("note", ""),
        badge=words.badge(entry["verdict"]),
        sentence=entry["sentence"],
        datasets=_of(entry.get("n_datasets"), entry.get("n_planned_datasets")) if measured else NONE,
        runs=count(entry["n_runs"]) if measured else NONE,
        parts=[PartText(part["id"], part["statement"], _delta_text(part)) for part in entry["parts"]],
        figures=claim_pictures(entry, material) if measured else identity_pictures(entry),
        maps=_maps(entry, material),
        table=_estimates(entry) if planned else None,
        checks=check_table(_checks(entry, material), "Exact checks: no sampling, no interval"),
        trace=next((check["trace"] for check in entry["checks"] if check.get("trace")), None),
        labels=entry["labels"],
        dropped=_dropped(dropped),
        dropped_summary=_dropped_summary(dropped),
        scope=_scope(entry) if measured else "",
        added=entry["family"] in ADDED,
        detectable=entry.get("detectable", ""),
        beside=beside(entry) if planned else None,
    )


def _of(n: int | None, planned: int | None) -> str:
    return count(n) if n == planned or planned is None else f"{count(n)} of {count(planned)}"


def _dropped(dropped: Mapping[str, int]) -> Table | None:
    rows = [[reason, count(n)] for reason, n in sorted(dropped.items(), key=lambda pair: (-pair[1], pair[0]))]
    return (
        Table("Planned effects that did not enter, by reason", ["Reason", "Effects"], rows, frozenset({1}))
        if rows
        else None
    )


def _dropped_summary(dropped: Mapping[str, int]) -> str:
    total = sum(dropped.values())
    return (
        f"Left out: {count(total)} planned effects, counted by reason"
        if total
        else "Nothing that was planned was left out."
    )


def _delta_text(part: Entry) -> str:
    """The smallest effect that matters, with the reason given for it in the registration."""
    if not part.get("datasets"):  # an exact part, or one that no dataset was planned for
        return ""
    reason = f" ({part['reason']})" if part.get("reason") else ""
    return f"Effects below δ = {one_delta([part])} are too small to matter{reason}."


def _scope(entry: Entry) -> str:
    own, rivals = entry["entered"]["arms"], entry["entered"]["against"]
    if not own:
        return "No comparison was planned for it: this study has no model that enters a verdict here."
    with_others = f", compared with {', '.join(rivals)} on the same datasets" if rivals else ""
    return f"Models that enter the verdict: {', '.join(own)}{with_others}."


def _maps(entry: Entry, material: Material) -> list[evidence.Map]:
    """The heterogeneity map of a claim that is judged by kind of contamination."""
    if not entry["strata"]:
        return []
    return [
        one
        for part in measured_parts(entry)
        for one in evidence.maps(
            effects_of(entry, part, material), part, deltas(part), material.constants, material.levels
        )
    ]


def _estimates(entry: Entry) -> Table:
    """Averages per stratum and part in units of delta and, per task, in plain units; the claim's own row last."""
    parts = measured_parts(entry)
    units = _units(parts)
    rows = [line for row in [*entry["strata"], entry] for line in _estimate_lines(row, units, several=len(parts) > 1)]
    head = [
        "Contamination",
        "Verdict",
        *(["Part"] if len(parts) > 1 else []),
        "Datasets",
        "Average, δ",
        *(f"{task.capitalize()}, {unit}" if unit else task.capitalize() for task, unit in units.items()),
        "A new dataset, δ",
    ]
    return Table(
        words.TABLE,
        head,
        rows,
        frozenset(range(head.index("Datasets"), len(head))),
        frozenset({len(rows) - len(parts)}) if entry["strata"] else frozenset(),
    )


def _units(parts: Sequence[Entry]) -> dict[str, str]:
    """Task -> what its column is headed with: the unit of all parts, or "" where they have several."""
    found: dict[str, set[str]] = {}
    for part in parts:
        for task, figures in planned_tasks(part).items():
            found.setdefault(task, set()).add(words.heading(figures))
    return {task: min(units) if len(units) == 1 else "" for task, units in sorted(found.items())}


def _estimate_lines(row: Entry, units: Mapping[str, str], *, several: bool) -> list[list[str]]:
    lines = []
    for part in measured_parts(row):
        first = part is row["parts"][0]
        subject = [words.stratum(row["stratum"]), row["verdict"]] if first else ["", ""]
        numbers = [_in_delta(part), *(_in_plain_units(part["tasks"].get(task)) for task in units)]
        ahead = interval(part["prediction_low"], part["prediction_high"], 1)
        lines.append(
            [
                *subject,
                *([_part_name(part, units)] if several else []),
                _of(part["n_datasets"], part["n_planned_datasets"]),
                *numbers,
                ahead,
            ]
        )
    return lines


def _in_delta(part: Entry) -> str:
    return f"{plain(part['m'], 1, sign=True)} {interval(part['ci_low'], part['ci_high'], 1)}"


def _part_name(part: Entry, units: Mapping[str, str]) -> str:
    """A part's id, with its units where the heads of the columns cannot tell them."""
    if all(units.values()):
        return str(part["id"])
    own = dict.fromkeys(words.heading(figures) for figures in planned_tasks(part).values())
    return f"{part['id']}: {' | '.join(own)}"


def _in_plain_units(task: Entry | None) -> str:
    if task is None or task["estimate"] is None:
        return NONE
    return words.figures(task)


BESIDE = ("Contamination", "Part", "One left out", "Seeds drawn again", "Datasets, too", "τ", "Per tenfold beta")


def beside(entry: Entry) -> Table:
    """Checks of every row that is judged, in units of delta: they are reported and never change a verdict."""
    rows = [
        [words.stratum(row["stratum"]) if part is row["parts"][0] else "", part["id"], *_beside(part)]
        for row in [*entry["strata"], entry]
        for part in measured_parts(row)
    ]
    return Table(words.BESIDE, BESIDE, rows, frozenset(range(2, len(BESIDE))))


def _beside(part: Entry) -> list[str]:
    slope = part["slope"]
    seeds, datasets = part["bootstrap_fixed_datasets"], part["bootstrap_two_level"]
    tenfold = f"{plain(slope['mean'], 1, sign=True)} {interval(slope['ci_low'], slope['ci_high'], 1)}"
    return [
        interval(part["leave_one_out_low"], part["leave_one_out_high"], 1),
        interval(seeds[0], seeds[1], 1),
        interval(datasets[0], datasets[1], 1),
        plain(part["tau"], 1),
        f"{tenfold}, rises in {slope['rising']} of {slope['n_datasets']}" if slope["n_datasets"] else NONE,
    ]


def _checks(entry: Entry, material: Material) -> list[Entry]:
    """The checks that decide the claim, then those that only show where it ends."""
    deciding = {check["check"] for check in entry["checks"]}
    beside = [one for one in material.identities if one["claim"] == entry["id"] and one["check"] not in deciding]
    return [*entry["checks"], *beside]


def check_table(checks: Sequence[Entry], caption: str) -> Table | None:
    """Exact checks with what was expected, what was obtained and how far off would still do."""
    rows = [
        [
            check["statement"],
            exact(check["expected"]),
            exact(check["obtained"]),
            exact(check["tolerance"]) if check["tolerance"] else "",
            "holds" if check["holds"] else "does not hold",
        ]
        for check in checks
    ]
    head = ["Statement", "Expected", "Obtained", "Tolerance", "Result"]
    return Table(caption, head, rows, frozenset({1, 2, 3})) if rows else None
