"""One section per claim: from an entry of verdicts.json and the effects behind it to what the templates print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from l2audit.effects.layout import ALL
from l2audit.report import evidence, words
from l2audit.report.blocks import Picture, Table, anchor, picture
from l2audit.report.figures import rank_scatters
from l2audit.report.pictures import Material, claim_pictures, measured_parts, one_delta, planned_tasks
from l2audit.report.words import NONE, count, exact, interval, plain
from l2audit.wording.phrases import Entry

ADDED = ("added", "added-identity")
"""Families of claims that nobody in the thread made."""

BESIDE = ["Contamination", "Part", "One left out", "τ", "Per tenfold beta"]
RANKS = ["Models", "Contamination", "Datasets", "Rank correlation", "Across cells"]


def section(entry: Entry, material: Material) -> dict[str, Any]:
    """What the page prints about one claim of verdicts.json: its entry, and the tables and figures made of it."""
    parts = measured_parts(entry)
    planned = entry["n_planned_datasets"] > 0
    dropped = sorted({**entry["dropped"], **entry["unused"]}.items(), key=lambda pair: (-pair[1], pair[0]))
    total = sum(n for _, n in dropped)
    deciding = {check["check"] for check in entry["checks"]}
    others = [one for one in material.identities if one["claim"] == entry["id"] and one["check"] not in deciding]
    return {
        **{"quote": "", "author": "", "note": "", "detectable": "", **entry},
        "anchor": anchor(entry["id"]),
        "badge": words.badge(entry["verdict"]),
        "datasets": _of(entry.get("n_datasets"), entry.get("n_planned_datasets")) if parts else NONE,
        "runs": count(entry["n_runs"]) if parts else NONE,
        "parts": [{**part, "delta": _delta_text(part)} for part in entry["parts"]],
        "figures": claim_pictures(entry, material),
        "maps": [
            one
            for part in (parts if entry["strata"] else ())
            for one in evidence.maps(material.effects_of(entry, part), part, material.constants, material.levels)
        ],
        "table": _estimates(entry) if planned else None,
        "checks": check_table([*entry["checks"], *others], "Exact checks: no sampling, no interval"),
        "trace": next((check["trace"] for check in entry["checks"] if check.get("trace")), None),
        "dropped": Table(
            "Planned effects that did not enter, by reason",
            ["Reason", "Effects"],
            [[reason, count(n)] for reason, n in dropped],
            right={1},
        ),
        "dropped_summary": f"Left out: {count(total)} planned effects, counted by reason"
        if total
        else "Nothing that was planned was left out.",
        "scope": _scope(entry) if parts else "",
        "added": entry["family"] in ADDED,
        "beside": beside(entry) if planned else None,
    }


def _of(n: int | None, planned: int | None) -> str:
    return count(n) if n == planned or planned is None else f"{count(n)} of {count(planned)}"


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


def _estimates(entry: Entry) -> Table:
    """Averages per stratum and part in units of delta and, per task, in plain units; the claim's own row last.

    The head of a task's column is its unit; where its parts have several, each part names its own.
    """
    parts = measured_parts(entry)
    several = len(parts) > 1
    found: dict[str, set[str]] = {}
    for part in parts:
        for task, figures in planned_tasks(part).items():
            found.setdefault(task, set()).add(words.heading(figures))
    units = {task: min(names) if len(names) == 1 else "" for task, names in sorted(found.items())}
    rows = []
    for row in [*entry["strata"], entry]:
        for part in measured_parts(row):
            own = dict.fromkeys(words.heading(figures) for figures in planned_tasks(part).values())
            name = part["id"] if all(units.values()) else f"{part['id']}: {' | '.join(own)}"
            tasks = [part["tasks"].get(task) for task in units]
            rows.append(
                [
                    *([words.stratum(row["stratum"]), row["verdict"]] if part is row["parts"][0] else ["", ""]),
                    *([name] if several else []),
                    _of(part["n_datasets"], part["n_planned_datasets"]),
                    f"{plain(part['m'], 1, sign=True)} {interval(part['ci_low'], part['ci_high'], 1)}",
                    *(NONE if task is None or task["estimate"] is None else words.figures(task) for task in tasks),
                    interval(part["prediction_low"], part["prediction_high"], 1),
                ]
            )
    head = [
        "Contamination",
        "Verdict",
        *(["Part"] if several else []),
        "Datasets",
        "Average, δ",
        *(f"{task.capitalize()}, {unit}" if unit else task.capitalize() for task, unit in units.items()),
        "A new dataset, δ",
    ]
    totals = {len(rows) - len(parts)} if entry["strata"] else ()
    return Table(words.TABLE, head, rows, range(head.index("Datasets"), len(head)), totals)


def beside(entry: Entry) -> Table:
    """Checks of every row that is judged, in units of delta: they are reported and never change a verdict."""
    rows = []
    for row in [*entry["strata"], entry]:
        for part in measured_parts(row):
            slope, n = part["slope"], part["slope"]["n_datasets"]
            tenfold = f"{plain(slope['mean'], 1, sign=True)} {interval(slope['ci_low'], slope['ci_high'], 1)}"
            rows.append(
                [
                    words.stratum(row["stratum"]) if part is row["parts"][0] else "",
                    part["id"],
                    interval(part["leave_one_out_low"], part["leave_one_out_high"], 1),
                    plain(part["tau"], 1),
                    f"{tenfold}, rises in {slope['rising']} of {n}" if n else NONE,
                ]
            )
    return Table(words.BESIDE, BESIDE, rows, range(2, len(BESIDE)))


def check_table(
    checks: Sequence[Entry], caption: str, subject: str = "Statement", failed: str = "does not hold"
) -> Table:
    """Exact checks with what was expected, what was obtained and how far off would still do."""
    rows = [
        [
            check["statement"],
            exact(check["expected"]),
            exact(check["obtained"]),
            exact(check["tolerance"]) if check["tolerance"] else "",
            "holds" if check["holds"] else failed,
        ]
        for check in checks
    ]
    return Table(caption, [subject, "Expected", "Obtained", "Tolerance", "Result"], rows, {1, 2, 3})


def rank_sections(exploratory: Mapping[str, Entry]) -> dict[str, dict[str, Any]]:
    """Whether two measured changes go together: question, sentence, picture and table, by the id of a claim.

    Empty where verdicts.json has no such figures; without a known correlation, a question and a sentence.
    """
    found = exploratory.get("evenness_and_damage")
    if not found:
        return {}
    claim, rows = found["damage"]["claim"], found["rows"]
    question = (
        f"Where L2 moved the weights further towards even ({found['evenness']['part']}), did it also take away more "
        f"of the damage ({found['damage']['part']})?"
    )
    lines, panels = [], []
    for row in rows:
        overall = row["stratum"] == rows[0]["stratum"]
        models = "all architectures" if row["arm"] == ALL else row["arm"]
        told, n = NONE, count(row["n_datasets"])
        if row["rho"] is not None:
            told = f"{plain(row['rho'], 2, sign=True)} {interval(row['ci_low'], row['ci_high'], 2)}"
            panels += [(models, told, row["datasets"])] if overall and row["arm"] != ALL else []
        across = plain(row["across_cells"], 2, sign=True)
        lines.append([models if overall else "", words.stratum(row["stratum"]), n, told, across])
    return {
        claim: {
            "question": question,
            "sentence": found["sentence"],
            "picture": _rank_picture(f"{anchor(claim)}-ranks", panels, question) if panels else None,
            "table": Table(words.RANKS_TABLE, RANKS, lines, {2, 3, 4})
            if any(row["rho"] is not None for row in rows)
            else None,
        }
    }


def _rank_picture(name: str, panels: Sequence[tuple[str, str, Sequence[Entry]]], question: str) -> Picture:
    """One scatter per architecture: its name, its correlation in figures, and its datasets."""
    told = "; ".join(f"{models}: {figures} over {len(datasets)} datasets" for models, figures, datasets in panels)
    return picture(
        name,
        lambda width: rank_scatters(width, panels),
        id=f"{name}-figure",
        heading="Evenness against damage, dataset by dataset.",
        caption=words.RANKS,
        title=question,
        description=f"Rank correlations. {told}.",
    )
