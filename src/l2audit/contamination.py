"""Contamination: what an outlier is, one small function per kind.

A kind turns *every* row into its contaminated twin and puts the rows (or single cells) in an order. `contaminate` then
swaps in the twins of the first round(rate * n) of them. Order and twins are keyed by (dataset, seed, kind, part) and do
not depend on the rate. So counts are exact and levels are nested: what is hit at 10 % is hit at 20 % too, with the same
values. Training rows and a second copy of the validation rows are contaminated, test rows never. The last functions of
this module perturb test rows, for the claim about perturbed inputs.

Reference quantities (centre, spread, response surface) always come from the *clean training rows*. What a study may ask
of a kind (its task, the unit of its magnitude, its stratum) is written in config/contaminations.yaml.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import stdtrit

from l2audit.data.split import MAD_TO_SD
from l2audit.errors import UserError
from l2audit.registry import Registry
from l2audit.seeds import generator

LEVERAGE = 3.0  # distance of a leverage cluster from the centre, in units of the root of tr(covariance)
JITTER = 0.1  # spread of a leverage cluster, in units of each feature's SD
CELL = 10.0  # distance of a contaminated cell from its feature's mean, in SDs
HEAVY = 0.3  # MAD of heavy-tailed noise, in robust SDs of the target
NEIGHBOURHOOD = 0.05  # size of a neighbourhood of local label flips, as a share of the rows of the part
CLEAN = "clean"

# What a kind may change in a row that it hits.
LABELS = "labels"
TARGET = "target"
FEATURES = "features"
FEATURES_AND_LABELS = "features and labels"
FEATURES_AND_TARGET = "features and target"

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
    def _svd(self) -> tuple[Array, Array, Array]:
        return np.linalg.svd(self.rows.X - self.centre, full_matrices=False)

    @cached_property
    def components(self) -> Array:
        """Principal directions of the features, (rank, p): length 1, greatest variance first.

        Directions in which no training row varies (to rounding) are left out. The sign, which is arbitrary, is the one
        that makes the entry of greatest size positive.
        """
        _, s, Vt = self._svd
        kept = Vt[s >= s[0] * max(self.rows.X.shape) * np.finfo(float).eps]
        largest = np.take_along_axis(kept, np.abs(kept).argmax(axis=1)[:, None], axis=1)
        return np.asarray(kept * np.sign(largest))

    @cached_property
    def surface(self) -> Callable[[Array], Array]:
        """Linear response surface f(X): (n, p) -> (n, outputs), ridge regression with lambda by generalised
        cross-validation.

        Least squares would extrapolate its own noise far from a collinear design's centre: "bad leverage" would then
        measure the reference and not the offset. Classification: on class indicators. Generalised cross-validation:
        Golub, Heath & Wahba (1979), Technometrics 21(2).
        """
        X, y = self.rows.X, self.rows.y
        target = np.eye(self.rows.classes)[y] if self.rows.classes else np.asarray(y, dtype=float)[:, None]
        mean = target.mean(axis=0)
        U, s, Vt = self._svd
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


Twins = Callable[[Rows, Reference, float, Draws], tuple[Array, Target]]
"""(rows, reference, magnitude, draws) -> the contaminated twin of every row: X (n, p) and y (n,)."""
Order = Callable[[Rows, Reference, Draws], NDArray[np.int64]]
"""(rows, reference, draws) -> the n rows, or the n * p cells row by row, by number: the first to be hit first."""


def random_rows(rows: Rows, reference: Reference, draws: Draws) -> NDArray[np.int64]:
    """Every row as likely as any other."""
    return draws.rows.permutation(len(rows.y))


def random_cells(rows: Rows, reference: Reference, draws: Draws) -> NDArray[np.int64]:
    """Every cell of X as likely as any other, whatever its row."""
    return draws.rows.permutation(rows.X.size)


def farthest_rows(rows: Rows, reference: Reference, draws: Draws) -> NDArray[np.int64]:
    """By x.u, the greatest first, u random on the sphere, one direction a (dataset, seed); ties in random order."""
    direction = _oblique(rows, draws)
    shuffled = draws.rows.permutation(len(rows.y))
    return np.asarray(shuffled[np.argsort(-(rows.X[shuffled] @ direction), kind="stable")])


def neighbourhoods(rows: Rows, reference: Reference, draws: Draws) -> NDArray[np.int64]:
    """Around random centres: each centre in turn takes the m nearest rows that no earlier centre took.

    The centres are clean training rows in random order, the same order for all parts of a (dataset, seed). So training
    and validation rows are hit in the same regions. m is 5 % of the rows of the part, at least 2. Distances are
    Euclidean; ties go by row number. If the centres run out, their sequence starts again.
    """
    n = len(rows.y)
    m = _neighbourhood_size(n)
    centres = np.resize(draws.shared.permutation(len(reference.rows.y)), -(-n // m))
    free = np.ones(n, dtype=bool)
    order = []
    for nearest in cdist(reference.rows.X[centres], rows.X).argsort(axis=1, kind="stable"):
        taken = nearest[free[nearest]][:m]
        free[taken] = False
        order.append(taken)
    return np.concatenate(order)


@dataclass(frozen=True)
class Kind:
    """A registered kind: its twins, what of a hit row they change, and which rows or cells are hit first."""

    twins: Twins
    hits: str  # LABELS | TARGET | FEATURES | FEATURES_AND_LABELS | FEATURES_AND_TARGET
    order: Order


KINDS: Registry[Kind] = Registry("contamination kind")


def kind(name: str, *, hits: str, order: Order = random_rows) -> Callable[[Twins], Twins]:
    """Register a function of twins as the kind `name`; see `Kind`."""

    def register(twins: Twins) -> Twins:
        KINDS.add(name, Kind(twins, hits, order))
        return twins

    return register


@kind("sym", hits=LABELS)
def symmetric_label_noise(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """Label -> uniform over the *other* K - 1 classes (Angluin & Laird 1988; Natarajan et al. 2013). No magnitude."""
    assert rows.classes is not None
    step = draws.rows.integers(1, rows.classes, size=len(rows.y))
    return rows.X, (rows.y + step) % rows.classes


@kind("pair", hits=LABELS)
def pair_label_noise(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """Label k -> k + 1 mod K: each class is taken for one other (Patrini et al. 2017; Han et al. 2018). No magnitude.

    With two classes it is `sym`.
    """
    assert rows.classes is not None
    return rows.X, (rows.y + 1) % rows.classes


@kind("local", hits=LABELS, order=neighbourhoods)
def local_label_noise(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """Label -> the locally second class, in neighbourhoods of random centres (see `neighbourhoods`). No magnitude.

    A row's own neighbourhood is the row and its m - 1 nearest rows of the same part. The new label is the most frequent
    class there other than the row's own. Ties go to the class with the nearest row. If the neighbourhood holds no other
    class, the nearest row of another class gives the label. With two classes, it differs from `sym` only in the rows
    that it hits. UserError: all rows are of one class.

    Concentrated label noise does more harm than the same share of scattered noise: Drory, Ratzon, Avidan & Giryes
    (2020), BMVC, arXiv:1803.11410. The construction by centres is this project's.
    """
    assert rows.classes is not None
    n = len(rows.y)
    if (rows.y == rows.y[0]).all():
        raise UserError(
            f"local label flips need rows of two classes, and all {n} rows of this part are of class {rows.y[0]}",
            key="contaminations",
            fix="leave out the kind `local`, or use a dataset with more rows of each class",
        )
    distance = cdist(rows.X, rows.X)
    np.fill_diagonal(distance, -1.0)  # a row comes first in its own neighbourhood, before equal rows
    near = rows.y[distance.argsort(axis=1, kind="stable")]  # (n, n) classes, the nearest first
    of_class = [near == k for k in range(rows.classes)]
    count = np.column_stack([one[:, : _neighbourhood_size(n)].sum(axis=1) for one in of_class])
    first = np.column_stack([np.where(one.any(axis=1), one.argmax(axis=1), n) for one in of_class])
    rank = count * (n + 1) + (n - first)  # by count, then by the nearest row; 0: no row of this class
    rank[np.arange(n), rows.y] = -1
    return rows.X, rank.argmax(axis=1)


@kind("vert", hits=TARGET)
def vertical_outlier(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """y + magnitude * s, one-sided, s = 1.4826 MAD of the clean training target (Huber 1964; Maronna et al. 2019)."""
    return rows.X, np.asarray(rows.y + magnitude * reference.target_scale, dtype=np.float64)


@kind("vert2", hits=TARGET)
def two_sided_vertical_outlier(
    rows: Rows, reference: Reference, magnitude: float, draws: Draws
) -> tuple[Array, Target]:
    """y + magnitude * s or y - magnitude * s, each with probability 1/2 (sources and s as for `vert`)."""
    sign = 2.0 * draws.rows.integers(0, 2, size=len(rows.y)) - 1.0
    return rows.X, np.asarray(rows.y + magnitude * reference.target_scale * sign, dtype=np.float64)


@kind("shift", hits=TARGET, order=farthest_rows)
def systematic_shift(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """y + magnitude * s where x.u is greatest, u random: outliers that the features predict (this project's variant).

    At rate r the rows hit are those above the (1 - r) quantile of x.u, so r = .1 is "only where x.u > q_.9". s as for
    `vert`.
    """
    return vertical_outlier(rows, reference, magnitude, draws)


@kind("student", hits=TARGET)
def heavy_tailed_noise(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """y + a t, t of Student's distribution with nu = magnitude degrees of freedom (Lange, Little & Taylor 1989).

    a = .3 s / q, with q the upper quartile of t and s as for `vert`, so the noise has a MAD of .3 s at every nu. Its
    variance is infinite for nu <= 2. Meant for all rows: a study writes the rate as 1.
    """
    noise = draws.rows.standard_t(magnitude, size=len(rows.y)) / stdtrit(magnitude, 0.75)
    return rows.X, np.asarray(rows.y + HEAVY * reference.target_scale * noise, dtype=np.float64)


@kind("badlev", hits=FEATURES_AND_TARGET)
def bad_leverage(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """A cluster far out in an oblique direction, its target pulled off the response surface.

    x = centre + 3 sqrt(tr(covariance)) u + 0.1 SD_j N(0, 1), with u uniform on the sphere, one per dataset and seed.
    y = surface(x) - magnitude * s, s as for `vert`; magnitude = 0 would be good leverage.
    Rousseeuw & Leroy (1987); Rousseeuw & van Zomeren (1990).
    """
    X = _leverage_cluster(rows, reference, _oblique(rows, draws), draws)
    return X, _off_surface(X, reference, magnitude)


@kind("badlev_pc1", hits=FEATURES_AND_TARGET)
def bad_leverage_first_component(
    rows: Rows, reference: Reference, magnitude: float, draws: Draws
) -> tuple[Array, Target]:
    """As `badlev`, with u the first principal direction of the clean features: where they vary most."""
    X = _leverage_cluster(rows, reference, reference.components[0], draws)
    return X, _off_surface(X, reference, magnitude)


@kind("badlev_last", hits=FEATURES_AND_TARGET)
def bad_leverage_last_component(
    rows: Rows, reference: Reference, magnitude: float, draws: Draws
) -> tuple[Array, Target]:
    """As `badlev`, with u the last principal direction of the clean features: where they vary least, yet do vary."""
    X = _leverage_cluster(rows, reference, reference.components[-1], draws)
    return X, _off_surface(X, reference, magnitude)


@kind("goodlev", hits=FEATURES_AND_TARGET)
def good_leverage(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """The cluster of `badlev` with its target on the response surface, y = surface(x): a control. No magnitude.

    Far out, yet in agreement with the other rows (Rousseeuw & van Zomeren 1990).
    """
    X = _leverage_cluster(rows, reference, _oblique(rows, draws), draws)
    return X, _off_surface(X, reference, 0.0)


@kind("badlev_class", hits=FEATURES_AND_LABELS)
def bad_leverage_class(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """The cluster of `badlev`, with the class that the clean response surface ranks last there. No magnitude."""
    X = _leverage_cluster(rows, reference, _oblique(rows, draws), draws)
    return X, reference.surface(X).argmin(axis=1)


@kind("cell", hits=FEATURES, order=random_cells)
def cellwise_outlier(rows: Rows, reference: Reference, magnitude: float, draws: Draws) -> tuple[Array, Target]:
    """x_j -> mean_j + 10 SD_j in single cells (Alqallaf et al. 2009); the rest of the row, and y, stay. No magnitude.

    The rate is a share of the cells, so few rows stay whole: with p columns a share of (1 - rate)^p on average. In a
    constant column (SD = 0) a hit changes nothing.
    """
    return np.broadcast_to(reference.centre + CELL * reference.spread, rows.X.shape), rows.y


def _neighbourhood_size(n: int) -> int:
    return max(2, round(NEIGHBOURHOOD * n))


def _oblique(rows: Rows, draws: Draws) -> Array:
    return draws.shared.standard_normal(rows.X.shape[1:])


def _leverage_cluster(rows: Rows, reference: Reference, direction: Array, draws: Draws) -> Array:
    distance = LEVERAGE * float(np.sqrt((reference.spread**2).sum()))
    cluster = reference.centre + distance * direction / np.linalg.norm(direction)
    return cluster + JITTER * reference.spread * draws.rows.standard_normal(rows.X.shape)


def _off_surface(X: Array, reference: Reference, magnitude: float) -> Array:
    return np.asarray(reference.surface(X)[:, 0] - magnitude * reference.target_scale)


@dataclass(frozen=True)
class Contaminated:
    """Rows after contamination.

    `mask` (n,): rows of which anything was hit; `relabelled` (n,): rows that got another class and kept their features.
    """

    X: Array
    y: Target
    mask: NDArray[np.bool_]
    relabelled: NDArray[np.bool_]


def contaminate(
    rows: Rows, reference: Reference, *, kind: str, rate: float, magnitude: float, dataset: str, seed: int, part: str
) -> Contaminated:
    """Contaminate exactly round(rate * n) of `rows` (part: "train" or "validation") by a registered kind.

    n counts rows, or the cells of X for a kind that hits single cells. `rate` in [0, 1]; `magnitude` is 0 for kinds
    without one. Depends on (dataset, seed, kind, part) and the rows alone: not on beta, architecture or other levels.
    UserError: a rate above 0 that hits nothing, because the rows would pass for contaminated and be clean.
    """
    none = np.zeros(len(rows.y), dtype=bool)
    if kind == CLEAN or rate == 0:
        return Contaminated(rows.X, rows.y, none, none)
    own = generator("contamination", dataset, seed, kind, part)
    draws = Draws(own, shared=generator("contamination", dataset, seed, kind, "shared"))
    order = KINDS[kind].order(rows, reference, draws)
    chosen = order[: round(rate * order.size)]
    if chosen.size == 0:
        raise UserError(
            f"{kind} at rate {rate:g} hits none of the {len(rows.y)} {part} rows of {dataset}",
            key="contaminations",
            fix=f"raise the rate above {0.5 / order.size:.2g}, or use a dataset with more rows",
        )
    flat = np.zeros(order.size, dtype=bool)
    flat[chosen] = True
    hit = flat.reshape(len(rows.y), -1)  # (n, 1) rows or (n, p) cells
    mask: NDArray[np.bool_] = np.any(hit, axis=1)
    X, y = KINDS[kind].twins(rows, reference, magnitude, draws)
    relabelled = mask & np.not_equal(y, rows.y) if KINDS[kind].hits == LABELS else none
    return Contaminated(np.where(hit, X, rows.X), np.where(mask, y, rows.y), mask, relabelled)


Floats = NDArray[np.floating[Any]]


def test_noise(X: Array, strength: float, *, spread: Array, dataset: str, seed: int) -> Array:
    """Test rows with noise on every feature: x_j + strength * spread_j * N(0, 1), (n, p).

    `strength` >= 0 in SDs of each feature, `spread` (p,) from the clean training rows. The same draws at every strength
    and for every model: keyed by (dataset, seed) alone. Returns a copy; other measures use the rows without noise.
    """
    return X + strength * spread * generator("test noise", dataset, seed).standard_normal(X.shape)


def fgsm_l2(X: Floats, gradient: Floats, strength: float) -> Floats:
    """Test rows moved to raise the loss: x + strength * g / |g|, g the gradient of the row's loss with respect to x.

    `X` (n, p); `gradient` (..., n, p), one block a model, gives the result its shape. `strength` >= 0 is the length of
    the step in units of the scaled features. A row whose gradient is exactly 0 stays. The L2 form of the fast gradient
    sign method: Goodfellow, Shlens & Szegedy (2015); Miyato, Dai & Goodfellow (2017).
    """
    largest = np.abs(gradient).max(axis=-1, keepdims=True)
    # Scaled first: the gradient of a confident network is so small that its squares vanish, and no step would be taken.
    direction = np.divide(gradient, largest, out=np.zeros_like(gradient), where=largest > 0)
    length = np.linalg.norm(direction, axis=-1, keepdims=True)
    return np.asarray(X + strength * np.divide(direction, length, out=direction, where=length > 0))
