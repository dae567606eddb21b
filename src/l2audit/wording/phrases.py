"""Phrases that sentences are made of: an effect with its interval, its size against delta, what a study could find.

Each phrase comes from a published entry alone. It is in plain units where the part has one, else a multiple of delta.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l2audit.config.claims import Constants
from l2audit.wording.display import DISPLAYS, MINUS, PLAIN_DISPLAY, Display, number

Entry = Mapping[str, Any]

OR_BEYOND = " or beyond"
"""Stands for the interval of a mean whose scores were all cut on one side: the mean is then a bound."""

SEVERAL_UNITS = Display(
    larger="larger than the smallest effect that counts",
    reverse="the other way by more than the smallest effect that counts",
    within="smaller than the smallest effect that counts either way",
    excluded="an average effect as large as the smallest that counts is excluded",
)


def plural(n: int, noun: str) -> str:
    """`n` and the noun, plural where it is one.

    >>> plural(1, "dataset"), plural(12, "dataset")
    ('1 dataset', '12 datasets')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def capital(text: str) -> str:
    """`text` with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def titled(statement: str) -> str:
    """The statement of a part as its name in a sentence: the words before the colon, where there is one."""
    return f"“{statement.partition(':')[0].strip().rstrip('.')}”"


def multiple(value: float, low: float, high: float) -> str:
    """A mean with its interval in multiples of delta."""
    return f"{number(value, 1, sign=True)} [{number(low, 1)}, {number(high, 1)}]"


def units(part: Entry) -> list[tuple[str, Entry]]:
    """(task, figures) of each task with datasets; tasks that share unit and delta are one, named ""."""
    tasks = [(task, entry) for task, entry in sorted(part["tasks"].items()) if entry["n_datasets"]]
    if len({(entry["unit"], entry["delta"]) for _, entry in tasks}) != 1:
        return tasks
    step = tasks[0][1]["delta"]
    figures = {key: part[key] * step for key in ("ci_low", "ci_high", "prediction_low", "prediction_high")}
    counts = {key: part[key] for key in ("n_datasets", "n_clipped", "all_cut")}
    return [("", {**tasks[0][1], **figures, **counts, "estimate": part["m"] * step})]


def _display(part: Entry) -> tuple[Display, Entry]:
    """The display of a part, and its figures where it has one unit; else `SEVERAL_UNITS` and nothing."""
    found = units(part)
    return (DISPLAYS[found[0][1]["display"]], found[0][1]) if len(found) == 1 else (SEVERAL_UNITS, {})


def mean_clause(part: Entry) -> str:
    """A clause: mean and interval of a part, in its unit if it has one, else as a multiple with each task's figures."""
    show, figures = _display(part)
    if figures:
        clause = show.opposite if (figures["estimate"] or 0) < 0 else show.effect
        return _with_interval(figures, clause)
    each = "; ".join(f"{brief_figures(entry)} in {task}, where {_step(entry)} counts" for task, entry in units(part))
    return f"the effect is {_times(part, 'the smallest that counts')} ({each})"


def brief(part: Entry) -> str:
    """As `mean_clause`, without the figures of each task."""
    _, figures = _display(part)
    return brief_figures(figures) if figures else _times(part, "the smallest effect that counts")


def brief_figures(task: Entry) -> str:
    """Mean, unit and interval of one task."""
    return _with_interval(task, "{value} {unit}" if task["display"] == PLAIN_DISPLAY else "{value}")


def _with_interval(task: Entry, clause: str) -> str:
    """`clause` about the mean of one task, then its interval; a single dataset has none."""
    show, step = DISPLAYS[task["display"]], task["delta"]
    text = clause.format(value=show.number(task["estimate"], step, sign=True), unit=task["unit"])
    if task["all_cut"]:
        return text + OR_BEYOND
    low, high = show.ends(task["ci_low"], task["ci_high"], step)
    return text if task["n_datasets"] < 2 else f"{text} [{low}, {high}]"


def _times(part: Entry, what: str) -> str:
    if part["all_cut"]:
        return f"{number(part['m'], 1, sign=True)} times {what}{OR_BEYOND}"
    return f"{multiple(part['m'], part['ci_low'], part['ci_high'])} times {what}"


def _step(task: Entry, sign: int = 1) -> str:
    """Delta as it is shown; `sign` -1: the same effect the other way round, which in a ratio is another number."""
    return DISPLAYS[task["display"]].number(sign * task["delta"], task["delta"]).removeprefix(MINUS)


def against_delta(part: Entry, relation: str) -> str:
    """How a part compares with the smallest effect that counts; `relation`: a field of `Display`."""
    show, figures = _display(part)
    text: str = getattr(show, relation)
    if not figures:
        return text
    return text.format(value=_step(figures, -1 if relation == "reverse" else 1), unit=figures["unit"])


def detectable(row: Entry, constants: Constants) -> str:
    """What the row could have found; "" where there is no spread to tell it by."""
    mde = row["mde"]
    if mde is None or not mde < float("inf"):
        return ""
    if mde > constants.clip:
        most = f"{constants.clip:g} times the smallest that counts, where scores are cut,"
        return f"At this spread even an average effect of {most} could have been missed."
    show, figures = _display(max(row["parts"], key=lambda one: one["mde"]))
    times = f"{number(mde, 1)} times the smallest that counts"
    if not figures:
        return f"This study could have found an average effect of at least {times} with 90 % power."
    value = show.number(mde * figures["delta"], figures["delta"])
    size = show.at_least.format(value=value, unit=figures["unit"])
    return f"This study could have found {size} ({times}) with 90 % power."


def outlook(part: Entry) -> str:
    """What a new dataset would show, and whether it would reach the threshold on the side of the mean.

    "" where all scores were cut: their spread is not known.
    """
    if part["all_cut"]:
        return ""
    low, high = part["prediction_low"], part["prediction_high"]
    show, figures = _display(part)
    if figures:
        text = " to ".join(show.ends(figures["prediction_low"], figures["prediction_high"], figures["delta"]))
    else:
        text = f"{number(low, 1)} to {number(high, 1)} times the smallest effect that counts"
    every = low > 1 if part["m"] > 0 else high < -1
    return f"A new dataset: {text}{'' if every else ', so not in every dataset'}."
