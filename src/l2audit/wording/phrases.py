"""Phrases that sentences are made of: an effect with its interval, its size against delta, what a study could find.

Each phrase comes from a published entry alone. It is in plain units where the part has one, else a multiple of delta.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from l2audit.config.claims import Constants
from l2audit.wording.display import DISPLAYS, MINUS, PLAIN_DISPLAY, Display, number

Entry = Mapping[str, Any]

SEVERAL_UNITS = Display(
    larger="larger than the smallest effect that counts",
    reverse="the other way by more than the smallest effect that counts",
    within="smaller than the smallest effect that counts either way",
    average="an average effect as large as the smallest that counts",
)


def listed(names: Sequence[str]) -> str:
    """Names that may hold commas, as a list.

    >>> listed(["trees"]), listed(["trees", "nets, deep"])
    ('trees', 'trees and for nets, deep')
    """
    return " and for ".join(names)


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


def _display(part: Entry) -> tuple[Display, Entry]:
    """The display of a part, and its figures where its tasks share unit and delta; else `SEVERAL_UNITS` and nothing."""
    tasks = [entry for _, entry in sorted(part["tasks"].items()) if entry["n_datasets"]]
    if len({(entry["unit"], entry["delta"]) for entry in tasks}) != 1:
        return SEVERAL_UNITS, {}
    one, step = tasks[0], tasks[0]["delta"]
    figures = {key: part[key] * step for key in ("ci_low", "ci_high", "prediction_low", "prediction_high")}
    return DISPLAYS[one["display"]], {**one, **figures, "n_datasets": part["n_datasets"], "estimate": part["m"] * step}


def mean_clause(part: Entry) -> str:
    """A clause: mean and interval of a part, in its unit if it has one, else as a multiple with each task's figures."""
    show, figures = _display(part)
    if figures:
        return _with_interval(figures, show.opposite if (figures["estimate"] or 0) < 0 else show.effect)
    each = "; ".join(
        f"{_brief(entry)} in {task}, where {_step(entry)} counts"
        for task, entry in sorted(part["tasks"].items())
        if entry["n_datasets"]
    )
    return f"the effect is {_times(part, 'the smallest that counts')} ({each})"


def brief(part: Entry) -> str:
    """As `mean_clause`, without the figures of each task."""
    _, figures = _display(part)
    return _brief(figures) if figures else _times(part, "the smallest effect that counts")


def _brief(task: Entry) -> str:
    return _with_interval(task, "{value} {unit}" if task["display"] == PLAIN_DISPLAY else "{value}")


def _with_interval(task: Entry, clause: str) -> str:
    """`clause` about the mean of one task, then its interval; a single dataset has none."""
    show, step = DISPLAYS[task["display"]], task["delta"]
    text = clause.format(value=show.number(task["estimate"], step, sign=True), unit=task["unit"])
    low, high = show.ends(task["ci_low"], task["ci_high"], step)
    return text if task["n_datasets"] < 2 else f"{text} [{low}, {high}]"


def _times(part: Entry, what: str) -> str:
    return f"{multiple(part['m'], part['ci_low'], part['ci_high'])} times {what}"


def _step(task: Entry, sign: int = 1) -> str:
    """Delta as it is shown; `sign` -1: the same effect the other way round, which in a ratio is another number."""
    return DISPLAYS[task["display"]].number(sign * task["delta"], task["delta"]).removeprefix(MINUS)


def against_delta(part: Entry, relation: str) -> str:
    """How a part compares with the smallest effect that counts; `relation`: a field of `Display`."""
    show, figures = _display(part)
    value = _step(figures, -1 if relation == "reverse" else 1) if figures else ""
    return str(getattr(show, relation)).format(value=value, unit=figures.get("unit"))


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
    size = f"an average effect of at least {times}"
    if figures:
        value = show.number(mde * figures["delta"], figures["delta"])
        size = f"{show.at_least.format(value=value, unit=figures['unit'])} ({times})"
    return f"This study could have found {size} with 90 % power."


def outlook(part: Entry) -> str:
    """What a new dataset would show, and whether it would reach the threshold on the side of the mean."""
    low, high = part["prediction_low"], part["prediction_high"]
    show, figures = _display(part)
    text = f"{number(low, 1)} to {number(high, 1)} times the smallest effect that counts"
    if figures:
        text = " to ".join(show.ends(figures["prediction_low"], figures["prediction_high"], figures["delta"]))
    every = low > 1 if part["m"] > 0 else high < -1
    return f"A new dataset: {text}{'' if every else ', so not in every dataset'}."
