"""Facts that settle a claim by calculation; none looks at a dataset of the study. Documented in docs/linear.md."""

from __future__ import annotations

from l2audit.facts import code, normalisation, prior, ridge
from l2audit.facts.fact import CLAIMS, FACTS, Check

MODULES = (code, normalisation, prior, ridge)


def identities() -> list[Check]:
    """Every fact of `CLAIMS`: `claim`, `check` (its name), and what a `Check` holds.

    One carries the `trace` of the quoted code, one the `points` of a curve. Deterministic on one machine; about five
    seconds.
    """
    return [{"claim": claim, "check": name, **FACTS[name]()} for claim, names in CLAIMS.items() for name in names]
