"""Betas as a study lists them: numbers, and ranges that stand for many.

Not in `l2audit.config.study`: training depends on that file, and must not be repeated because lists are read otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

MOST = 1000
"""Values that one range may stand for: each is a model a dataset, level, loss and seed."""


def betas_of(entries: Iterable[float | Mapping[str, float]]) -> tuple[float, ...]:
    """All betas of a list of numbers and ranges, ascending, each once; ranges are free of faults."""
    found: set[float] = set()
    for entry in entries:
        found.update(values_of(entry) if isinstance(entry, Mapping) else [float(entry)])
    return tuple(sorted(found))


def values_of(entry: Mapping[str, float]) -> list[float]:
    """What `{from, to, per_decade}` stands for: the values of that series from one end to the other, ascending.

    The series has n values to a decade, 10^(k / n) for whole k, rounded to three significant digits: the calculated
    values of preferred numbers (ISO 3), which hold every power of ten whatever the ends.
    """
    per_decade = int(entry["per_decade"])
    first, last = (_step(entry[end], per_decade) for end in ("from", "to"))
    return [_value(step, per_decade) for step in range(first, last + 1)]


def length_of(entry: Mapping[str, float]) -> int:
    """How many values a range stands for."""
    first, last = (_step(entry[end], int(entry["per_decade"])) for end in ("from", "to"))
    return last - first + 1


def nearest_value(number: float, per_decade: int) -> float:
    """The value of the series that is nearest to `number` > 0 on a logarithmic scale."""
    return _value(_step(number, per_decade), per_decade)


def _step(number: float, per_decade: int) -> int:
    return round(per_decade * math.log10(number))


def _value(step: int, per_decade: int) -> float:
    return float(f"{10 ** (step / per_decade):.3g}")
