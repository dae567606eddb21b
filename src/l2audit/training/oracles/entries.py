"""The form of an oracle's entry, and the registry that all oracles are in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from l2audit.registry import Registry

Oracle = dict[str, Any]
"""statement, expected, obtained, tolerance, holds, source; `oracles()` puts the name beside them.

expected is a number, a list of numbers, or a text such as "at most 1" where the oracle is an inequality.
"""

ORACLES: Registry[Callable[[], Oracle]] = Registry("oracle")
"""Name to a function whose arguments all have defaults: the parts of the pipeline that it puts to the test."""

EXACT = 1e-9
"""Tolerance of an identity in float64 after a factorisation or two."""


def agrees(
    statement: str, source: str, *, expected: float | Sequence[float], obtained: Any, tolerance: float = EXACT
) -> Oracle:
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


def at_most(statement: str, source: str, *, limit: float, obtained: float, tolerance: float = EXACT) -> Oracle:
    """Holds where the number obtained does not exceed `limit`, round-off aside."""
    return _inequality(statement, source, f"at most {limit:g}", obtained, tolerance, obtained <= limit + tolerance)


def below(statement: str, source: str, *, limit: float, obtained: float) -> Oracle:
    """Holds where the number obtained is less than `limit`."""
    return _inequality(statement, source, f"below {limit:g}", obtained, 0.0, obtained < limit)


def above(statement: str, source: str, *, limit: float, obtained: float) -> Oracle:
    """Holds where the number obtained is more than `limit`."""
    return _inequality(statement, source, f"above {limit:g}", obtained, 0.0, obtained > limit)


def _inequality(
    statement: str, source: str, expected: str, obtained: float, tolerance: float, holds: bool | np.bool_
) -> Oracle:
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
