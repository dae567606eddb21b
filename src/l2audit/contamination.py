"""Contamination: what an outlier is, one small function a kind.

A kind turns *every* row into its contaminated twin; `contaminate` then swaps in the twins of the masked rows. Masks are
the first round(rate * n) rows of an order that is keyed by (dataset, seed, kind, part) alone, and the twins do not
depend
on the rate, so levels are nested (the rows hit at 10 % are among those hit at 20 %, with the same values) and counts
are exact. Training rows and a second copy of the validation rows are contaminated; test rows never are.

Reference quantities (centre, spread, response surface) always come from the *clean training rows*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from l2audit.registry import Registry
from l2audit.seeds import generator

MAD_TO_SD = 1.4826  # of a normal distribution
LEVERAGE = 3.0  # distance of a leverage cluster from the centre, in units of sqrt(tr(covariance))
JITTER = 0.1  # spread of a leverage cluster, in units of each feature's SD
CLEAN = "clean"

Array = NDArray[np.float64]
Target = NDArray[np.float64] | NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Rows of one part of a split: `X` (n, p) scaled features, `y` (n,) class numbers 0..classes-1 or scaled values."""

    X: Array
    y: Target
    classes: int | None  # None: regression


@dataclass(frozen=True)
class Reference:
    """What a contamination may know: summaries of the clean training rows."""

    rows: Rows

    @cached_property
    def centre(self) -> Array:
        """Mean of the features, (p,)."""
        return np.asarray(self.rows.X.mean(axis=0))

    @cached_property
    def spread(self) -> Array:
        """Standard deviation of the features, (p,)."""
        return np.asarray(self.rows.X.std(axis=0))

    @cached_property
    def target_scale(self) -> float:
        """Robust scale of the target, 1.4826 MAD; the SD where more than half of the values are equal (MAD = 0)."""
        y = np.asarray(self.rows.y, dtype=float)
        mad = MAD_TO_SD * float(np.median(np.abs(y - np.median(y))))
        return mad if mad > 0 else float(y.std())

    @cached_property
    def surface(self) -> Callable[[Array], Array]:
        """Linear response surface f(X): (n, p) -> (n, outputs), ridge regression with lambda by generalised
        cross-validation.

        Neither least squares nor a fixed ridge: far from a collinear design's centre least squares extrapolates its own
        noise, which would make "bad leverage" measure the reference and not the offset. Classification: on class
        indicators. GCV: Golub, Heath & Wahba (1979), Technometrics 21(2).
        """
        X, y = self.rows.X, self.rows.y
        target = np.eye(self.rows.classes)[y] if self.rows.classes else np.asarray(y, dtype=float)[:, None]
        mean = target.mean(axis=0)
        U, s, Vt = np.linalg.svd(X - self.centre, full_matrices=False)
        rotated = U.T @ (target - mean)
        n = len(X)
        outside = float(((target - mean) ** 2).sum() - (rotated**2).sum())  # residual no ridge can reach
        lambdas = n * np.logspace(-6, 2, 65)
        kept = s**2 / (s**2 + lambdas[:, None])  # (65, rank)
        residual = outside + (((1 - kept)[:, :, None] * rotated) ** 2).sum(axis=(1, 2))
        gcv = residual / (n - 1 - kept.sum(axis=1)).clip(min=1e-3 * n) ** 2
        best = int(gcv.argmin())
        coefficients = Vt.T @ ((s / (s**2 + lambdas[best]))[:, None] * rotated)
        return lambda points: mean + (points - self.centre) @ coefficients


@dataclass(frozen=True)
class Draws:
    """The random numbers of one contamination: `rows` for the values of rows, `shared` for what all parts share."""

    rows: np.random.Generator
    shared: np.random.Generator


Kind = Callable[[Rows, Reference, float, Draws], tuple[Array, Target]]
KINDS: Registry[Kind] = Registry("contamination kind")


@KINDS.register("sym")
def symmetric_label_noise(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """Label -> uniform over the *other* K - 1 classes (Angluin & Laird 1988; Natarajan et al. 2013). No magnitude."""
    assert rows.classes is not None
    step = draws.rows.integers(1, rows.classes, size=len(rows.y))
    return rows.X, (rows.y + step) % rows.classes


@KINDS.register("vert")
def vertical_outlier(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """y + magnitude * s, one-sided, s = 1.4826 MAD of the clean training target (Huber 1964; Maronna et al. 2019)."""
    return rows.X, np.asarray(rows.y + magnitude * reference.target_scale, dtype=np.float64)


@KINDS.register("badlev")
def bad_leverage(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """A cluster far out in an oblique direction, its target pulled off the response surface.

    x = centre + 3 sqrt(tr(covariance)) u + 0.1 SD_j N(0, 1), with u uniform on the sphere, one direction a
    (dataset, seed); y = surface(x) - magnitude * s. magnitude = 0 is good leverage.
    Rousseeuw & Leroy (1987); Rousseeuw & van Zomeren (1990).
    """
    X = _leverage_cluster(rows, reference, draws)
    return X, reference.surface(X)[:, 0] - magnitude * reference.target_scale


@KINDS.register("badlev_class")
def bad_leverage_class(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """The same cluster, labelled with the class that the clean response surface ranks last there. No magnitude."""
    X = _leverage_cluster(rows, reference, draws)
    return X, reference.surface(X).argmin(axis=1)


def _leverage_cluster(rows: Rows, reference: Reference, draws: Draws) -> Array:
    features = rows.X.shape[1]
    direction = draws.shared.standard_normal(features)
    distance = LEVERAGE * float(np.sqrt((reference.spread**2).sum()))
    cluster = reference.centre + distance * direction / np.linalg.norm(direction)
    return cluster + JITTER * reference.spread * draws.rows.standard_normal(rows.X.shape)


@dataclass(frozen=True)
class Contaminated:
    """Rows after contamination, with the mask (n,) of those that were hit."""

    X: Array
    y: Target
    mask: NDArray[np.bool_]


def contaminate(
    rows: Rows, reference: Reference, *, kind: str, rate: float, magnitude: float, dataset: str, seed: int, part: str
) -> Contaminated:
    """Contaminate exactly round(rate * n) of `rows` (part: "train" or "validation") by a registered kind.

    `rate` in [0, 1). Depends on (dataset, seed, kind, part) and the rows alone: not on beta, architecture or other
    levels.
    """
    mask = np.zeros(len(rows.y), dtype=bool)
    if kind == CLEAN or rate == 0:
        return Contaminated(rows.X, rows.y, mask)
    own = generator("contamination", dataset, seed, kind, part)
    mask[own.permutation(len(rows.y))[: round(rate * len(rows.y))]] = True
    shared = generator("contamination", dataset, seed, kind, "shared")
    X, y = KINDS[kind](rows, reference, magnitude, Draws(own, shared))
    return Contaminated(np.where(mask[:, None], X, rows.X), np.where(mask, y, rows.y), mask)
