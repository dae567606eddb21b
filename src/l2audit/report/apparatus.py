"""What stands behind the verdicts: controls, known results, the judge's trial, the rule, data and provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from markupsafe import Markup

from l2audit.config.claims import EXCLUDED, MIXED, NEGLIGIBLE, REVERSED, SUPPORTED
from l2audit.data.prepare import SINGULAR
from l2audit.judge.verdicts import NOT_RUN
from l2audit.report import words
from l2audit.report.pictures import Published, forest_picture, measured_parts, one_delta
from l2audit.report.sections import check_table
from l2audit.report.words import NONE, QUESTIONS, Table, count, digits_for, interval, percent, plain, power_of_ten
from l2audit.wording.display import MINUS
from l2audit.wording.phrases import Entry
from l2audit.wording.sentences import SHOWN


def controls(published: Published, *, judged: bool) -> dict[str, Any]:
    """Questions whose answer is known: expected, obtained, and a forest plot each."""
    rows, figures = [], []
    for control in published.verdicts["controls"]:
        run = control["outcome"] != NOT_RUN
        rows.append(
            [
                control["question"],
                " or ".join(control["expects"]),
                control["verdict"] if judged and run else NONE,
                control["outcome"] if judged or not run else NONE,
                count(control["n_datasets"]),
            ]
        )
        if run:
            told = f"{control['sentence']} {control['note']}".strip() if judged else control["note"]
            drawn = forest_picture(control, published)
            figures.append(drawn._replace(heading=control["question"], caption=told))
    head = ["Control", "Expected", "Obtained", "Result", "Datasets"]
    return {"controls": Table("Controls, judged by the same rule", head, rows, {4}), "control_figures": figures}


def oracles(found: Sequence[Entry]) -> dict[str, Any]:
    """Known results as tables: numbers in print, and theory; and how many hold. Any that fails stands in the first."""
    statement = Markup('{}<br><span class="soft">{}</span>')
    told = [{**one, "statement": statement.format(one["statement"], one["source"])} for one in found]
    theory = [one for one in told if one["holds"] and one["about"] != "published"]
    shown = sorted((one for one in told if one not in theory), key=lambda one: bool(one["holds"]))
    failed = [one["name"] for one in found if not one["holds"]]
    head = ("Known result and its source", "FAILS")
    return {
        "failed": failed,
        "sentence": f"{len(found) - len(failed)} of {len(found)} are reproduced.",
        "shown": check_table(shown, "Numbers in print, and what the code of this study makes of the same data", *head),
        "theory": check_table(theory, "Facts from theory, put to the code of this study", *head),
        "more": f"{count(len(theory))} facts from theory, each checked to the stated tolerance",
    }


def calibration(found: Mapping[str, Any] | None, judge: str | None) -> dict[str, Any] | None:
    """How often the judge errs on simulated studies of known truth: a sentence, the targets, and every scenario.

    judge: SHA-256 of the code that made the verdicts of the page, which need not be the one that was on trial.
    """
    if found is None:
        return None
    null = [row for row in found["scenarios"] if row["group"] in ("family", "family t3") and row["truth"] == "all 0"]
    worst = max((row["wrong_in_family"] for row in null), key=lambda rate: rate["rate"], default=None)
    tried = found.get("judge_sha256")
    if tried is None or judge is None:
        told = "It is not known whether the judge on trial was the one of this page: one of the two does not say."
    elif tried == judge:
        told = f"The judge on trial was the very one that made the verdicts here, {tried[:SHOWN]}."
    else:
        told = (
            f"Another version of the judge was on trial: {tried[:SHOWN]}, and the verdicts here are by"
            f" {judge[:SHOWN]}. These figures hold for it as far as the rule is the same; `make calibrate` puts the"
            " present one on trial."
        )
    targets = []
    for target in found["targets"]:
        truth, answer = QUESTIONS.get(target["target"], (target["target"], ""))
        demand = f"{target['demand']} {percent(target['limit'])}"
        met = "yes" if target["met"] else "NO"
        targets.append([truth, answer, demand, _rate(target["worst"]), count(target["scenarios"]), met])
    demanded = ["If this were so", "How often would the page say", "Demanded", "Measured, worst", "Settings", "Met"]
    scenarios = []  # rates of the verdicts on the first claim of each, and of a false one anywhere among its claims
    for row in found["scenarios"]:
        rates = {verdict: rate["rate"] for verdict, rate in row["rates"].items()}
        unsettled = sum(rate for verdict, rate in rates.items() if verdict.startswith("inconclusive"))
        shown = [rates[verdict] for verdict in (SUPPORTED, REVERSED, EXCLUDED, NEGLIGIBLE, MIXED)]
        scenarios.append(
            [
                f"{row['group']}: {row['truth']}".replace("-", MINUS),
                *(f"{row[key]:g}" for key in ("K", "tau", "seed_noise")),
                row["spread"],
                *(plain(100 * one, 1) if one else "0" for one in (*shown, unsettled, row["wrong_in_family"]["rate"])),
            ]
        )
    head = ["Truth, in δ", "Datasets", "Spread τ", "Seed noise", "Shape"]
    head += [f"{one}, %" for one in ("supported", "reversed", "excluded", "no effect", "mixed", "open", "any false")]
    numbers = {1, 2, 3, *range(5, len(head))}
    every = "Every simulated setting: how often the first claim got each verdict"
    return {
        "sentence": "If nothing were true, a study like this one would still call one of nine claims supported or "
        f"reversed in {_rate(worst, 'of studies ')}: the worst of {len(null)} settings, {count(found['studies'])} "
        "simulated studies each."
        if worst
        else "",
        "studies": count(found["studies"]),
        "scenarios": count(len(found["scenarios"])),
        "met": sum(target["met"] for target in found["targets"]),
        "of": len(found["targets"]),
        "targets": Table("Demands set beforehand, and what simulated studies showed", demanded, targets, {2, 3, 4}),
        "table": Table(every, head, scenarios, numbers),
        "same_judge": tried is not None and tried == judge,
        "judge": told,
    }


def _rate(rate: Entry, of: str = "") -> str:
    """A rate in per cent with its interval."""
    return f"{percent(rate['rate'], 1)} {of}{interval(100 * rate['low'], 100 * rate['high'], 1)}"


def trust(entries: Sequence[Entry], published: Published) -> dict[str, Any]:
    """Counts of runs by status, and what was left out.

    Certified: of the finished penalised runs those that have converged, per beta and arm.
    """
    runs: Mapping[str, int] = published.provenance["runs"]["by_status"]
    total = sum(runs.values())
    lost = total - runs.get("ok", 0)
    statuses = [[status, count(n), percent(n / total, 1)] for status, n in sorted(runs.items())]
    excluded = [
        [entry["id"], reason, count(n)]
        for entry in entries
        for reason, n in sorted({**entry["dropped"], **entry["unused"]}.items())
    ]
    penalised = published.summary[published.summary["beta"] > 0]
    weights = penalised.assign(certified=penalised["certified"] * penalised["n_ok"])
    sums = weights.pivot_table(["certified", "n_ok"], "beta", "arm", "sum")
    share = sums["certified"] / sums["n_ok"].where(sums["n_ok"] > 0)
    head = ["beta", *share.columns]
    certified = [[power_of_ten(beta), *map(percent, row)] for beta, *row in share.itertuples()]
    return {
        "runs_sentence": f"Of {count(total)} planned runs, {count(lost)} gave no result."
        if lost
        else f"All {count(total)} planned runs gave a result.",
        "statuses": Table("Runs by status", ["Status", "Runs", "Share"], statuses, {1, 2}),
        "certified": Table(words.CAPTIONS["certified"], head, certified, range(1, len(head))),
        "excluded": Table("Effects left out, by claim and reason", ["Claim", "Reason", "Effects"], excluded, {2}),
    }


def rule(entries: Sequence[Entry], published: Published) -> dict[str, Any]:
    """The thresholds of the rule, those that need words in words, and every verdict with what it takes."""
    constants, headline = published.constants, published.verdicts["headline"]
    parts = [part for entry in entries if entry["id"] == headline for part in measured_parts(entry)]
    margins = [
        f"{plain(100 * margin, 0)} percentage points of error"
        if task == "classification"
        else f"{plain(margin, digits_for(margin))} nRMSE"
        for task, margin in sorted(constants.band.items())
    ]
    share = percent(constants.dataset_share)
    return {
        "constants": constants,
        "band": " or ".join(margins),
        "delta_example": f"For claim ({headline}) δ is {one_delta(parts)}." if parts else "",
        "verdict_words": [
            {"badge": words.badge(verdict), "text": text.format(share=share)}
            for verdict, text in words.VERDICT_WORDS.items()
        ],
    }


def sources(verdicts: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Datasets, hashes and versions."""
    rows, cards = [], []
    for card in sorted(
        provenance["datasets"], key=lambda card: (card.get("role", "study") != "study", card["task"], card["name"])
    ):
        condition = card["condition_number"]
        source = str(card.get("source") or "")
        if source.startswith("file:"):  # of a file on somebody's disk, name and SHA-256 tell more than its folder
            source = ", SHA-256 ".join([f"file:{PurePath(source[5:]).name}", *card.get("raw_sha256", {}).values()])
        rows.append(
            [
                card["name"],
                card["task"] + (", control" if card.get("role") == "control" else ""),
                count(card["rows"]),
                count(card["columns"]),
                count(card.get("classes")),
                "singular" if condition >= SINGULAR else plain(condition, 0 if condition >= 10 else 1),
                "yes" if card["collinear"] else "no",
                card["licence"],
            ]
        )
        cards.append(
            {
                **{key: card.get(key) or "" for key in ("name", "description", "citation", "licence")},
                "source": source,
                "sha256": card.get("prepared_sha256", ""),
                "shared": ", ".join(card.get("shares_table_with") or ()),
            }
        )
    registered = verdicts.get("registered") or {"shards": {}}
    hashes = [
        ["registration", verdicts["registration_sha256"]],
        *(
            [f"registration of {count(n)} shards at their training", sha]
            for sha, n in registered["shards"].items()
            if sha != registered["present"]
        ),
        *([f"code of {stage}", value] for stage, value in sorted(provenance.get("code_sha256", {}).items())),
        ["lock file", provenance.get("lock_sha256")],
    ]
    code = Markup('<code class="hash">{}</code>')
    hash_rows = [[what, code.format(value)] for what, value in hashes if value]
    head = ["Dataset", "Task", "Rows", "Columns", "Classes", "Condition number", "Collinear", "Licence"]
    return {
        "datasets": Table("Datasets of the study and of its controls", head, rows, {2, 3, 4, 5}),
        "cards": cards,
        "hashes": Table("SHA-256 of what the results depend on", ["What", "SHA-256"], hash_rows),
        "versions": Table("Versions", ["Package", "Version"], sorted(provenance["versions"].items())),
    }
