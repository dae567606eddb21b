"""Phrases that sentences are made of: an effect with its interval, its size against delta, what a study could find.

Each is made from a published entry alone, in plain units where the part has one, else as a multiple of delta.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l2audit.config.claims import Constants
from l2audit.wording.display import DISPLAYS, MINUS, Display, number

Entry = Mapping[str, Any]


def counted(n: int, noun: str) -> str:
    """`n` and the noun, plural where it is one.

    >>> counted(1, "dataset"), counted(12, "dataset")
    ('1 dataset', '12 datasets')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def units(part: Entry) -> list[tuple[str, Entry]]:
    """(task, figures) of each task with datasets; tasks that share unit and delta are one, named ""."""
    tasks = [(task, entry) for task, entry in sorted(part["tasks"].items()) if entry["n_datasets"]]
    if len({(entry["unit"], entry["delta"]) for _, entry in tasks}) != 1:
        return tasks
    step = tasks[0][1]["delta"]
    figures = {key: part[key] * step for key in ("ci_low", "ci_high", "prediction_low", "prediction_high")}
    counts = {key: part[key] for key in ("n_datasets", "n_clipped", "all_cut")}
    return [("", {**tasks[0][1], **figures, **counts, "estimate": part["m"] * step})]


OR_BEYOND = " or beyond"


def all_cut(entry: Entry) -> bool:
    """Whether every score of a part, or of one task of it, was cut on the same side: its mean is then a bound."""
    return bool(entry["all_cut"])


def estimate(part: Entry) -> str:
    """A clause: mean and interval of a part, in its unit if it has one, else as a multiple with each task's figures."""
    found = units(part)
    if len(found) == 1:
        (_, task), show = found[0], _display(part)
        clause = show.effect if task["estimate"] is None or task["estimate"] >= 0 else show.opposite
        return clause.format(value=_signed(task), unit=task["unit"]) + _interval(task)
    each = "; ".join(f"{brief_figures(entry)} in {task}, where {_step(entry)} counts" for task, entry in found)
    return f"the effect is {_times(part, 'the smallest that counts')} ({each})"


def brief(part: Entry) -> str:
    """As `estimate`, without the figures of each task."""
    found = units(part)
    if len(found) == 1:
        return brief_figures(found[0][1])
    return _times(part, "the smallest effect that counts")


def brief_figures(task: Entry) -> str:
    """Mean, unit and interval of one task."""
    amount = Display().amount if task["display"] == "plain" else "{value}"
    return amount.format(value=_signed(task), unit=task["unit"]) + _interval(task)


def _signed(task: Entry) -> str:
    return DISPLAYS[task["display"]].number(task["estimate"], task["delta"], sign=True)


def _times(part: Entry, what: str) -> str:
    if all_cut(part):
        return f"{number(part['m'], 1, sign=True)} times {what}{OR_BEYOND}"
    return f"{multiple(part['m'], part['ci_low'], part['ci_high'])} times {what}"


def _interval(task: Entry) -> str:
    """The interval of a mean; scores that were all cut have none."""
    if all_cut(task):
        return OR_BEYOND
    if task["n_datasets"] < 2:
        return ""
    low, high = DISPLAYS[task["display"]].ends(task["ci_low"], task["ci_high"], task["delta"])
    return f" [{low}, {high}]"


def multiple(value: float, low: float, high: float) -> str:
    """A mean with its interval in multiples of delta."""
    return f"{number(value, 1, sign=True)} [{number(low, 1)}, {number(high, 1)}]"


def _step(task: Entry, sign: int = 1) -> str:
    """Delta as it is shown; `sign` -1: the same effect the other way round, which in a ratio is another number."""
    return DISPLAYS[task["display"]].number(sign * task["delta"], task["delta"]).removeprefix(MINUS)


SEVERAL_UNITS = Display(
    larger="larger than the smallest effect that counts",
    reverse="the other way by more than the smallest effect that counts",
    within="smaller than the smallest effect that counts either way",
    excluded="an average effect as large as the smallest that counts is excluded",
)


def _display(part: Entry) -> Display:
    found = units(part)
    return DISPLAYS[found[0][1]["display"]] if len(found) == 1 else SEVERAL_UNITS


def against_delta(part: Entry, relation: str) -> str:
    """How a part compares with the smallest effect that counts; `relation`: a field of `Display`."""
    found = units(part)
    value = _step(found[0][1], -1 if relation == "reverse" else 1) if len(found) == 1 else ""
    text: str = getattr(_display(part), relation)
    return text.format(value=value, unit=found[0][1]["unit"] if found else "")


def detectable(row: Entry, constants: Constants) -> str:
    """What the row could have found; "" where there is no spread to tell it by."""
    mde = row["mde"]
    if mde is None or not mde < float("inf"):
        return ""
    if mde > constants.clip:
        most = f"{constants.clip:g} times the smallest that counts, where scores are cut,"
        return f"At this spread even an average effect of {most} could have been missed."
    part = max(row["parts"], key=lambda one: one["mde"])
    found, show = units(part), _display(part)
    times = f"{number(mde, 1)} times the smallest that counts"
    if len(found) != 1:
        return f"This study could have found an average effect of at least {times} with 90 % power."
    task = found[0][1]
    size = show.at_least.format(value=show.number(mde * task["delta"], task["delta"]), unit=task["unit"])
    return f"This study could have found {size} ({times}) with 90 % power."


def outlook(part: Entry) -> str:
    """What a new dataset would show, and whether it would reach the threshold on the side of the mean.

    "" where all scores were cut: their spread is not known.
    """
    if all_cut(part):
        return ""
    low, high = part["prediction_low"], part["prediction_high"]
    found = units(part)
    if len(found) == 1:
        figures = found[0][1]
        ends = figures["prediction_low"], figures["prediction_high"], figures["delta"]
        text = " to ".join(_display(part).ends(*ends))
    else:
        text = f"{number(low, 1)} to {number(high, 1)} times the smallest effect that counts"
    every = low > 1 if part["m"] > 0 else high < -1
    return f"A new dataset: {text}{'' if every else ', so not in every dataset'}."


def named(part: Entry) -> str:
    """A part's name in a sentence: its statement, or the words before the colon where there are such."""
    return titled(part["statement"])


def titled(statement: str) -> str:
    """The statement of a part as its name."""
    whole = statement.strip().rstrip(".")
    name, colon, _ = whole.partition(":")
    return f"“{name if colon else whole}”"


def capital(text: str) -> str:
    """`text` with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]
