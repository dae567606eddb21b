"""The page's fixed words: badges, names of strata and levels, what each verdict means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from l2audit.config import claims as judged
from l2audit.report.digits import THIN, percent
from l2audit.wording.display import DISPLAYS
from l2audit.wording.sentences import STRATA


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
    "pair": "labels flipped to the next class",
    "vert": "vertical outliers",
    "vert2": "vertical outliers, both ways",
    "shift": "systematic shift",
    "student": "heavy-tailed noise",
    "badlev": "bad leverage",
    "badlev_pc1": "bad leverage, first component",
    "badlev_last": "bad leverage, last component",
    "goodlev": "good leverage",
    "badlev_class": "bad leverage",
    "cell": "cellwise outliers",
}

MAGNITUDES = {"student": "ν\u202f=\u202f{}"}
"""How the magnitude of a kind is written, where it is not a multiple of s."""

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
    size = ""
    if magnitude is not None and magnitude == magnitude and magnitude:
        size = ", " + MAGNITUDES.get(kind, f"{{}}{THIN}s").format(f"{magnitude:g}")
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
