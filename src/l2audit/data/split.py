"""Train, validation and test rows, and the scalings that are learnt from training rows alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from l2audit.errors import UserError
from l2audit.seeds import generator

PARTS = ("train", "validation", "test")
SCALINGS = ("clean", "contaminated", "robust")
"""By mean and SD of the clean training rows, by mean and SD of the contaminated ones, or by their median and MAD."""

MAD_TO_SD = 1.4826  # of a normal distribution
# A column whose spread is below this share of its size is constant up to rounding.
_CONSTANT = 1e-12


@dataclass(frozen=True)
class Sizes:
    """Rows in each part: how many there are, or at most may be."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class Split:
    """Row indices of each part: sorted int64 arrays that share no row."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def sizes_for(n: int, caps: Sizes) -> Sizes:
    """Part sizes for `n` rows: half to train, a quarter to validation, the rest to test, each at most its cap.

    The sizes depend on nothing else, so they are the same at every seed and one compiled program serves all of them.
    UserError if a part would be empty.
    """
    train = min(caps.train, n // 2)
    validation = min(caps.validation, n // 4)
    sizes = Sizes(train, validation, min(caps.test, n - train - validation))
    if min(sizes.train, sizes.validation, sizes.test) < 1:
        raise UserError(
            f"{n} rows under the {caps} leave a part without rows",
            key="rows",
            fix="use a dataset of at least 4 rows and caps of at least 1",
        )
    return sizes


def split(name: str, task: str, y: np.ndarray, seed: int, caps: Sizes) -> Split:
    """The rows of each part for (dataset `name`, `seed`); stratified by class for classification.

    Depends on the dataset's name, the seed, `y` and `caps` only: never on contamination, architecture or beta. Where
    the cap bites, rows outside the parts are left unused. Every class with as many rows as there are parts is in every
    part that has room for all classes.
    """
    sizes = sizes_for(len(y), caps)
    strata = np.asarray(y) if task == "classification" else np.zeros(len(y), dtype=np.int64)
    order = generator("split", name, seed).permutation(len(strata))
    shuffled = strata[order]
    members = [order[shuffled == label] for label in np.unique(strata)]
    left = np.array([len(rows) for rows in members])
    taken = np.zeros_like(left)
    parts = []
    for position, size in enumerate((sizes.train, sizes.validation, sizes.test)):
        share = allocate(left, size, reserve=len(PARTS) - 1 - position)
        chosen = [rows[start : start + count] for rows, start, count in zip(members, taken, share, strict=True)]
        parts.append(np.sort(np.concatenate(chosen)))
        taken, left = taken + share, left - share
    return Split(*parts)


def allocate(counts: np.ndarray, size: int, reserve: int) -> np.ndarray:
    """How many rows to take of each class: `size` in all, proportional to `counts` by largest remainder.

    A class keeps `reserve` rows back for the parts still to be filled where it has them, and gets at least one row
    where that and `size` allow. Ties go to the class of the lower number. `counts`: int (K,), sum >= size.
    """
    ceiling = np.maximum(counts - reserve, np.minimum(counts, 1))
    if ceiling.sum() < size:
        ceiling = counts
    ideal = size * counts / counts.sum()
    floor = np.minimum(1, ceiling) if size >= np.count_nonzero(ceiling) else np.zeros_like(counts)
    share = np.clip(np.floor(ideal).astype(counts.dtype), floor, ceiling)
    while share.sum() != size:
        step = 1 if share.sum() < size else -1
        movable = share < ceiling if step > 0 else share > floor
        need = np.where(movable, step * (ideal - share), -np.inf)
        share[int(np.argmax(need))] += step
    return np.asarray(share)


@dataclass(frozen=True)
class Scaler:
    """Standardisation: subtract a centre and divide by a spread, both of the rows it was fitted on.

    `mean`, `scale`: (p,), the centre and spread of each feature. `y_mean`, `y_scale`: of the target for regression,
    0 and 1 for classification. A column that does not vary there is divided by 1.
    """

    mean: np.ndarray
    scale: np.ndarray
    y_mean: float = 0.0
    y_scale: float = 1.0

    @classmethod
    def fit(cls, X: np.ndarray, y: np.ndarray | None = None, how: str = "clean") -> Scaler:
        """Learn from rows `X` (n, p) and, for regression, targets `y` (n,), by one of `SCALINGS`.

        Give it training rows only: clean ones for "clean", contaminated ones for "contaminated" and "robust". Fitting
        commutes with a change of each column's origin and unit, so rows that were standardised before may be given,
        and the new scaler applied after the old one. ValueError for another `how`.
        """
        if how not in SCALINGS:
            raise ValueError(f"'{how}' is no scaling; known are {', '.join(SCALINGS)}")
        measure = median_and_mad if how == "robust" else mean_and_sd
        centre, spread = measure(np.asarray(X, dtype=np.float64))
        if y is None:
            return cls(centre, spread)
        y_centre, y_spread = measure(np.asarray(y, dtype=np.float64)[:, None])
        return cls(centre, spread, float(y_centre[0]), float(y_spread[0]))

    def features(self, X: np.ndarray) -> np.ndarray:
        """`X` (n, p) in units of the fitted spread about the fitted centre, float64."""
        return np.asarray((X - self.mean) / self.scale, dtype=np.float64)

    def target(self, y: np.ndarray) -> np.ndarray:
        """`y` (n,) likewise, float64; unchanged if no target was fitted."""
        return np.asarray((y - self.y_mean) / self.y_scale, dtype=np.float64)


def mean_and_sd(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population SD of the columns of `X` (n, p); 1 for the SD of a column that does not vary."""
    mean, spread = X.mean(axis=0), X.std(axis=0)
    return mean, np.where(_constant(mean, spread), 1.0, spread)


def median_and_mad(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and 1.4826 MAD of the columns of `X` (n, p), consistent for the SD of a normal distribution.

    Where more than half of a column's values are equal the MAD is 0. Its SD is taken instead, as for the scale of a
    target. Otherwise a rare indicator would be blown up, or the column lost. 1 for a column that does not vary.
    Huber (1981) Robust Statistics, section 5.1.
    """
    median = np.median(X, axis=0)
    mad = MAD_TO_SD * np.median(np.abs(X - median), axis=0)
    return median, np.where(_constant(median, mad), mean_and_sd(X)[1], mad)


def _constant(centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    return np.asarray(spread <= _CONSTANT * np.maximum(1.0, np.abs(centre)))
