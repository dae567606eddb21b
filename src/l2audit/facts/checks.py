"""The form of an exact check: what was expected, what was obtained, and whether that will do.

Identities (`l2audit.facts.identities`) and oracles (`l2audit.facts.oracles`) are made of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Check = dict[str, Any]
"""statement, expected, obtained, tolerance, holds, source.

expected is a number, a list of numbers, or a text such as "at most 1" where the check is an inequality.
"""

EXACT = 1e-9
"""Tolerance of an equality in float64 after a factorisation or two."""


def agrees(
    statement: str, source: str, *, expected: float | Sequence[float], obtained: Any, tolerance: float = EXACT
) -> Check:
    """Holds where every number obtained is within `tolerance` (absolute) of the one expected.

    ValueError: not as many numbers as expected.
    """
    wanted, found = np.atleast_1d(np.asarray(expected, float)), np.atleast_1d(np.asarray(obtained, float))
    if wanted.shape != found.shape:
        raise ValueError(f"{found.shape} numbers for {wanted.shape} expected")
    single = np.ndim(expected) == 0
    return {
        "statement": statement,
        "expected": float(wanted[0]) if single else wanted.tolist(),
        "obtained": float(found[0]) if single else found.tolist(),
        "tolerance": tolerance,
        "holds": bool((np.abs(found - wanted) <= tolerance).all()),
        "source": source,
    }


def at_most(statement: str, source: str, *, limit: float, obtained: float, tolerance: float = EXACT) -> Check:
    """Holds where the number obtained does not exceed `limit`, round-off aside."""
    return _inequality(statement, source, f"at most {limit:g}", obtained, tolerance, obtained <= limit + tolerance)


def below(statement: str, source: str, *, limit: float, obtained: float) -> Check:
    """Holds where the number obtained is less than `limit`."""
    return _inequality(statement, source, f"below {limit:g}", obtained, 0.0, obtained < limit)


def above(statement: str, source: str, *, limit: float, obtained: float) -> Check:
    """Holds where the number obtained is more than `limit`."""
    return _inequality(statement, source, f"above {limit:g}", obtained, 0.0, obtained > limit)


def _inequality(
    statement: str, source: str, expected: str, obtained: float, tolerance: float, holds: bool | np.bool_
) -> Check:
    return {
        "statement": statement,
        "expected": expected,
        "obtained": float(obtained),
        "tolerance": tolerance,
        "holds": bool(holds),
        "source": source,
    }


def largest(difference: Any) -> float:
    """The largest absolute entry."""
    return float(np.max(np.abs(np.asarray(difference))))


def farthest(values: Any, centre: float) -> float:
    """The entry that lies farthest from `centre`."""
    flat = np.ravel(np.asarray(values, dtype=float))
    return float(flat[np.argmax(np.abs(flat - centre))])
