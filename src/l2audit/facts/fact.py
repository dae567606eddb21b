"""A fact: something that must hold exactly or is known from print, and the check that puts our code to it.

A check compares two numbers that come by different ways. What it puts to the test is an argument with a default, so
that a test can hand over a wrong thing and see the check fail. Facts that settle a claim are registered with
`of_claim`, all others with `oracle`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from l2audit.registry import Registry

Check = dict[str, Any]
"""statement, expected, obtained, tolerance, holds, source.

expected is a number, a list of numbers, or a text such as "at most 1" where the check is an inequality.
"""


@dataclass(frozen=True)
class Fact:
    """A check, and the id of the claim that it settles; "" where it settles none."""

    check: Callable[..., Check]
    claim: str = ""

    @property
    def about(self) -> str:
        """What it is put to: the name of its module."""
        return self.check.__module__.rpartition(".")[2]


FACTS: Registry[Fact] = Registry("fact")


def of_claim(claim: str) -> Callable[[Callable[..., Check]], Callable[..., Check]]:
    """Register a check under its function's name as one that settles `claim`."""

    def register(check: Callable[..., Check]) -> Callable[..., Check]:
        FACTS.add(check.__name__, Fact(check, claim))
        return check

    return register


oracle = of_claim("")
"""Register a check under its function's name."""

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
