"""What the verdicts lean on besides data: known results, the judge's own trial, and when the rule was registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from l2audit.config.claims import EXCLUDED, MIXED, NEGLIGIBLE, REVERSED, SUPPORTED
from l2audit.report.sections import Table
from l2audit.report.words import MINUS, count, exact, interval, percent, plain
from l2audit.wording.registered import CHANGED, SHOWN, registration_status

Row = Mapping[str, Any]


def failed_oracles(oracles: Sequence[Row]) -> list[str]:
    """Names of the known results that were not reproduced."""
    return [oracle["name"] for oracle in oracles if not oracle["holds"]]


def oracles(found: Sequence[Row]) -> dict[str, Any]:
    """Known results as tables: numbers in print, and theory; and how many hold. Any that fails stands in the first."""
    theory = [oracle for oracle in found if oracle["holds"] and oracle["about"] != PUBLISHED]
    shown = [oracle for oracle in found if oracle not in theory]
    shown.sort(key=lambda oracle: bool(oracle["holds"]))
    return {
        "sentence": f"{len(found) - len(failed_oracles(found))} of {len(found)} are reproduced.",
        "shown": _oracle_table("Numbers in print, and what the code of this study makes of the same data", shown),
        "theory": _oracle_table("Facts from theory, put to the code of this study", theory),
        "more": f"{count(len(theory))} facts from theory, each checked to the stated tolerance",
    }


PUBLISHED = "published"
"""What an oracle of numbers in print is `about`."""


def _oracle_table(caption: str, found: Sequence[Row]) -> Table | None:
    rows = [
        [
            Markup('{}<br><span class="soft">{}</span>').format(oracle["statement"], oracle["source"]),
            _numbers(oracle["expected"]),
            _numbers(oracle["obtained"]),
            exact(oracle["tolerance"]) if oracle["tolerance"] else "",
            "holds" if oracle["holds"] else "FAILS",
        ]
        for oracle in found
    ]
    head = ["Known result and its source", "Expected", "Obtained", "Tolerance", "Result"]
    return Table(caption, head, rows, frozenset({1, 2, 3})) if rows else None


def _numbers(value: Any) -> Any:
    """A number, or a list of numbers one below the other."""
    return Markup("<br>").join(exact(one) for one in value) if isinstance(value, list) else exact(value)


@dataclass(frozen=True)
class Question:
    """A target of the calibration in plain words: what would be true, and what the page would then say."""

    truth: str
    answer: str


QUESTIONS = {
    "1 any wrong verdict in nine claims": Question(
        "Nine claims, their effects anywhere, also exactly on the smallest that counts",
        "something false about at least one of them",
    ),
    "1 any wrong verdict in their kinds": Question(
        "Nine claims, judged in each of three kinds of outliers", "something false about at least one of them"
    ),
    "1 the same at 0, skewed spread": Question(
        "Nothing is true, and effects are spread very unevenly over datasets",
        "something false about at least one claim",
    ),
    "1 a wrong verdict on a conjunction": Question("A claim of two parts", "something false about it"),
    "1 a wrong verdict with gaps": Question("Runs and datasets are missing at random", "something false about a claim"),
    "2 supported at +3, tau <= 1": Question(
        "An effect three times the smallest that counts; datasets agree well (12 datasets)", SUPPORTED
    ),
    "2 supported at +3, tau = 1.5": Question("The same effect; datasets agree less", SUPPORTED),
    "2 supported at +5, tau <= 2": Question(
        "An effect five times the smallest that counts; datasets differ", SUPPORTED
    ),
    "3 no meaningful effect where one is near": Question(
        "An effect a little above the smallest that counts, or two that cancel", NEGLIGIBLE
    ),
    "4 no meaningful effect at 0, tau <= 0.5, s <= 2": Question("No effect, and datasets agree", NEGLIGIBLE),
    "5 mixed at kinds +4/-4": Question("Opposite effects in two kinds of outliers", MIXED),
    "5 mixed at datasets 70/30": Question("The claim holds in 70 % of the datasets, the opposite in 30 %", MIXED),
    "5 any false mixed, tau <= 1": Question("Effects that are the same everywhere", f"{MIXED}, of at least one claim"),
    "6 placebo supported or reversed": Question(
        "A penalty that does nothing, judged as a control", f"{SUPPORTED} or {REVERSED}"
    ),
    "7 a negative verdict while L2 is inactive": Question(
        "A penalty too weak to act", f"{REVERSED}, {EXCLUDED} or {NEGLIGIBLE}"
    ),
}
"""By the name of a target in calibration.json; one that is not listed goes by its own name."""


def calibration(found: Mapping[str, Any] | None, judge: str | None) -> dict[str, Any] | None:
    """How often the judge errs on simulated studies of known truth: a sentence, the targets, and every scenario.

    judge: SHA-256 of the code that made the verdicts of the page, which need not be the one that was on trial.
    """
    if found is None:
        return None
    tried = found.get("judge_sha256")
    null = [row for row in found["scenarios"] if row["group"] in ("family", "family t3") and row["truth"] == "all 0"]
    worst = max(null, key=lambda row: row["wrong_in_family"]["rate"])["wrong_in_family"] if null else None
    return {
        "sentence": _null_sentence(worst, len(null), found["studies"]) if worst else "",
        "studies": count(found["studies"]),
        "scenarios": count(len(found["scenarios"])),
        "met": sum(target["met"] for target in found["targets"]),
        "of": len(found["targets"]),
        "targets": _targets(found["targets"]),
        "table": _scenarios(found["scenarios"]),
        "same_judge": tried is not None and tried == judge,
        "judge": _which_judge(tried, judge),
    }


def _which_judge(tried: str | None, judge: str | None) -> str:
    """Whether the verdicts of the page were made by the judge that was on trial."""
    if tried is None or judge is None:
        return "It is not known whether the judge on trial was the one of this page: one of the two does not say."
    if tried == judge:
        return f"The judge on trial was the very one that made the verdicts here, {tried[:SHOWN]}."
    return (
        f"Another version of the judge was on trial: {tried[:SHOWN]}, and the verdicts here are by"
        f" {judge[:SHOWN]}. These figures hold for it as far as the rule is the same; `make calibrate` puts the"
        " present one on trial."
    )


def _null_sentence(worst: Row, settings: int, studies: int) -> str:
    return (
        f"If nothing were true, a study like this one would still call one of nine claims supported or reversed in "
        f"{percent(worst['rate'], 1)} of studies {_interval(worst)}: the worst of {settings} settings, "
        f"{count(studies)} simulated studies each."
    )


def _interval(rate: Row) -> str:
    return interval(100 * rate["low"], 100 * rate["high"], 1)


def _targets(targets: Sequence[Row]) -> Table:
    rows = []
    for target in targets:
        asked = QUESTIONS.get(target["target"], Question(target["target"], ""))
        rows.append(
            [
                asked.truth,
                asked.answer,
                f"{target['demand']} {percent(target['limit'])}",
                f"{percent(target['worst']['rate'], 1)} {_interval(target['worst'])}",
                count(target["scenarios"]),
                "yes" if target["met"] else "NO",
            ]
        )
    head = ["If this were so", "How often would the page say", "Demanded", "Measured, worst", "Settings", "Met"]
    return Table("Demands set beforehand, and what simulated studies showed", head, rows, frozenset({2, 3, 4}))


COLUMNS: tuple[tuple[str, Callable[[Row], float]], ...] = (
    ("supported", lambda row: row["rates"][SUPPORTED]["rate"]),
    ("reversed", lambda row: row["rates"][REVERSED]["rate"]),
    ("excluded", lambda row: row["rates"][EXCLUDED]["rate"]),
    ("no effect", lambda row: row["rates"][NEGLIGIBLE]["rate"]),
    ("mixed", lambda row: row["rates"][MIXED]["rate"]),
    ("open", lambda row: sum(rate["rate"] for name, rate in row["rates"].items() if name.startswith("inconclusive"))),
    ("any false", lambda row: row["wrong_in_family"]["rate"]),
)
"""Columns of the table of scenarios: the verdict of its first claim, and a false one anywhere among its claims."""


def _scenarios(rows: Sequence[Row]) -> Table:
    lines = [
        [
            f"{row['group']}: {row['truth']}".replace("-", MINUS),
            *(f"{row[key]:g}" for key in ("K", "tau", "seed_noise")),
            row["spread"],
            *(plain(100 * value(row), 1) if value(row) else "0" for _, value in COLUMNS),
        ]
        for row in rows
    ]
    head = ["Truth, in δ", "Datasets", "Spread τ", "Seed noise", "Shape", *(f"{name}, %" for name, _ in COLUMNS)]
    numbers = frozenset({1, 2, 3, *range(5, len(head))})
    return Table("Every simulated setting: how often the first claim got each verdict", head, lines, numbers)


def registration(verdicts: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the rule was there before the runs: the sentence, a stamp if it was not, and rows of hashes."""
    found = verdicts.get("registered") or registration_status(verdicts["registration_sha256"], {})
    others = [
        [f"registration of {count(n)} shards at their training", sha]
        for sha, n in found["shards"].items()
        if sha != found["present"]
    ]
    return {
        "sentence": found["sentence"],
        "stamp": found["sentence"] if found["status"] == CHANGED else "",
        "hashes": others,
    }
