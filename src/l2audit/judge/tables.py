"""The effects table as dense arrays, one claim at a time, in an order that does not depend on the order of its rows.

A row of the verdict uses only architectures planned on all of its datasets, and only seeds planned in all of its cells:
else the composition of the mean would differ from dataset to dataset. The rest is for the map only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from l2audit.errors import UserError
from l2audit.judge.claims import Claim, Part
from l2audit.judge.scores import Array, Mask

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
    rows = effects.loc[(effects["claim"] == claim.id) & (effects["role"] == claim.role)].reindex(
        columns=[*COLUMNS, SLOPE]
    )
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
    parts = tuple(_part_table(rows[rows["part"] == part.id], claim, part, datasets, strata) for part in claim.parts)
    return ClaimTable(datasets, named, strata, parts)


def _part_table(
    rows: pd.DataFrame, claim: Claim, part: Part, datasets: Sequence[str], strata: Sequence[str]
) -> PartTable:
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
    theta = pd.to_numeric(rows["theta"]).to_numpy(dtype=float)
    flagged = rows["ok"].to_numpy(dtype=bool)
    ok = flagged & np.isfinite(theta)
    delta = rows["task"].map(part.delta).to_numpy(dtype=float)

    shape = tuple(len(values) for values in axes)
    u, active, slope = (np.full(shape, np.nan) for _ in range(3))
    u[index] = np.where(ok, theta, np.nan) / delta
    active[index] = np.where(ok, rows["active"].to_numpy(dtype=float), np.nan)
    slope[index] = pd.to_numeric(rows[SLOPE]).to_numpy(dtype=float) / delta
    planned = np.zeros(shape[:-1], dtype=bool)
    planned[index[:-1]] = True
    reasons = np.where(flagged, NOT_FINITE, rows["reason"].astype(str).replace("", UNSTATED).to_numpy(dtype=object))
    return PartTable(u, active, slope, planned, Counter(reasons[~ok].tolist()), unused)


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
