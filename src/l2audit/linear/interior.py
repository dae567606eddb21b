"""A primal-dual interior point method for problems with kinks (`kinked.Kinked`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from l2audit.linear.arrays import Array
from l2audit.linear.kinked import Kinked, Look

STEPS = 150
"""Cap on Newton steps; ten to twenty are usual."""

GAP, SLOPE = 1e-13, 1e-12
"""The end: sum of all complementarity products, and norm of the gradient relative to its parts."""

NOTHING = 1e-15
"""Round-off: of a gradient, and of a sum of complementarity products below which no more is asked of the gradient."""

VANISHED = 1e-30
"""A sum of complementarity products that ends the iteration in any case."""

TO_THE_WALL = 0.99
"""Share of the way to the nearest bound that a step may go."""

SHORT = 0.1
"""A step of less than this share says that the iterate is off the middle: the next one leads back to it."""

HALVINGS = 30
"""Cap on reductions of one step."""


@dataclass(frozen=True)
class Point:
    """Where the method ended: u (q,), and for each row its dual variable a and its distance from the kink (rows,)."""

    u: Array
    a: Array
    distance: Array


@dataclass(frozen=True)
class _Iterate:
    """A row with residual r = softness * a + over - under, a in (-c, c); all four variables below are positive.

    up, down: c - a and c + a, kept by themselves because a itself cannot tell 1e-20 from 0 at its bound.
    """

    u: Array
    up: Array
    down: Array
    over: Array
    under: Array

    @property
    def a(self) -> Array:
        return np.where(self.up < self.down, (self.up + self.down) / 2 - self.up, self.down - (self.up + self.down) / 2)

    @property
    def gap(self) -> float:
        return float(self.up @ self.over + self.down @ self.under)

    def moved(self, t: float, step: _Step) -> _Iterate:
        return _Iterate(
            self.u + t * step.u,
            self.up - t * step.a,
            self.down + t * step.a,
            self.over + t * step.over,
            self.under + t * step.under,
        )

    def longest(self, step: _Step) -> float:
        """The largest t <= 1 that keeps every bounded variable at or above 0."""
        fall = max(
            float(np.max(-change / value, initial=0.0))
            for value, change in (
                (self.up, -step.a),
                (self.down, step.a),
                (self.over, step.over),
                (self.under, step.under),
            )
        )
        return min(1.0, 1.0 / fall) if fall > 0 else 1.0


@dataclass(frozen=True)
class _Step:
    u: Array
    a: Array
    over: Array
    under: Array


def follow(problem: Kinked, u: Array) -> Point:
    """Follow the central path of `problem` from u (q,) until gap and gradient have vanished, or round-off stops it.

    Mehrotra's predictor-corrector method with one step length for all variables (Mehrotra, 1992; for absolute loss
    Portnoy and Koenker, 1997), the bounds |a| <= height taken as barriers and the smooth function by Newton's method.
    Where that function is not quadratic a step must reduce the gradient or leave it below the gap.
    """
    look = problem.smooth.look(u)
    at = _start(problem, u, look)
    rest = look.gradient - problem.back(at.a)
    before, ceiling, t = np.inf, 10 * max(at.gap, 1.0), 1.0
    for _ in range(STEPS):
        size = float(np.linalg.norm(rest))
        small = SLOPE * float(np.linalg.norm(look.gradient) + np.linalg.norm(at.a)) + NOTHING
        stuck = at.gap <= NOTHING and size > 0.9 * before
        if at.gap <= VANISHED or (at.gap <= GAP and (size <= small or stuck)):
            break
        before = size
        step = _direction(problem, at, look, rest, central=t < SHORT)
        t = min(TO_THE_WALL * at.longest(step), problem.smooth.reach(step.u))
        for _ in range(HALVINGS):
            trial = at.moved(t, step)
            look = problem.smooth.look(trial.u)
            rest = look.gradient - problem.back(trial.a)
            if trial.gap <= ceiling and np.linalg.norm(rest) <= max((1 - 0.3 * t) * size, trial.gap, small):
                break
            t *= 0.6
        else:
            break
        at = trial
    return Point(at.u, at.a, at.over + at.under)


def _start(problem: Kinked, u: Array, look: Look) -> _Iterate:
    """Residuals as they are at u, plus a tenth of their mean for distance from the walls."""
    n, c = len(problem.target), problem.heights
    wanted = np.concatenate([np.zeros(n), look.gradient[problem.penalised]])
    a = np.clip(wanted, -0.9 * c, 0.9 * c)
    residual = problem.targets - problem.image(u)
    room = 1e-3 + 0.1 * float(np.mean(np.abs(residual))) if len(residual) else 1.0
    return _Iterate(u, c - a, c + a, np.maximum(residual, 0) + room, np.maximum(-residual, 0) + room)


def _direction(problem: Kinked, at: _Iterate, look: Look, rest: Array, central: bool) -> _Step:
    """Newton's step for complementarity products of sigma * mu, sigma from what a step towards 0 would reach.

    central: for products of mu, all alike, which leads back to the middle.
    """
    everything = np.arange(len(at.u))
    weights = 1.0 / (problem.softnesses + at.over / at.up + at.under / at.down)
    matrix = look.curvature(everything)
    problem.add_normal(matrix, weights)
    solve = _factor(matrix)
    beyond = problem.targets - problem.image(at.u) - problem.softnesses * at.a

    def newton(product: float, over: Array | float, under: Array | float) -> _Step:
        up, down = product - over, product - under
        pull = beyond - up / at.up + down / at.down
        u = solve(problem.back(weights * pull) - rest)
        a = weights * (pull - problem.image(u))
        return _Step(u, a, (up + at.over * a) / at.up - at.over, (down - at.under * a) / at.down - at.under)

    mean = at.gap / max(1, 2 * len(at.up))
    if central:
        return newton(mean, 0.0, 0.0)
    affine = newton(0.0, 0.0, 0.0)
    reached = at.moved(at.longest(affine), affine).gap
    return newton((reached / at.gap) ** 3 * mean, -affine.a * affine.over, affine.a * affine.under)


def _factor(matrix: Array) -> Callable[[Array], Array]:
    """Solver of a symmetric positive semidefinite system, scaled to a unit diagonal; `matrix` is overwritten."""
    diagonal = np.diag(matrix)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    matrix *= scale[:, None]
    matrix *= scale
    index = np.arange(len(scale))
    for jitter in (1e-15, 1e-12, 1e-9, 1e-6, 1e-3):
        matrix[index, index] += jitter
        with contextlib.suppress(np.linalg.LinAlgError):
            # The transpose is the same matrix in LAPACK's own order, which spares it a slow copy.
            factor = cho_factor(matrix.T.copy(order="K"), overwrite_a=True, check_finite=False)
            return lambda right: np.asarray(scale * cho_solve(factor, scale * right, check_finite=False))
    return lambda right: scale**2 * right
