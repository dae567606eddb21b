"""How often a verdict is wrong: the book-keeping that all trials of the judge share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from l2audit.effects.grid import Mask
from l2audit.judge import rule
from l2audit.judge.rule import Codes

DIRECTED = (rule.SUPPORTED, rule.REVERSED, rule.EXCLUDED)
"""The verdicts whose family-wise error the rule controls; "no meaningful effect" has a target of its own."""


def rate(hits: Mask | int, studies: int) -> dict[str, float]:
    """The share of `hits` among the studies with its exact 95 % interval (Clopper & Pearson 1934)."""
    count = int(np.sum(hits))
    low, high = stats.binomtest(count, studies).proportion_ci(method="exact")
    return {"rate": count / studies, "low": round(float(low), 6), "high": round(float(high), 6)}


def wrong(verdict: Codes, means: Sequence[float], among: Sequence[int] = (*DIRECTED, rule.NEGLIGIBLE)) -> Mask:
    """Whether verdicts of one row contradict its truth, the mean of each of its parts; only verdicts in `among` count.

    Supported needs every mean above 1, reversed every mean below -1, no meaningful effect every mean within; exclusion
    needs one mean below 1. A truth on the boundary makes either neighbour wrong. Mixed and inconclusive are never wrong
    here: "mixed" is a statement about these datasets and has a rate of its own.
    """
    mean = np.asarray(means)
    false = {
        rule.SUPPORTED: not (mean > 1).all(),
        rule.REVERSED: not (mean < -1).all(),
        rule.NEGLIGIBLE: not (np.abs(mean) < 1).all(),
        rule.EXCLUDED: not (mean < 1).any(),
    }
    return np.isin(verdict, [code for code in among if false[code]])
