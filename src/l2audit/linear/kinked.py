"""Convex problems whose kinks are absolute values: one description for L1 penalties, absolute loss and Huber's loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from l2audit.linear.arrays import Array

Index = NDArray[np.intp]


class Look(NamedTuple):
    """A smooth function at a point of q coordinates."""

    gradient: Array  # (q,)
    curvature: Callable[[Index], Array]  # of some coordinates, (s,) to (s, s): a copy that the caller may change


class Smooth(Protocol):
    """A convex function of q coordinates with two derivatives."""

    @property
    def quadratic(self) -> bool:
        """Its curvature is the same everywhere."""
        ...

    def look(self, u: Array) -> Look:
        """Its derivatives at u (q,)."""
        ...

    def reach(self, step: Array) -> float:
        """The share of a step (q,) up to which its second derivatives can be relied upon."""
        ...


@dataclass(frozen=True)
class Ridge:
    """0.5 * sum_j d_j u_j^2; d: (q,), 0 for a coordinate that it leaves alone."""

    d: Array
    quadratic = True

    def look(self, u: Array) -> Look:
        """Its derivatives at u (q,)."""
        return Look(self.d * u, lambda index: np.diag(self.d[index]))

    def reach(self, step: Array) -> float:
        """All of it."""
        return 1.0


@dataclass(frozen=True)
class Squares:
    """mean(0.5 * (y - A u)^2); design A: (n, q); target y: (n,)."""

    design: Array
    target: Array
    quadratic = True

    @cached_property
    def _gram(self) -> Array:
        return np.asarray(self.design.T @ self.design / len(self.target))

    def look(self, u: Array) -> Look:
        """Its derivatives at u (q,)."""
        residual = self.design @ u - self.target
        return Look(self.design.T @ residual / len(residual), lambda index: self._gram[np.ix_(index, index)])

    def reach(self, step: Array) -> float:
        """All of it."""
        return 1.0


@dataclass(frozen=True)
class Restricted:
    """Another smooth function of some coordinates, the rest being 0; index: (s,) those coordinates of q, ascending."""

    whole: Smooth
    index: Index
    size: int

    @property
    def quadratic(self) -> bool:
        """As the whole."""
        return self.whole.quadratic

    def spread(self, u: Array) -> Array:
        """Coordinates (s,) among zeros: (q,)."""
        full = np.zeros(self.size)
        full[self.index] = u
        return full

    def look(self, u: Array) -> Look:
        """Its derivatives at u (s,)."""
        look = self.whole.look(self.spread(u))
        return Look(look.gradient[self.index], lambda index: look.curvature(self.index[index]))

    def reach(self, step: Array) -> float:
        """As the whole."""
        return self.whole.reach(self.spread(step))


@dataclass(frozen=True)
class Kinked:
    """smooth(u) + sum_i rho(y_i - A_i u) + sum_j strength_j |u_j|, over u (q,).

    rho(r) = max over |a| <= height of (a r - softness a^2 / 2): height * |r| where softness is 0; otherwise r^2 / (2
    softness) for |r| <= height * softness, and straight beyond, which is Huber's loss.

    design A: (n, q), n = 0 if there are no such rows; target y: (n,); strength: (q,), 0 for a free coordinate.
    The unit of u and y should be of order 1.

    A penalised coordinate is a row too: its residual is 0 - u_j and its height strength_j. `rows` below are the n rows
    of the design followed by the m penalised coordinates, each with its dual variable a in [-height, height].
    """

    smooth: Smooth
    design: Array
    target: Array
    height: float
    softness: float
    strength: Array

    @cached_property
    def penalised(self) -> Index:
        """(m,) coordinates with a strength."""
        return np.flatnonzero(self.strength)

    @cached_property
    def targets(self) -> Array:
        """(rows,) y, and 0 for coordinates."""
        return np.concatenate([self.target, np.zeros(len(self.penalised))])

    @cached_property
    def heights(self) -> Array:
        """(rows,) bounds of the dual variables."""
        return np.concatenate([np.full(len(self.target), self.height), self.strength[self.penalised]])

    @cached_property
    def softnesses(self) -> Array:
        """(rows,), 0 for coordinates."""
        return np.concatenate([np.full(len(self.target), self.softness), np.zeros(len(self.penalised))])

    def image(self, u: Array) -> Array:
        """What the rows see of u: (q,) to (rows,)."""
        return np.concatenate([self.design @ u, u[self.penalised]])

    def back(self, a: Array) -> Array:
        """Transpose of `image`: (rows,) to (q,)."""
        n = len(self.target)
        total = np.asarray(self.design.T @ a[:n])
        total[self.penalised] += a[n:]
        return total

    def add_normal(self, matrix: Array, weights: Array) -> None:
        """Add image' diag(weights) image to `matrix` (q, q) in place; weights: (rows,)."""
        n = len(self.target)
        if n:
            matrix += (self.design.T * weights[:n]) @ self.design
        matrix[self.penalised, self.penalised] += weights[n:]
