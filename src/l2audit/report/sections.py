"""One section per claim: from an entry of verdicts.json and the effects behind it to what the templates print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from l2audit.effects.layout import ALL
from l2audit.report import words
from l2audit.report.figures import rank_scatters
from l2audit.report.pictures import (
    Published,
    claim_pictures,
    maps,
    measured_parts,
    one_delta,
    planned_tasks,
    rows_shown,
)
from l2audit.report.style import picture
from l2audit.report.words import NONE, Table, anchor, count, exact, interval, plain
from l2audit.wording.phrases import Entry
from l2audit.wording.sentences import stratum


def section(entry: Entry, published: Published) -> dict[str, Any]:
    """What the page prints about one claim of verdicts.json: its entry, and the tables and figures made of it."""
    parts = measured_parts(entry)
    reasons = {**entry["dropped"], **entry["unused"]}
    dropped = [[reason, count(-n)] for n, reason in sorted((-n, reason) for reason, n in reasons.items())]
    total = sum(reasons.values())
    deciding = {check["check"] for check in entry["checks"]}
    others = [one for one in published.identities if one["claim"] == entry["id"] and one["check"] not in deciding]
    shown = []
    for part in parts or entry["parts"]:  # without datasets: an exact part, or one that none was planned for
        reason = f" ({part['reason']})" if part.get("reason") else ""
        told = f"Effects below δ = {one_delta([part])} are too small to matter{reason}." if part.get("datasets") else ""
        shown.append({**part, "delta": told})
    scope = ""
    if parts and (own := entry["entered"]["arms"]):
        rivals = ", ".join(entry["entered"]["against"])
        scope = f"Models that enter the verdict: {', '.join(own)}"
        scope += f", compared with {rivals} on the same datasets." if rivals else "."
    elif parts:
        scope = "No comparison was planned for it: this study has no model that enters a verdict here."
    return {
        **{"quote": "", "author": "", "note": "", "detectable": "", **entry},
        "anchor": anchor(entry["id"]),
        "badge": words.badge(entry["verdict"]),
        "datasets": _datasets(entry) if parts else NONE,
        "runs": count(entry["n_runs"]) if parts else NONE,
        "parts": shown,
        "figures": claim_pictures(entry, published),
        "maps": [one for part in (parts if entry["strata"] else ()) for one in maps(entry, part, published)],
        **(_tables(entry) if entry["n_planned_datasets"] > 0 else {"table": None, "beside": None}),
        "checks": check_table([*entry["checks"], *others], "Exact checks: no sampling, no interval"),
        "trace": next((check["trace"] for check in entry["checks"] if check.get("trace")), None),
        "dropped": Table("Planned effects that did not enter, by reason", ["Reason", "Effects"], dropped, {1}),
        "dropped_summary": f"Left out: {count(total)} planned effects, counted by reason"
        if total
        else "Nothing that was planned was left out.",
        "scope": scope,
        "added": entry["family"] in ("added", "added-identity"),  # nobody in the thread made it
    }


def _datasets(row: Entry) -> str:
    n, planned = row.get("n_datasets"), row.get("n_planned_datasets")
    return count(n) if n == planned or planned is None else f"{count(n)} of {count(planned)}"


def _tables(entry: Entry) -> dict[str, Table]:
    """Two tables with a row per stratum and part, the claim's own last unless it is in situations; in units of delta.

    table: averages, per task also in plain units. The head of a task's column is its unit; where its parts have
    several, each part names its own. beside: checks that are reported and never change a verdict.
    """
    several = len(measured_parts(entry)) > 1
    found: dict[str, set[str]] = {}
    for part in measured_parts(entry):
        for task, figures in planned_tasks(part).items():
            found.setdefault(task, set()).add(words.heading(figures))
    units = {task: min(names) if len(names) == 1 else "" for task, names in sorted(found.items())}
    rows, beside = [], []
    for row in rows_shown(entry):
        for part in measured_parts(row):
            own = dict.fromkeys(words.heading(figures) for figures in planned_tasks(part).values())
            name = part["id"] if all(units.values()) else f"{part['id']}: {' | '.join(own)}"
            kind, verdict = (stratum(row["stratum"]), row["verdict"]) if part is row["parts"][0] else ("", "")
            tasks = [part["tasks"].get(task) for task in units]
            rows.append(
                [
                    kind,
                    verdict,
                    *([name] if several else []),
                    _datasets(part),
                    words.estimate(part["m"], part["ci_low"], part["ci_high"]),
                    *(NONE if task is None or task["estimate"] is None else words.figures(task) for task in tasks),
                    interval(part["prediction_low"], part["prediction_high"], 1),
                ]
            )
            slope, n = part["slope"], part["slope"]["n_datasets"]
            tenfold = words.estimate(slope["mean"], slope["ci_low"], slope["ci_high"])
            tenfold = f"{tenfold}, rises in {slope['rising']} of {n}" if n else NONE
            left_out = interval(part["leave_one_out_low"], part["leave_one_out_high"], 1)
            beside.append([kind, part["id"], left_out, plain(part["tau"], 1), tenfold])
    head = ["Contamination", "Verdict", *(["Part"] if several else []), "Datasets", "Average, δ"]
    head += [f"{task.capitalize()}, {unit}" if unit else task.capitalize() for task, unit in units.items()]
    head += ["A new dataset, δ"]
    totals = {len(rows) - len(measured_parts(entry))} if entry["strata"] and "record" not in entry else ()
    checks = ["Contamination", "Part", "One left out", "τ", "Per tenfold beta"]
    return {
        "table": Table(words.CAPTIONS["averages"], head, rows, range(head.index("Datasets"), len(head)), totals),
        "beside": Table(words.CAPTIONS["beside"], checks, beside, {2, 3, 4}),
    }


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
            told = words.estimate(row["rho"], row["ci_low"], row["ci_high"], 2)
            panels += [(models, told, row["datasets"])] if overall and row["arm"] != ALL else []
        across = plain(row["across_cells"], 2, sign=True)
        lines.append([models if overall else "", stratum(row["stratum"]), n, told, across])
    name, head = f"{anchor(claim)}-ranks", ["Models", "Contamination", "Datasets", "Rank correlation", "Across cells"]
    told = "; ".join(f"{models}: {figures} over {len(datasets)} datasets" for models, figures, datasets in panels)
    known = any(row["rho"] is not None for row in rows)
    return {
        claim: {
            "question": question,
            "sentence": found["sentence"],
            "picture": picture(
                name,
                lambda width: rank_scatters(width, panels),
                "Evenness against damage, dataset by dataset.",
                words.CAPTIONS["ranks"],
                (question, f"Rank correlations. {told}."),
                id=f"{name}-figure",
            )
            if panels
            else None,
            "table": Table(words.CAPTIONS["rank_table"], head, lines, {2, 3, 4}) if known else None,
        }
    }
