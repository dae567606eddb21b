"""Runs as arrays: every run of one dataset, arm and loss on the grid (level, beta, seed).

An arm is an architecture with one penalty, optimizer and scaling; a study's primary arms are named like their
architectures. Here, and nowhere else, it is decided which beta a seed's clean validation rows choose and which betas
are in the judged band. Everything is per (dataset, arm, loss, seed): validation is never averaged over seeds, because
one seed's validation rows are another's test rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from l2audit.contamination import CLEAN
from l2audit.errors import UserError
from l2audit.measures import OK

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ARM = ("architecture", "penalty", "optimizer", "scaling")
"""What all runs of an arm share."""

ABSENT = "absent"


@dataclass(frozen=True)
class Thresholds:
    """What makes a run usable: the certificate of convergence, the judged band and the signs of an active penalty.

    The first three may also be (S,), one a seed.
    """

    gradient_ratio: float | Array
    balance: float | Array
    band: float | Array
    norm_drop: float
    decay_exposure: float


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


class Columns(dict[str, Array]):
    """Column of the table of runs -> (L, B, S), arranged when it is first asked for: an estimand needs few of them."""

    def __init__(self, arrange: Callable[[str], Array]) -> None:
        super().__init__()
        self._arrange = arrange

    def __missing__(self, name: str) -> Array:
        self[name] = found = self._arrange(name)
        return found


@dataclass(frozen=True)
class Grid:
    """Runs of one (dataset, arm, loss): levels x betas x seeds.

    Every column is NaN where the run is absent or has diverged, whatever the table says there. So no choice can fall on
    such a run.
    """

    dataset: str
    task: str
    architecture: str
    loss: str
    levels: list[str]
    betas: Array  # (B,), ascending, betas[0] == 0
    seeds: list[int]
    columns: Columns
    status: NDArray[np.object_]  # (L, B, S)
    thresholds: Thresholds
    choose: Callable[[Grid, str], NDArray[np.int64]] = least_clean_risk  # another one: l2audit.specifications

    @classmethod
    def of(
        cls,
        key: tuple[str, str, str, str],
        runs: pd.DataFrame,
        levels: list[str],
        betas: list[float],
        seeds: list[int],
        thresholds: Thresholds,
    ) -> Grid:
        """Arrange `runs`, those of `key` = (dataset, task, architecture, loss), on the planned grid.

        ValueError: a run outside the grid. UserError, when it is asked for: a column that the runs do not have.
        """
        shape = (len(levels), len(betas), len(seeds))
        where = tuple(
            pd.Categorical(runs[column], categories=known).codes
            for column, known in (("level", levels), ("beta", betas), ("seed", seeds))
        )
        if any((codes < 0).any() for codes in where):
            raise ValueError(f"{key}: a run lies outside the planned grid")

        def arrange(name: str) -> Array:
            if name not in runs:
                raise UserError(f"the table of runs lacks the column '{name}'", fix="train again with this version")
            values = np.full(shape, np.nan)
            values[where] = runs[name].to_numpy(dtype=float)
            return np.where(status == OK, values, np.nan)

        status = np.full(shape, ABSENT, dtype=object)
        status[where] = runs["status"].to_numpy()
        return cls(*key, levels, np.asarray(betas, dtype=float), seeds, Columns(arrange), status, thresholds)

    def at_seeds(self, seeds: Sequence[int]) -> Grid:
        """The same grid for `seeds` alone, in their order (ValueError: one was not planned here)."""
        if list(seeds) == self.seeds:
            return self
        index = [self.seeds.index(seed) for seed in seeds]
        columns = Columns(lambda name: self.columns[name][..., index])
        return replace(self, seeds=list(seeds), columns=columns, status=self.status[..., index])

    @cached_property
    def band(self) -> Mask:
        """(B, S): beta > 0 whose clean validation risk is within the margin of the best over all betas, 0 included."""
        risk = self.columns["validation_risk"][self.levels.index(CLEAN)]
        best = np.where(np.isnan(risk), np.inf, risk).min(axis=0)
        inside: Mask = (risk <= best + self.thresholds.band) & (self.betas > 0)[:, None]
        return inside

    @cached_property
    def chosen_at(self) -> Mapping[str, NDArray[np.int64]]:
        """Level -> (S,): index of the beta that each seed is judged at there."""
        return {level: self.choose(self, level) for level in self.levels}

    @property
    def chosen(self) -> NDArray[np.int64]:
        """(S,): likewise, of the models trained on clean rows."""
        return self.chosen_at[CLEAN]

    def best(self, level: str, risk: str = "validation_risk", *, smallest: bool = False) -> NDArray[np.int64]:
        """(S,): index of the beta > 0 of least clean validation risk at `level`, or of another `risk`; see `least`.

        0-1 error ties often, and the smallest of tied betas would mean "L2 off". Where all penalised runs of a seed are
        lost, the index is that of a lost run, so that no contrast with it can be used.
        """
        return least(self.columns[risk][self.levels.index(level)], self.betas, smallest=smallest)

    @cached_property
    def certified(self) -> Mask:
        """(L, B, S): finite runs whose gradient and layer balance show convergence, and those without a penalty.

        Without a penalty separable data have no minimiser to converge to: beta = 0 is exempt, and so is a run whose
        penalty reaches nothing (its decay exposure is 0). Balance: Du, Hu & Lee (2018), extended to L2.
        """
        balance = self.columns["balance"]
        converged: Mask = (self.columns["gradient_ratio"] < self.thresholds.gradient_ratio) & (
            np.isnan(balance) | (balance < self.thresholds.balance)
        )
        exempt: Mask = (self.betas == 0)[None, :, None] | (self.columns["decay_exposure"] == 0)
        return np.asarray((converged | exempt) & (self.status == OK))


ByLoss = Mapping[str, Grid]


class Block(NamedTuple):
    """One dataset under one arm; `role` is that of the dataset, study or control."""

    role: str
    dataset: str
    task: str
    arm: str


@dataclass(frozen=True)
class Grids:
    """Every grid of a study: block -> loss -> grid, the primary arms apart from the further ones."""

    primary: Mapping[Block, ByLoss]
    further: Mapping[Block, ByLoss]

    def blocks(self, arms: Sequence[str] = ()) -> Mapping[Block, ByLoss]:
        """The blocks of the primary arms, and those of the further arms that are named."""
        return {**self.primary, **{block: grids for block, grids in self.further.items() if block.arm in arms}}

    def beside(self, block: Block) -> Mapping[str, ByLoss]:
        """All arms of the dataset of `block` by name, that of `block` included."""
        everything = {**self.primary, **self.further}
        return {other.arm: by_loss for other, by_loss in everything.items() if other._replace(arm=block.arm) == block}


def at_common_seeds(arms: Mapping[str, ByLoss]) -> Mapping[str, ByLoss]:
    """The arms of one contrast, at the seeds that all of them planned."""
    (first, *others) = (grid.seeds for by_loss in arms.values() for grid in by_loss.values())
    everywhere = set(first).intersection(*others)
    common = [seed for seed in first if seed in everywhere]
    return {name: {loss: grid.at_seeds(common) for loss, grid in by_loss.items()} for name, by_loss in arms.items()}


def grids_of(plan: pd.DataFrame, runs: pd.DataFrame, thresholds: Mapping[str, Thresholds]) -> Grids:
    """Arrange `runs` on the grids of every block that was planned.

    plan: role, task, arm, primary (bool), level and the axes of the planned runs; runs: the table of runs; thresholds:
    by task.
    """
    found = {tuple(map(str, key)): rows for key, rows in runs.groupby(["dataset", *ARM, "loss"], sort=True)}
    empty = runs.iloc[:0]
    primaries: dict[Block, dict[str, Grid]] = {}
    further: dict[Block, dict[str, Grid]] = {}
    for key, planned in plan.groupby([*Block._fields, "primary", *ARM, "loss"], sort=True):
        role, dataset, task, arm, _, *axes, loss = map(str, key)
        block = Block(role, dataset, task, arm)
        levels = sorted(planned["level"].unique(), key=lambda level: (level != CLEAN, level))
        (primaries if planned["primary"].all() else further).setdefault(block, {})[loss] = Grid.of(
            (dataset, task, axes[0], loss),
            found.get((dataset, *axes, loss), empty),
            levels,
            sorted(planned["beta"].unique()),
            sorted(planned["seed"].unique()),
            thresholds[task],
        )
    return Grids(primaries, further)
