"""Identities: claims that arithmetic settles.

Every check compares two numbers that come by different ways and says whether they agree; none looks at a dataset of the
study. One small function each, registered by name; what it puts to the test is an argument, so that a test can hand
over a wrong thing and see the check fail. Documented in docs/linear.md.

- `quoted_code`: what the code of the thread computes, line by line (claim a)
- `weight_decay`: where a penalty in the loss is weight decay, and where it is not (claim a)
- `growth`: how the penalty grows with the weights (claims b1, b2)
- `gaussian_prior`: the penalised solution as the most probable one (claim h1)
- `normalisation`: a kernel in front of a normalisation (claim A2)
- `outliers`: what bounds the influence of a target, and what does not (claim A3)
- `intercept`: a penalty that reaches the intercept (claim A7)
"""

from __future__ import annotations

from l2audit.facts.identities import (
    gaussian_prior,
    growth,
    intercept,
    normalisation,
    outliers,
    quoted_code,
    weight_decay,
)
from l2audit.facts.identities.entries import IDENTITIES, Identity

__all__ = [
    "IDENTITIES",
    "Identity",
    "gaussian_prior",
    "growth",
    "identities",
    "intercept",
    "normalisation",
    "outliers",
    "quoted_code",
    "weight_decay",
]


def identities() -> list[Identity]:
    """All checks in the order of registration. Deterministic on one machine; about five seconds."""
    return [IDENTITIES[name]() for name in IDENTITIES]
