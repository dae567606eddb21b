"""Runs as arrays: every run of one dataset, arm and loss on the grid (level, beta, seed).

An arm is an architecture with one penalty, optimizer and scaling; a study's primary arms are named like their
architectures. Only here is it decided which beta a seed's clean validation rows choose, and which betas are in the
judged band. Both are chosen for each seed alone: the validation rows of one seed are test rows of another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from l2audit.contamination import CLEAN
from l2audit.errors import UserError
from l2audit.measures import OK

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ABSENT = "absent"


class Block(NamedTuple):
    """One dataset under one arm; `role` is that of the dataset, study or control."""

    role: str
    dataset: str
    task: str
    arm: str


@dataclass(frozen=True)
class Thresholds:
    """The certificate of convergence, the judged band and the signs of an active penalty.

    certified, in_band: whether a penalised run needs a certificate, and its beta a place in the band, before it counts.
    The registration asks neither: all finite runs are judged. Both and `band` may also be (S,), one a seed.
    """

    gradient_ratio: float
    balance: float
    band: float | Array
    norm_drop: float
    decay_exposure: float
    certified: bool | Mask = False
    in_band: bool | Mask = False


def least_clean_risk(grid: Grid, level: str) -> NDArray[np.int64]:
    """(S,): the registered choice of beta, the best one of the models trained on clean rows, whatever the `level`."""
    return grid.best(CLEAN)


def least(values: Array, betas: Array, *, smallest: bool = False) -> NDArray[np.int64]:
    """(S,): index of the beta > 0 of least value, `values` (B, S); NaN is never the least.

    Ties go to the largest beta, or to the `smallest`. The largest beta where no value is there.
    """
    last = len(betas) - 1
    offered = np.where(np.isnan(values) | (betas == 0)[:, None], np.inf, values)
    found: NDArray[np.int64] = offered.argmin(axis=0) if smallest else last - offered[::-1].argmin(axis=0)
    return np.where(np.isfinite(offered).any(axis=0), found, last)


@dataclass(frozen=True)
class Grid:
    """Runs of one (dataset, arm, loss): levels x betas x seeds.

    column(name): that column of the table of runs, (L, B, S). It is NaN where the run is absent or has diverged,
    whatever the table says, so that no choice can fall on such a run. UserError: the runs do not have it.
    copies: how often the seeds stand side by side (l2audit.specifications). An estimand that pools seeds pools each.
    """

    task: str
    loss: str
    levels: list[str]
    betas: Array  # (B,), ascending, betas[0] == 0
    seeds: list[int]
    column: Callable[[str], Array]
    status: NDArray[np.object_]  # (L, B, S)
    thresholds: Thresholds
    choose: Callable[[Grid, str], NDArray[np.int64]] = least_clean_risk  # another one: l2audit.specifications
    copies: int = 1

    @classmethod
    def of(cls, task: str, loss: str, planned: pd.DataFrame, runs: pd.DataFrame, thresholds: Thresholds) -> Grid:
        """Arrange `runs` on the levels, betas and seeds of the `planned` ones. ValueError: a run outside that grid."""
        levels = sorted(planned["level"].unique(), key=lambda level: (level != CLEAN, level))
        betas, seeds = (sorted(planned[axis].unique()) for axis in ("beta", "seed"))
        axes = {"level": levels, "beta": betas, "seed": seeds}
        where = tuple(pd.Categorical(runs[axis], categories=known).codes for axis, known in axes.items())
        if any((codes < 0).any() for codes in where):
            raise ValueError(f"{planned.iloc[0].to_dict()}: a run lies outside the planned grid")
        status = np.full([len(known) for known in axes.values()], ABSENT, dtype=object)
        status[where] = runs["status"].to_numpy()

        def column(name: str) -> Array:
            if name not in runs:
                raise UserError(f"the table of runs lacks the column '{name}'", fix="train again with this version")
            values = np.full(status.shape, np.nan)
            values[where] = runs[name].to_numpy(dtype=float)
            return np.where(status == OK, values, np.nan)

        return cls(task, loss, levels, np.asarray(betas, dtype=float), seeds, cache(column), status, thresholds)

    def at_seeds(self, seeds: Sequence[int]) -> Grid:
        """The same grid for `seeds` alone, in their order (ValueError: one was not planned here)."""
        index = [self.seeds.index(seed) for seed in seeds]
        if list(seeds) == self.seeds:
            return self
        column = cache(lambda name: self.column(name)[..., index])
        return replace(self, seeds=list(seeds), column=column, status=self.status[..., index])

    @cached_property
    def band(self) -> Mask:
        """(B, S): beta > 0 whose clean validation risk is within the margin of the best over all betas, 0 included."""
        risk = self.column("validation_risk")[self.levels.index(CLEAN)]
        best = np.where(np.isnan(risk), np.inf, risk).min(axis=0)
        inside: Mask = (risk <= best + self.thresholds.band) & (self.betas > 0)[:, None]
        return inside

    @cached_property
    def chosen_at(self) -> Mapping[str, NDArray[np.int64]]:
        """Level -> (S,): index of the beta that each seed is judged at there."""
        return {level: self.choose(self, level) for level in self.levels}

    def best(self, level: str, risk: str = "validation_risk", *, smallest: bool = False) -> NDArray[np.int64]:
        """(S,): index of the beta > 0 of least clean validation risk at `level`, or of another `risk`.

        Ties of 0-1 errors are common, and the smallest of tied betas would mean "L2 off". Where all penalised runs of
        a seed are lost, the index is that of a lost run, so no contrast can use it.
        """
        return least(self.column(risk)[self.levels.index(level)], self.betas, smallest=smallest)

    @cached_property
    def certified(self) -> Mask:
        """(L, B, S): finite runs whose gradient and layer balance show convergence, and those without a penalty.

        Without a penalty separable data have no minimiser to converge to: beta = 0 is exempt, and so is a run whose
        penalty reaches nothing (its decay exposure is 0). Balance: Du, Hu & Lee (2018), extended to L2.
        """
        balance = self.column("balance")
        converged: Mask = (self.column("gradient_ratio") < self.thresholds.gradient_ratio) & (
            np.isnan(balance) | (balance < self.thresholds.balance)
        )
        exempt: Mask = (self.betas == 0)[None, :, None] | (self.column("decay_exposure") == 0)
        return np.asarray((converged | exempt) & (self.status == OK))


ByLoss = Mapping[str, Grid]


def at_common_seeds(arms: Mapping[str, ByLoss]) -> Mapping[str, ByLoss]:
    """The arms of one contrast, at the seeds that all of them planned."""
    (first, *others) = (grid.seeds for by_loss in arms.values() for grid in by_loss.values())
    everywhere = set(first).intersection(*others)
    common = [seed for seed in first if seed in everywhere]
    return {name: {loss: grid.at_seeds(common) for loss, grid in by_loss.items()} for name, by_loss in arms.items()}


def mean_where(values: Array, used: Mask, axis: int = -1) -> Array:
    """Mean of `values` over `axis` where `used`; NaN where nothing is."""
    count = used.sum(axis=axis)
    total = np.where(used, values, 0.0).sum(axis=axis)
    mean: Array = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean


def moments(x: Array) -> tuple[NDArray[np.int64], Array, Array]:
    """Count, mean and standard deviation (ddof 1) of the finite entries on the last axis; NaN where undefined."""
    present = np.isfinite(x)
    k = present.sum(axis=-1)
    mean = mean_where(x, present)
    squares = np.where(present, (x - np.where(k > 0, mean, 0.0)[..., None]) ** 2, 0.0).sum(axis=-1)
    sd = np.sqrt(np.divide(squares, k - 1, out=np.full(k.shape, np.nan), where=k > 1))
    return k, mean, sd
