"""Facts from theory and from print that the pipeline's own code must reproduce. Documented in docs/statistics.md."""

from __future__ import annotations

from l2audit.facts import logistic, networks, published, ridge
from l2audit.facts.fact import FACTS, Check

MODULES = (ridge, logistic, networks, published)


def oracles() -> list[Check]:
    """Every fact about our solvers and networks: `name`, `about`, and what a `Check` holds, in the order of `MODULES`.

    Deterministic on one machine; about ten seconds of one core, most of it the import of TensorFlow and one network.
    """
    return [
        {"name": name, "about": fact.about, **fact()}
        for module in MODULES
        for name, fact in FACTS.items()
        if fact.function.__module__ == module.__name__
    ]
