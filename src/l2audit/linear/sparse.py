"""Minimise a smooth convex function plus sum_j strength_j |u_j| over u (q,), to the last digits and with exact zeros.

`minimise_sparse` is a primal active set method. It keeps a sign for every coordinate and takes Newton steps for the
equations that the minimiser obeys if those signs are right. A coordinate that reaches 0 leaves; a coordinate at 0
joins if its gradient exceeds its strength there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve

from l2audit.linear.coordinates import Array

Index = NDArray[np.intp]

STEPS = 500
"""Cap on Newton steps; from a start nearby 5 to 20 are usual."""

REGULAR = 1e-13
"""Added to the diagonal of the equations, relative to the largest entry. Further steps remove the effect."""

SLACK, NOTHING = 1e-9, 1e-15
"""Relative violation of a bound that counts as round-off; round-off of a gradient, relative to 1 + ||u||."""

ZERO = 1e-12
"""A penalised coordinate of at most this size is 0."""


class Look(NamedTuple):
    """A smooth function at a point of q coordinates."""

    gradient: Array  # (q,)
    curvature: Callable[[Index], Array]  # of some coordinates, (s,) to (s, s): a copy that the caller may change


class Smooth(Protocol):
    """A convex function of q coordinates with two derivatives."""

    def look(self, u: Array) -> Look:
        """Its derivatives at u (q,)."""
        ...

    def reach(self, step: Array) -> float:
        """The share of a step (q,) up to which its second derivatives can be relied upon."""
        ...


def minimise_sparse(smooth: Smooth, strength: Array, start: Array) -> Array:
    """The minimiser (q,), zeros exact, from a start (q,) with about the right signs.

    strength: (q,), 0 for a free coordinate. The unit of u should be of order 1. The last iterate, if STEPS run out; its
    gradient ratio then shows it. Lee et al. (2007), "Efficient sparse coding algorithms", for squared loss.
    """
    penalised = strength > 0
    u, signs = start.copy(), np.where(penalised, np.sign(start), 0.0)
    least, best = np.inf, u
    for _ in range(STEPS):
        at_zero = penalised & (signs == 0)
        look = smooth.look(u)
        rest = look.gradient + strength * signs
        size = float(np.linalg.norm(rest[~at_zero]))
        nothing = NOTHING * (1 + float(np.linalg.norm(u)))
        if 0.5 * least <= size <= max(SLACK * float(np.linalg.norm(strength)), nothing):  # only zeros can be wrong now
            u = best
            joins = at_zero & (np.abs(rest) > strength * (1 + SLACK) + nothing)
            if not joins.any():
                break
            signs, least = np.where(joins, -np.sign(rest), signs), np.inf
            continue
        least, best = size, u
        free = np.flatnonzero(~at_zero)
        matrix = look.curvature(free)
        matrix[np.diag_indices(len(free))] += float(np.max(np.abs(matrix), initial=1.0)) * REGULAR
        step = np.zeros(len(u))
        step[free] = -lu_solve(lu_factor(matrix, check_finite=False), rest[free], check_finite=False)
        step *= smooth.reach(step)
        crossing = np.flatnonzero(signs * (u + step) < 0)
        shares = np.abs(u[crossing] / step[crossing])
        share = float(shares.min(initial=1.0))
        u = u + share * step
        if len(crossing):
            leaves = crossing[shares <= share]
            u[leaves], signs[leaves], least = 0.0, 0.0, np.inf
    return np.where(penalised & (np.abs(u) <= ZERO), 0.0, u)
