"""From near a solution to the solution: the linear equations that hold on its own side of every kink."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from l2audit.linear.arrays import Array
from l2audit.linear.interior import Point, follow
from l2audit.linear.kinked import Index, Kinked, Restricted, Smooth

REGULAR, REDUNDANT = 1e-13, 1e-10
"""Added to the diagonal, relative to the largest entry: for coordinates, and for rows at their kink, of which there may
be more than determine the coordinates. Refinement removes the effect where a solution exists."""

REFINEMENTS, CORRECTIONS = 12, 20
"""Caps on solutions of one system of equations, and on changes of face."""

SLACK = 1e-9
"""Relative violation of a bound, or distance beyond a kink, that is taken for round-off."""

NOTHING = 1e-14
"""Round-off of the equations."""

FAR, MOST = 0.2, 0.7
"""A gradient below this share of the strength is far from it; above this share of all coordinates none is left out."""

ZERO = 1e-12
"""A penalised coordinate of at most this size is 0."""


@dataclass(frozen=True)
class Solution:
    """u (q,), zeros exact; side (rows,): the sign of each row's residual, 0 at a kink and on the curved part of rho."""

    u: Array
    side: Array


def minimise(problem: Kinked, start: Array, side: Array | None = None) -> Solution:
    """The minimiser of `problem`: an interior point method from `start` (q,), then the equations of the face it names.

    side: of the solution of a similar problem, tried first.

    On its face, the set of rows at a kink and the side of all others, a problem is smooth and its optimality conditions
    are equations; where the smooth function is quadratic they are linear. A face is right if no dual variable exceeds
    its bound and no residual changes its sign; a few wrong rows are put right one round at a time, as in the simplex
    method. Where this does not end (a degenerate solution) the interior point itself is returned, coordinates at their
    kink set to 0.
    """
    found = None
    if side is not None:
        found = _settle(problem, start, np.zeros(len(problem.heights)), side)
    if found is None:
        point = follow(problem, start)
        side = _side(problem, point)
        found = _settle(problem, point.u, point.a, side) or Solution(_without(problem, point.u, side), side)
    small = problem.penalised[np.abs(found.u[problem.penalised]) <= ZERO]
    found.u[small] = 0.0
    return found


def minimise_sparse(smooth: Smooth, strength: Array, empty: Array, start: Array) -> Array:
    """The minimiser (q,) of smooth(u) + sum_j strength_j |u_j|, zeros exact.

    empty: (q,) penalised coordinates 0, the others the best for that; the solution if no gradient exceeds its strength.
    start: (q,) near the solution. Coordinates whose gradient is far below their strength there are left at 0 at first,
    and taken in if the gradient at the solution without them turns out to exceed it.
    """
    if (np.abs(smooth.look(empty).gradient) <= strength)[strength > 0].all():
        return minimise(_penalised(smooth, strength), empty, np.zeros(np.count_nonzero(strength))).u
    inside = np.abs(smooth.look(start).gradient) >= FAR * strength
    inside |= inside.mean() > MOST
    while True:
        index = np.flatnonzero(inside)
        part = Restricted(smooth, index, len(start))
        start = part.spread(minimise(_penalised(part, strength[index]), start[index]).u)
        missing = ~inside & (np.abs(smooth.look(start).gradient) > strength)
        if not missing.any():
            return start
        inside |= missing


def _penalised(smooth: Smooth, strength: Array) -> Kinked:
    return Kinked(smooth, np.zeros((0, len(strength))), np.zeros(0), 1.0, 0.0, strength)


def _side(problem: Kinked, point: Point) -> Array:
    """A row is at its kink if its residual is nearer to 0 than its dual variable to a bound, in units of 1."""
    room = 1 - np.abs(point.a) / problem.heights
    return np.where(point.distance < room, 0.0, np.sign(point.a))


def _without(problem: Kinked, u: Array, side: Array) -> Array:
    """A copy of u with the coordinates at their kink set to 0."""
    u = u.copy()
    u[problem.penalised[side[len(problem.target) :] == 0]] = 0.0
    return u


def _settle(problem: Kinked, u: Array, a: Array, side: Array) -> Solution | None:
    """Solve on a face, move the rows that contradict it, and again; None if that does not end."""
    for _ in range(CORRECTIONS):
        solved = _solve_on_face(problem, u, a, side)
        if solved is None:
            return None
        u, a = solved
        out = (side == 0) & (np.abs(a) > problem.heights * (1 + SLACK))
        beyond = side * (problem.targets - problem.image(u)) - problem.softnesses * problem.heights
        back = (side != 0) & (beyond < -SLACK)
        if not (out.any() or back.any()):
            return Solution(u, side)
        side = np.where(out, np.sign(a), np.where(back, 0.0, side))
        a = np.clip(a, -problem.heights, problem.heights)
    return None


def _solve_on_face(problem: Kinked, u: Array, a: Array, side: Array) -> tuple[Array, Array] | None:
    """Newton's method for the optimality conditions on a face: the new u and dual variables, None if it diverges.

    Coordinates at their kink are 0. Rows of absolute loss at theirs are equations A_i u = y_i, with the dual variable
    as an unknown; all other dual variables follow from u.
    """
    n = len(problem.target)
    u = _without(problem, u, side)
    live = np.ones(len(u), dtype=bool)
    live[problem.penalised[side[n:] == 0]] = False
    free = np.flatnonzero(live)
    curved = np.flatnonzero((side[:n] == 0) & (problem.softness > 0))
    tight = np.flatnonzero((side[:n] == 0) & (problem.softness == 0))
    a = np.where(side != 0, side * problem.heights, a)
    solve, best, least = None, None, np.inf
    for _ in range(REFINEMENTS):
        look = problem.smooth.look(u)
        misfit = problem.target - problem.design @ u
        a[curved] = misfit[curved] / problem.softness if len(curved) else 0.0
        a[n:] = np.where(side[n:] == 0, 0.0, a[n:])
        rest = look.gradient - problem.back(a)
        error = np.concatenate([rest[free], -misfit[tight]])
        size = float(np.linalg.norm(error))
        if not size < 0.5 * least:
            break
        least, best = size, (u, a.copy(), rest)
        if solve is None or not problem.smooth.quadratic:
            solve = _equations(problem, look.curvature(free), free, curved, tight)
        step = solve(error)
        u = u.copy()
        u[free] -= step[: len(free)]
        a = a.copy()
        a[tight] += step[len(free) :]
    if best is None or least > max(SLACK * float(np.linalg.norm(problem.heights)), NOTHING):
        return None
    u, a, rest = best
    at_kink = side[n:] == 0
    a[n:][at_kink] = rest[problem.penalised[at_kink]]
    return u, a


def _equations(problem: Kinked, curvature: Array, free: Index, curved: Index, tight: Index) -> Callable[[Array], Array]:
    """Solver of the bordered system of a face: gradient of the free coordinates first, then the equations."""
    size = len(free) + len(tight)
    matrix = np.zeros((size, size))
    if len(curved):
        rows = problem.design[np.ix_(curved, free)]
        curvature += rows.T @ rows / problem.softness
    border = problem.design[np.ix_(tight, free)]
    matrix[: len(free), : len(free)] = curvature
    matrix[: len(free), len(free) :] = border.T
    matrix[len(free) :, : len(free)] = border
    diagonal = np.arange(size)
    largest = float(np.max(np.abs(matrix), initial=1.0))
    matrix[diagonal, diagonal] += largest * np.where(diagonal < len(free), REGULAR, -REDUNDANT)
    factor = lu_factor(matrix, check_finite=False)
    return lambda error: np.asarray(lu_solve(factor, error, check_finite=False))
