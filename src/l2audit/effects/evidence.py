"""What effects are made of: the planned runs, the trained ones, the registration, and what is known of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from l2audit.config.claims import Registration
from l2audit.contamination import CLEAN
from l2audit.effects.grid import Block, ByLoss, Grid, Thresholds

LEVERAGE = "leverage"


def stratum_of(kind: str, strata: Mapping[str, str], collinear: bool) -> str:
    """The stratum that a contamination kind feeds; leverage is split by whether the dataset's clean X is collinear."""
    if kind == CLEAN:
        return CLEAN
    stratum = strata[kind]
    return f"{LEVERAGE}-{'collinear' if collinear else 'other'}" if stratum == LEVERAGE else stratum


@dataclass(frozen=True)
class Evidence:
    """One study, as effects are estimated from it.

    plan       The planned runs, one per row: role, task, arm, primary (bool), level, kind and the axes of a run.
    runs       The table of runs (runs.parquet).
    strata     Contamination kind -> stratum.
    collinear  Dataset -> flag of its data card.
    """

    plan: pd.DataFrame
    runs: pd.DataFrame
    registration: Registration
    strata: Mapping[str, str]
    collinear: Mapping[str, bool]

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """Level -> kind of contamination."""
        return dict(zip(self.plan["level"], self.plan["kind"], strict=True))

    def stratum(self, level: str, dataset: str) -> str:
        """The stratum of one level of one dataset."""
        return stratum_of(self.kinds[level], self.strata, self.collinear[dataset])

    @cached_property
    def grids(self) -> Mapping[Block, ByLoss]:
        """The runs of every block that was planned, by loss. ValueError: a run outside the plan."""
        constants = self.registration.constants
        found = {tuple(map(str, key)): rows for key, rows in self.runs.groupby(["dataset", "arm", "loss"], sort=True)}
        grids: dict[Block, dict[str, Grid]] = {}
        for key, planned in self.plan.groupby([*Block._fields, "loss"], sort=True):
            role, dataset, task, arm, loss = map(str, key)
            thresholds = Thresholds(
                gradient_ratio=constants.gradient_ratio,
                balance=constants.balance,
                band=constants.band[task],
                norm_drop=constants.activity["norm_drop"],
                decay_exposure=constants.activity["decay_exposure"],
            )
            runs = found.get((dataset, arm, loss), self.runs.iloc[:0])
            by_loss = grids.setdefault(Block(role, dataset, task, arm), {})
            by_loss[loss] = Grid.of(task, loss, planned, runs, thresholds)
        return grids

    @cached_property
    def primary(self) -> frozenset[Block]:
        """The blocks of the primary arms."""
        rows = self.plan.loc[self.plan["primary"].astype(bool), list(Block._fields)].drop_duplicates()
        return frozenset(Block(*map(str, row)) for row in rows.itertuples(index=False))

    @cached_property
    def arms(self) -> Mapping[tuple[str, str, str], Mapping[str, ByLoss]]:
        """(role, dataset, task) -> its arms by name."""
        found: dict[tuple[str, str, str], dict[str, ByLoss]] = {}
        for (role, dataset, task, arm), by_loss in self.grids.items():
            found.setdefault((role, dataset, task), {})[arm] = by_loss
        return found
