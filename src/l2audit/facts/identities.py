"""Facts that settle a claim by calculation; none looks at a dataset of the study. Documented in docs/linear.md."""

from __future__ import annotations

from l2audit.facts import code, normalisation, prior, ridge
from l2audit.facts.fact import FACTS, Check

MODULES = (code, normalisation, prior, ridge)


def identities() -> list[Check]:
    """Every fact with a claim: `claim`, `check` (its name), and what a `Check` holds; sorted by claim.

    One carries the `trace` of the quoted code, one the `points` of a curve. Deterministic on one machine; about five
    seconds.
    """
    settled = [(name, fact) for name, fact in sorted(FACTS.items(), key=lambda item: item[1].claim) if fact.claim]
    return [{"claim": fact.claim, "check": name, **fact.check()} for name, fact in settled]
