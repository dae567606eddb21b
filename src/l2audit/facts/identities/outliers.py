"""Claim A3: no penalty bounds what one wild target does to a squared loss; another loss does, whatever the penalty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from l2audit.facts.checks import Check, farthest
from l2audit.facts.identities.entries import agrees, of_claim
from l2audit.linear.basis import Array
from l2audit.linear.huber import solve_huber
from l2audit.linear.squared import solve_squared
from l2audit.seeds import generator

Solve = Callable[[Array, Array, Array], tuple[Array, Array]]
"""(X (n, p), y (n,), beta (m,)) to weights (m, p) and intercepts (m,)."""

SOURCE = "computed; influence functions: Huber (1964), of ridge regression Öllerer, Croux and Alfons (2015)"

BETAS = np.array([0.0, 0.01, 0.1, 1.0, 3.0])
SIZES = np.logspace(1, 6, 6)
"""Of the outlier, in SDs of the noise."""

TOLERANCE = 1e-6


def slopes(solve: Solve) -> Array:
    """(5, betas): log-log slope of the shift of all coefficients in the size of one outlier, decade by decade.

    The shift is the norm of the difference of weights and intercept to those of the same 40 rows without the outlier,
    which is added to the target of the first row.
    """
    rng = generator("identity outliers")
    X = rng.normal(size=(40, 4))
    y = X @ rng.normal(size=4) + 1 + rng.normal(size=40)

    def coefficients(target: Array) -> Array:
        weights, intercept = solve(X, target, BETAS)
        return np.column_stack([weights, intercept])

    clean, wild = coefficients(y), np.eye(len(y))[0]
    shifts = np.array([np.linalg.norm(coefficients(y + size * wild) - clean, axis=1) for size in SIZES])
    return np.asarray(np.diff(np.log10(shifts), axis=0) / np.diff(np.log10(SIZES))[:, None])


@of_claim("A3")
def ridge_shift_is_unbounded_at_every_beta(solve: Solve = solve_squared) -> Check:
    """Ridge is linear in the targets: the shift is in proportion to the outlier, however large either is."""
    statement = (
        "Under squared loss the coefficients shift in proportion to one wild target, from 10 to a million SDs, at every"
        " beta from 0 to 3: log-log slope farthest from 1"
    )
    return agrees(statement, SOURCE, expected=1.0, obtained=farthest(slopes(solve), 1.0), tolerance=TOLERANCE)


@of_claim("A3")
def huber_shift_is_bounded(solve: Solve = solve_huber) -> Check:
    """Beyond the threshold an outlier's pull is constant: the shift stops growing."""
    statement = (
        "Under Huber loss with the same penalties the shift stops growing:"
        " log-log slope farthest from 0, from a hundred thousand to a million SDs"
    )
    return agrees(statement, SOURCE, expected=0.0, obtained=farthest(slopes(solve)[-1], 0.0), tolerance=TOLERANCE)
