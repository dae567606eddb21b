"""How the page says it: numbers with sensible digits, verdicts, levels and units in words, and tables."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple

import yaml
from markupsafe import Markup

from l2audit.config import claims as judged
from l2audit.wording.display import DISPLAYS, MINUS

THIN = "\u202f"  # narrow no-break space: groups thousands, stands between a number and its unit
NONE = "\u2013"

_FIXED = yaml.safe_load(resources.files("l2audit.report").joinpath("templates/words.yaml").read_text("utf-8"))
KINDS: dict[str, str] = _FIXED["kinds"]
LOSSES: dict[str, str] = _FIXED["losses"]
CAPTIONS: dict[str, str] = _FIXED["captions"]
QUESTIONS: dict[str, tuple[str, str]] = _FIXED["questions"]
"""Targets of calibration.json in plain words: what would be true, and what the page would then say."""


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


def percent(share: float | None, digits: int = 0) -> str:
    """A share in [0, 1] as a percentage."""
    return NONE if share is None or not math.isfinite(share) else f"{plain(100 * share, digits)}{THIN}%"


def interval(low: float | None, high: float | None, digits: int) -> str:
    """A closed interval."""
    return f"[{plain(low, digits)}, {plain(high, digits)}]"


def estimate(mean: float | None, low: float | None, high: float | None, digits: int = 1) -> str:
    """A mean with its sign, then its interval."""
    return f"{plain(mean, digits, sign=True)} {interval(low, high, digits)}"


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
    """A number of an exact check, six significant digits, or two of what is round-off; anything else as text.

    A list of numbers is one below the other.
    """
    if isinstance(value, list):
        return Markup("<br>").join(exact(one) for one in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:.{2 if abs(value) < 1e-6 else 6}g}".replace("-", MINUS)


def short(value: float) -> str:
    """A number to follow by hand: four significant digits."""
    return f"{value:.4g}".replace("-", MINUS)


def vector(values: Iterable[float]) -> str:
    """A short list of numbers in brackets."""
    return "[" + ", ".join(short(value) for value in values) + "]"


@dataclass(frozen=True)
class Table:
    """A plain table: `right` are the columns of numbers, `totals` the rows that sum up. One without rows is false.

    A row whose first cell is empty goes on with the subject of the row above.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    right: Collection[int] = ()
    totals: Collection[int] = ()

    def __bool__(self) -> bool:
        return bool(self.rows)


class Badge(NamedTuple):
    """A verdict as shown: its word, a glyph and a tone (a CSS class). The glyph says what the colour says."""

    text: str
    glyph: str
    tone: str


_LOOKS = {
    judged.SUPPORTED: ("▲", "agree"),
    judged.REVERSED: ("▼", "against"),
    judged.EXCLUDED: ("▽", "against"),
    judged.REFUTED: ("✕", "against"),
    judged.NEGLIGIBLE: ("●", "null"),
    judged.MIXED: ("◆", "mixed"),
    judged.DEPENDS: ("◐", "mixed"),
}

VERDICT_WORDS = {
    judged.SUPPORTED: "The whole interval lies above +δ.",
    judged.REVERSED: "The whole interval lies below −δ: the opposite of the claim holds.",
    judged.EXCLUDED: "The interval lies below +δ: an average effect as large as claimed is excluded; "
    "whether it is zero or reversed is not settled.",
    judged.NEGLIGIBLE: "The interval lies within ±δ, and in no kind of contamination is the average estimated outside.",
    judged.MIXED: "It holds and its opposite holds: in one kind of contamination each, or decisively in at least "
    "{share} of the datasets (and at least two) each.",
    judged.INCONCLUSIVE: "Anything else. It is not evidence of absence.",
    judged.DEPENDS: "Of a claim judged in situations: it holds in one, and its opposite holds in another.",
    judged.REFUTED: "Of a claim judged in situations: none supports it, and at least three quarters speak against it. "
    "Of an exact check: it fails.",
    judged.OPEN: "Of a claim judged in situations: neither supported, nor refuted, nor dependent on the situation.",
}


def badge(verdict: str) -> Badge:
    """The badge of a verdict; the kinds of "inconclusive", and words not known here, get the open one."""
    glyph, tone = _LOOKS.get(verdict, ("○", "open"))
    return Badge(verdict, glyph, tone)


def anchor(claim_id: str) -> str:
    """The id of a claim's section: letters, digits and hyphens."""
    return "claim-" + "".join(c if c.isalnum() or c in "-_" else "-" for c in claim_id)


def level(kind: str, rate: float, magnitude: float) -> str:
    """A contamination level in words, such as "vertical outliers 10 %, 10 s"."""
    size = ""
    if magnitude and not math.isnan(magnitude):
        size = f", ν{THIN}={THIN}{magnitude:g}" if kind == "student" else f", {magnitude:g}{THIN}s"
    share = "" if rate == 1 else f" {percent(rate)}"
    return f"{KINDS.get(kind, kind)}{share}{size}"


def delta(task: Mapping[str, Any]) -> str:
    """The smallest effect that counts in one task of a part, such as "1.0 percentage points of test error"."""
    show = DISPLAYS[task["display"]]
    return show.amount.format(value=show.number(task["delta"], task["delta"]), unit=task["unit"])


def heading(task: Mapping[str, Any]) -> str:
    """What a column of effects of one task is headed with."""
    return DISPLAYS[task["display"]].heading.format(unit=task["unit"])


def figures(task: Mapping[str, Any]) -> str:
    """Mean and interval of one task of a part, without their unit."""
    show, step = DISPLAYS[task["display"]], task["delta"]
    low, high = show.ends(task["ci_low"], task["ci_high"], step)
    return f"{show.number(task['estimate'], step, sign=True)} [{low}, {high}]"
