"""Runs as arrays: every run of one dataset, arm and loss on the grid (level, beta, seed).

An arm is an architecture with one penalty, optimizer and scaling; a study's primary arms are named like their
architectures. Here, and nowhere else, it is decided which beta a seed's clean validation rows choose and which betas
are in the judged band. Everything is per (dataset, arm, loss, seed): validation is never averaged over seeds, because
one seed's validation rows are another's test rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from l2audit.contamination import CLEAN

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ARM = ("architecture", "penalty", "optimizer", "scaling")
"""What all runs of an arm share."""

ABSENT = "absent"


@dataclass(frozen=True)
class Thresholds:
    """What makes a run usable: the certificate of convergence, the judged band and the signs of an active penalty."""

    gradient_ratio: float
    balance: float
    band: float
    norm_drop: float
    decay_exposure: float


@dataclass(frozen=True)
class Grid:
    """Runs of one (dataset, arm, loss): levels x betas x seeds, absent runs as NaN with status "absent"."""

    dataset: str
    task: str
    architecture: str
    loss: str
    levels: list[str]
    betas: Array  # (B,), ascending, betas[0] == 0
    seeds: list[int]
    columns: dict[str, Array]  # measure -> (L, B, S)
    status: NDArray[np.object_]  # (L, B, S)
    thresholds: Thresholds

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

        ValueError: a run outside the grid.
        """
        shape = (len(levels), len(betas), len(seeds))
        where = tuple(
            pd.Categorical(runs[column], categories=known).codes
            for column, known in (("level", levels), ("beta", betas), ("seed", seeds))
        )
        if any((codes < 0).any() for codes in where):
            raise ValueError(f"{key}: a run lies outside the planned grid")
        columns = {}
        for name in MEASURES_READ:
            columns[name] = np.full(shape, np.nan)
            columns[name][where] = runs[name].to_numpy(dtype=float)
        status = np.full(shape, ABSENT, dtype=object)
        status[where] = runs["status"].to_numpy()
        return cls(*key, levels, np.asarray(betas, dtype=float), seeds, columns, status, thresholds)

    def at_seeds(self, seeds: Sequence[int]) -> Grid:
        """The same grid for `seeds`, in their order; those that were not planned here are absent."""
        if list(seeds) == self.seeds:
            return self
        index = np.array([self.seeds.index(seed) if seed in self.seeds else -1 for seed in seeds], dtype=np.int64)
        missing = index < 0
        columns = {name: np.where(missing, np.nan, values[..., index]) for name, values in self.columns.items()}
        status = np.where(missing, ABSENT, self.status[..., index])
        return replace(self, seeds=list(seeds), columns=columns, status=status)

    @cached_property
    def band(self) -> Mask:
        """(B, S): beta > 0 whose clean validation risk is within the margin of the best over all betas, 0 included."""
        risk = self.columns["validation_risk"][self.levels.index(CLEAN)]
        best = np.nanmin(np.where(np.isnan(risk), np.inf, risk), axis=0)
        inside: Mask = (risk <= best + self.thresholds.band) & (self.betas > 0)[:, None]
        return inside

    @cached_property
    def chosen(self) -> NDArray[np.int64]:
        """(S,): index of the beta > 0 of least clean validation risk; ties go to the largest beta.

        0-1 error ties often, and the smallest of tied betas would mean "L2 off".
        """
        risk = self.columns["validation_risk"][self.levels.index(CLEAN)].copy()
        risk = np.where(np.isnan(risk), np.inf, risk)
        risk[0] = np.inf
        last = len(self.betas) - 1
        chosen: NDArray[np.int64] = last - risk[::-1].argmin(axis=0)
        return chosen

    @cached_property
    def certified(self) -> Mask:
        """(L, B, S): penalised runs whose gradient and layer balance show convergence; beta = 0 is exempt.

        Without a penalty separable data have no minimiser to converge to. Balance: Du, Hu & Lee (2018), extended to L2.
        """
        balance = self.columns["balance"]
        converged: Mask = (self.columns["gradient_ratio"] < self.thresholds.gradient_ratio) & (
            np.isnan(balance) | (balance < self.thresholds.balance)
        )
        exempt: Mask = (self.betas == 0)[None, :, None]
        return np.asarray(converged | exempt)


MEASURES_READ = (
    "test_risk",
    "train_risk",
    "validation_risk",
    "weight_norm",
    "memorised_fraction",
    "gradient_ratio",
    "balance",
    "decay_exposure",
)


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
        """All arms of the dataset of `block` by name, that of `block` included, with the seeds that `block` has."""
        everything = {**self.primary, **self.further}
        (seeds, *_) = (grid.seeds for grid in everything[block].values())
        return {
            other.arm: {loss: grid.at_seeds(seeds) for loss, grid in by_loss.items()}
            for other, by_loss in everything.items()
            if other._replace(arm=block.arm) == block
        }


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
