"""The page's fixed words: badges, names of strata and levels, what each verdict means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from l2audit.judge import claims as judged
from l2audit.judge.wording import STRATA
from l2audit.report.digits import THIN, digits_for, percent, plain


@dataclass(frozen=True)
class Badge:
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
}

KINDS = {
    "sym": "flipped labels",
    "vert": "vertical outliers",
    "badlev": "bad leverage",
    "badlev_class": "bad leverage",
}

LOSSES = {"squared": "squared loss", "huber": "Huber loss", "cross_entropy": "cross-entropy"}


def badge(verdict: str) -> Badge:
    """The badge of a verdict; the kinds of "inconclusive", and words not known here, get the open one."""
    glyph, tone = _LOOKS.get(verdict, ("○", "open"))
    return Badge(verdict, glyph, tone)


def stratum(name: str) -> str:
    """A stratum in words; a name of the user's own stands as it is."""
    return STRATA.get(name, name)


def level(kind: str, rate: float, magnitude: float | None) -> str:
    """A contamination level in words, such as "vertical outliers 10 %, 10 s"."""
    size = f", {magnitude:g}{THIN}s" if magnitude is not None and magnitude == magnitude and magnitude else ""
    return f"{KINDS.get(kind, kind)} {percent(rate)}{size}"


def amount(task: Mapping[str, Any], u: float, *, sign: bool = False) -> str:
    """`u` deltas of one task of a part in its plain unit, such as "1.0 percentage points of test error"."""
    return f"{plain(u * task['delta'], digits_for(task['delta']), sign=sign)} {task['unit']}"
