"""The two lists of facts that the workflow writes. Documented in docs/linear.md and docs/statistics.md."""

from __future__ import annotations

from l2audit.facts import code, logistic, networks, normalisation, prior, published, ridge
from l2audit.facts.fact import CLAIMS, FACTS, Check

SETTLING, KNOWN = (code, normalisation, prior, ridge), (ridge, logistic, networks, published)
"""Modules whose facts settle claims, and whose facts our own code must reproduce."""


def identities() -> list[Check]:
    """Every fact of `CLAIMS`, none of which looks at a dataset: `claim`, `check` (its name), and what a `Check` holds.

    One carries the `trace` of the quoted code, one the `points` of a curve. Deterministic on one machine; about five
    seconds.
    """
    return [{"claim": claim, "check": name, **FACTS[name]()} for claim, names in CLAIMS.items() for name in names]


def oracles() -> list[Check]:
    """Every fact about our solvers and networks: `name`, `about`, and what a `Check` holds, in the order of `KNOWN`.

    Deterministic on one machine; about ten seconds of one core, most of it the import of TensorFlow and one network.
    """
    return [
        {"name": name, "about": fact.about, **fact()}
        for module in KNOWN
        for name, fact in FACTS.items()
        if fact.function.__module__ == module.__name__
    ]
