"""What can be known to fail before anything is judged, and that the schema of the registration does not know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from l2audit.config.faults import ConfigError, Fault
from l2audit.config.reader import Document, read
from l2audit.judge.claims import Registration, load
from l2audit.judge.estimands import parameter_faults
from l2audit.registry import UnknownName

FIX = "take one that docs/claims.md lists, or write it: docs/your-claim.md"


def load_verified(path: Path) -> Registration:
    """The registration in `path`, with estimands that exist and the parameters that they take.

    ConfigError: every fault, each on its line.
    """
    registration = load(path)
    if faults := list(_faults(registration, read(path))):
        raise ConfigError(faults)
    return registration


def _faults(registration: Registration, document: Document) -> Iterator[Fault]:
    for index, claim in enumerate(registration.claims):
        for number, part in enumerate(claim.parts):
            if not part.estimand:
                continue
            place = ("claims", index, "parts", number)
            try:
                for parameter, problem, fix in parameter_faults(part.estimand, part.parameters):
                    yield document.fault((*place, "parameters", parameter), problem, fix)
            except UnknownName as error:
                yield document.fault((*place, "estimand"), str(error), FIX)
