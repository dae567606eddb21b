"""Numbers as a reader meets them: sensible digits, a real minus sign, a unit that says what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable

MINUS = "\u2212"
THIN = "\u202f"  # narrow no-break space: groups thousands, stands between a number and its unit
NONE = "\u2013"


def plain(value: float | None, digits: int, *, sign: bool = False) -> str:
    """`value` with `digits` decimals and a real minus sign; an en dash for what is absent or not finite.

    >>> plain(-0.04, 1), plain(2.345, 2, sign=True), plain(None, 1)
    ('0.0', '+2.35', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{abs(value):,.{digits}f}".replace(",", THIN)
    if float(f"{abs(value):.{digits}f}") == 0:
        return text
    if value < 0:
        return MINUS + text
    return "+" + text if sign else text


def digits_for(scale: float) -> int:
    """Decimals that show about two significant digits of a quantity of size `scale` (0 to 4)."""
    if not math.isfinite(scale) or scale <= 0:
        return 2
    return min(4, max(0, 1 - math.floor(math.log10(scale))))


def count(value: float | None) -> str:
    """A whole number with grouped thousands."""
    return plain(value, 0)


def span(least: int, most: int) -> str:
    """A range of whole numbers, or the one that it consists of.

    >>> span(5, 10), span(3, 3)
    ('5 to 10', '3')
    """
    return count(least) if least == most else f"{count(least)} to {count(most)}"


def percent(share: float | None, digits: int = 0) -> str:
    """A share in [0, 1] as a percentage."""
    return NONE if share is None or not math.isfinite(share) else f"{plain(100 * share, digits)}{THIN}%"


def interval(low: float | None, high: float | None, digits: int) -> str:
    """A closed interval."""
    return f"[{plain(low, digits)}, {plain(high, digits)}]"


def power_of_ten(value: float) -> str:
    """A penalty strength: '0', '0.3' or '1e−5' in the notation 1·10^k that a reader expects.

    >>> power_of_ten(0.003), power_of_ten(0.1), power_of_ten(1e-5)
    ('0.003', '0.1', '10⁻⁵')
    """
    if value == 0 or 1e-3 <= value < 1e4:
        return f"{value:g}"
    exponent = math.floor(math.log10(value))
    raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    mantissa = value / 10**exponent
    return f"10{raised}" if math.isclose(mantissa, 1) else f"{mantissa:g}·10{raised}"


def exact(value: object) -> str:
    """A number of an exact check, six significant digits, or two of what is round-off; anything else as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:.{2 if abs(value) < 1e-6 else 6}g}".replace("-", MINUS)


def short(value: float) -> str:
    """A number to follow by hand: four significant digits."""
    return f"{value:.4g}".replace("-", MINUS)


def vector(values: Iterable[float]) -> str:
    """A short list of numbers in brackets."""
    return "[" + ", ".join(short(value) for value in values) + "]"
