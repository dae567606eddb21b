"""The form of an identity's entry, and the registry that all identities are in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ParamSpec

from l2audit.facts import checks
from l2audit.facts.checks import Check
from l2audit.registry import Registry

Identity = dict[str, Any]
"""claim, check, and what a `Check` holds; one carries the `trace`, one the `points`."""

P = ParamSpec("P")

IDENTITIES: Registry[Callable[..., Identity]] = Registry("identity")
"""Name to a function whose arguments all have defaults: what it puts to the test."""

EXACT = 1e-8
"""Tolerance of an identity in float64."""

agrees = partial(checks.agrees, tolerance=EXACT)


def of_claim(claim: str) -> Callable[[Callable[P, Check]], Callable[P, Identity]]:
    """Register a check under its function's name, and put the claim that it is about and that name into its entry."""

    def register(check: Callable[P, Check]) -> Callable[P, Identity]:
        @wraps(check)
        def entry(*arguments: P.args, **named: P.kwargs) -> Identity:
            return {"claim": claim, "check": check.__name__, **check(*arguments, **named)}

        IDENTITIES.add(check.__name__, entry)
        return entry

    return register
