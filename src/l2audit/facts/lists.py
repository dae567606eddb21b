"""The two lists of facts that the workflow writes. Documented in docs/linear.md and docs/statistics.md."""

from __future__ import annotations

from l2audit.facts import code, logistic, networks, normalisation, prior, published, ridge
from l2audit.facts.fact import CLAIMS, FACTS, Check

SETTLING, KNOWN = (code, normalisation, prior, ridge), (ridge, logistic, networks, published)
"""Modules whose facts settle claims, and whose facts our own code must reproduce."""


def identities() -> list[Check]:
    """Every fact of `CLAIMS`; none looks at a dataset: `claim`, `check` (its name), and what a `Check` holds."""
    return [{"claim": claim, "check": name, **FACTS[name]()} for claim, names in CLAIMS.items() for name in names]


def oracles() -> list[Check]:
    """Every fact about our solvers and networks, by module: `name`, `about` (the module), and what a `Check` holds."""
    return [
        {"name": name, "about": fact.about, **fact()}
        for module in KNOWN
        for name, fact in FACTS.items()
        if fact.function.__module__ == module.__name__
    ]
