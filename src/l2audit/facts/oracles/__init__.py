"""Oracles: facts known beforehand, from theory or from print, that the pipeline's own code must reproduce.

One small function each, registered by name, whose arguments are the parts of the pipeline under test; so a test can
hand over a wrong part and see the oracle fail. Documented in docs/statistics.md.

- `ridge`, `logistic`: theory, put to the exact solvers and to the contaminations
- `networks`: theory, put to the engine that trains networks
- `published`: numbers in print
"""

from __future__ import annotations

from l2audit.facts.oracles import logistic, networks, published, ridge
from l2audit.facts.oracles.entries import ORACLES, Oracle

__all__ = ["ORACLES", "Oracle", "logistic", "networks", "oracles", "published", "ridge"]


def oracles() -> list[Oracle]:
    """All oracles in the order of registration: name, about, statement, expected, obtained, tolerance, holds, source.

    `about` is what they are put to: ridge, logistic, networks, or "published" for numbers in print.

    Deterministic on one machine; about ten seconds of one core, most of it the import of TensorFlow and one network.
    """
    return [{"name": name, "about": ORACLES[name].__module__.rpartition(".")[2], **ORACLES[name]()} for name in ORACLES]
