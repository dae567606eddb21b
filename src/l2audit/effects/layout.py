"""The effects table as dense arrays, one claim at a time, in an order that does not depend on the order of its rows.

A row of the verdict uses only architectures planned on all of its datasets, and only seeds planned in all of its cells:
else the composition of the mean would differ from dataset to dataset. The rest is for the map only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from l2audit.config.claims import Claim, Part
from l2audit.effects.grid import Array, Mask
from l2audit.errors import UserError

COLUMNS = (
    "claim",
    "part",
    "dataset",
    "role",
    "task",
    "stratum",
    "architecture",
    "level",
    "seed",
    "theta",
    "ok",
    "reason",
    "active",
)
SLOPE = "slope"
"""Of the effect on log10 beta; a table without this column is judged all the same, because no verdict depends on it."""
KEY = ["dataset", "stratum", "architecture", "level", "seed"]
ALL = "all"

NOT_EVERYWHERE = "architecture not planned on every dataset of the row"
NOT_COMMON = "seed not planned in every cell"
NOT_FINITE = "effect is not a finite number"
UNSTATED = "no reason given"


@dataclass(frozen=True)
class PartLayout:
    """Where the effects of one part stand in arrays over K datasets, S strata, A architectures, L levels, R seeds.

    rows: (n,), positions in the effects table of those that enter; index: their place on each axis; delta: (n,), that
    of their task; shape: (K, S, A, L, R). unused: rows that do not enter for reasons of composition.
    """

    rows: NDArray[np.intp]
    index: tuple[NDArray[np.intp], ...]
    delta: Array
    shape: tuple[int, ...]
    unused: Counter[str]

    def arrange(self, values: Array) -> Array:
        """(..., n), values of the rows, as (..., K, S, A, L, R); NaN where there is no row."""
        dense: Array = np.full((*values.shape[:-1], *self.shape), np.nan)
        where: tuple[Any, ...] = (..., *self.index)
        dense[where] = values
        return dense

    @property
    def planned(self) -> Mask:
        """(K, S, A, L): the cells of the plan."""
        cells = np.zeros(self.shape[:-1], dtype=bool)
        cells[self.index[:-1]] = True
        return cells


@dataclass(frozen=True)
class Layout:
    """A claim's parts over common axes of datasets (sorted by name) and strata (as registered)."""

    datasets: tuple[str, ...]
    tasks: tuple[str, ...]
    strata: tuple[str, ...]
    parts: tuple[PartLayout, ...]


@dataclass(frozen=True)
class PartTable:
    """One part of a claim over K datasets, S strata, A architectures, L levels and R seeds (see `scores.scores`).

    slope: as u, the change of the effect per tenfold beta in units of delta; NaN where it is not known.

    dropped: rows that are not ok, counted by reason. unused: rows that do not enter for reasons of composition.
    """

    u: Array
    active: Array
    slope: Array
    planned: Mask
    dropped: Counter[str]
    unused: Counter[str]

    @property
    def planned_datasets(self) -> Mask:
        """(K, S): the dataset has planned cells in the stratum."""
        wanted: Mask = np.asarray(self.planned.any(axis=(-2, -1)))
        return wanted


@dataclass(frozen=True)
class ClaimTable:
    """A claim's parts over common axes of datasets (sorted by name) and strata (as registered)."""

    datasets: tuple[str, ...]
    tasks: tuple[str, ...]
    strata: tuple[str, ...]
    parts: tuple[PartTable, ...]


def claim_table(effects: pd.DataFrame, claim: Claim) -> ClaimTable:
    """Arrange the rows of `claim`. UserError: a column is missing, a row is there twice, a task has no delta."""
    absent = [column for column in COLUMNS if column not in effects.columns]
    if absent:
        raise UserError(f"the effects table lacks the column '{absent[0]}'", fix="make it again with this version")
    found = layout(effects, claim)
    parts = tuple(_part_table(effects, part) for part in found.parts)
    return ClaimTable(found.datasets, found.tasks, found.strata, parts)


def _part_table(effects: pd.DataFrame, part: PartLayout) -> PartTable:
    rows = effects.iloc[part.rows].reindex(columns=[*COLUMNS, SLOPE])
    theta, slope = (pd.to_numeric(rows[name]).to_numpy(dtype=float) for name in ("theta", SLOPE))
    flagged = rows["ok"].to_numpy(dtype=bool)
    ok = flagged & np.isfinite(theta)
    reasons = np.where(flagged, NOT_FINITE, rows["reason"].astype(str).replace("", UNSTATED).to_numpy(dtype=object))
    return PartTable(
        u=part.arrange(np.where(ok, theta, np.nan) / part.delta),
        active=part.arrange(np.where(ok, rows["active"].to_numpy(dtype=float), np.nan)),
        slope=part.arrange(slope / part.delta),
        planned=part.planned,
        dropped=Counter(reasons[~ok].tolist()),
        unused=part.unused,
    )


POSITION = "position"
"""Column of `layout`: where a row stands in the effects table."""


def layout(effects: pd.DataFrame, claim: Claim) -> Layout:
    """Where the rows of `claim` stand; of `effects` only the key is read.

    UserError: a row is there twice, a task has no delta, a dataset two tasks.
    """
    rows = effects[["claim", "part", "role", "task", *KEY]].assign(**{POSITION: np.arange(len(effects))})
    rows = rows[(rows["claim"] == claim.id) & (rows["role"] == claim.role)]
    if claim.datasets:
        rows = rows[rows["dataset"].isin(claim.datasets)]
    strata = claim.strata or (ALL,)
    unregistered = ~rows["architecture"].isin(claim.architectures) | ~rows["part"].isin([p.id for p in claim.parts])
    rows = rows[~unregistered & (rows["stratum"].isin(claim.strata) if claim.strata else True)]
    rows = rows.sort_values(["part", *KEY], kind="stable")
    if not claim.strata:  # one stratum, but levels of different strata stay different levels
        rows = rows.assign(level=rows["stratum"].astype(str) + " " + rows["level"].astype(str), stratum=ALL)
    datasets = tuple(sorted(rows["dataset"].unique()))
    tasks = rows.groupby("dataset")["task"].agg(["first", "nunique"])
    if (tasks["nunique"] > 1).any():
        raise UserError(f"claim {claim.id}: a dataset has two tasks", fix="give every dataset one task")
    named = tuple(str(tasks.loc[dataset, "first"]) for dataset in datasets)
    parts = tuple(_part_layout(rows[rows["part"] == part.id], claim, part, datasets, strata) for part in claim.parts)
    return Layout(datasets, named, strata, parts)


def _part_layout(
    rows: pd.DataFrame, claim: Claim, part: Part, datasets: Sequence[str], strata: Sequence[str]
) -> PartLayout:
    where = f"claim {claim.id}, part {part.id}"
    unknown = sorted(set(rows["task"]) - set(part.delta))
    if unknown:
        raise UserError(f"{where}: no delta for {unknown[0]}", key="delta", fix="register one, or drop the task")
    if rows.duplicated(KEY).any():
        twice = rows.loc[rows.duplicated(KEY), KEY].iloc[0].to_dict()
        raise UserError(
            f"{where}: two rows for {twice}", fix="make the effects table again; every contrast is there once"
        )
    unused: Counter[str] = Counter()
    rows = _everywhere(rows, unused)
    rows = _common_seeds(rows, unused)
    axes = [
        list(datasets),
        list(strata),
        list(claim.architectures),
        sorted(rows["level"].unique()),
        sorted(rows["seed"].unique()),
    ]
    index = tuple(
        pd.Categorical(rows[name], categories=values).codes.astype(np.intp)
        for name, values in zip(KEY, axes, strict=True)
    )
    return PartLayout(
        rows=rows[POSITION].to_numpy(dtype=np.intp),
        index=index,
        delta=np.asarray(rows["task"].map(part.delta), dtype=np.float64),
        shape=tuple(len(values) for values in axes),
        unused=unused,
    )


def _everywhere(rows: pd.DataFrame, unused: Counter[str]) -> pd.DataFrame:
    """Keep, in each stratum, the architectures that are planned on all the datasets that the stratum has."""
    in_stratum = rows.groupby("stratum")["dataset"].transform("nunique")
    with_architecture = rows.groupby(["stratum", "architecture"])["dataset"].transform("nunique")
    kept: pd.Series[bool] = with_architecture == in_stratum
    if not kept.all():
        unused[NOT_EVERYWHERE] += int((~kept).sum())
    return rows[kept]


def _common_seeds(rows: pd.DataFrame, unused: Counter[str]) -> pd.DataFrame:
    """Keep the seeds that every planned cell has."""
    cells = rows.groupby(KEY[:-1]).ngroups
    kept: pd.Series[bool] = rows.groupby("seed")["dataset"].transform("size") == cells
    if not kept.all():
        unused[NOT_COMMON] += int((~kept).sum())
    return rows[kept]
