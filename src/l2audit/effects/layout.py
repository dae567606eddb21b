"""The effects table as dense arrays, one claim at a time, in an order that does not depend on the order of its rows.

A row uses only arms planned on all of its datasets, and only seeds planned in all of its cells. Otherwise the mean
would be composed differently for each dataset. The other effects are for the map only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from l2audit.config.claims import EVERY_KIND, Claim, situation
from l2audit.effects.grid import Array, Mask
from l2audit.errors import UserError

KEY = ["dataset", "stratum", "arm", "level", "seed"]
COLUMNS = ("claim", "part", "role", "task", *KEY, "theta", "ok", "reason", "active")
SLOPE = "slope"
"""Of the effect on log10 beta; a table without this column is judged all the same, because no verdict depends on it."""
ALL = EVERY_KIND

NOT_EVERYWHERE = "arm not planned on every dataset of the row"
NOT_COMMON = "seed not planned in every cell of the row"
NOT_FINITE = "effect is not a finite number"
UNSTATED = "no reason given"


@dataclass(frozen=True)
class PartTable:
    """The effects of one part in arrays over K datasets, S strata, A arms, L levels, R seeds.

    rows: the n effects that enter; position: (n,), where they stand in the effects table; index: their place on each
    axis; delta: (n,), that of their task; shape: (K, S, A, L, R). unused: those that do not enter for reasons of
    composition.
    """

    rows: pd.DataFrame
    position: NDArray[np.intp]
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

    @cached_property
    def planned(self) -> NDArray[np.int64]:
        """(K, S, A, L): seeds planned in each cell, 0 where the plan has no such cell."""
        seeds = np.zeros(self.shape, dtype=np.int64)
        seeds[self.index] = 1
        return np.asarray(seeds.sum(axis=-1))

    @property
    def planned_datasets(self) -> Mask:
        """(K, S): the dataset has planned cells in the stratum."""
        return np.asarray((self.planned > 0).any(axis=(-2, -1)))

    @cached_property
    def ok(self) -> Mask:
        """(n,): the effect can be used."""
        return np.asarray(self.rows["ok"].to_numpy(dtype=bool) & np.isfinite(self._numbers("theta")))

    @cached_property
    def u(self) -> Array:
        """(K, S, A, L, R): theta in units of delta; NaN where it cannot be used."""
        return self.arrange(np.where(self.ok, self._numbers("theta"), np.nan) / self.delta)

    @cached_property
    def active(self) -> Array:
        """As `u`: 1 where L2 was active, 0 where not."""
        return self.arrange(np.where(self.ok, self._numbers("active"), np.nan))

    @cached_property
    def slope(self) -> Array:
        """As `u`: the change of the effect per tenfold beta; NaN where it is not known."""
        known = self._numbers(SLOPE) if SLOPE in self.rows else np.full(len(self.rows), np.nan)
        return self.arrange(known / self.delta)

    @property
    def dropped(self) -> Counter[str]:
        """The rows that cannot be used, counted by reason."""
        lost = self.rows[~self.ok]
        return Counter(lost["reason"].astype(str).replace("", UNSTATED).mask(lost["ok"].astype(bool), NOT_FINITE))

    def _numbers(self, column: str) -> Array:
        return pd.to_numeric(self.rows[column]).to_numpy(dtype=float)


@dataclass(frozen=True)
class ClaimTable:
    """A claim's parts over common axes of datasets (sorted by name) and strata (as registered)."""

    datasets: tuple[str, ...]
    tasks: tuple[str, ...]
    strata: tuple[str, ...]
    parts: tuple[PartTable, ...]


def claim_table(effects: pd.DataFrame, claim: Claim) -> ClaimTable:
    """Arrange the rows of `claim`; columns that are no part of their key are read when they are asked for.

    UserError: a row is there twice, a task has no delta, a dataset two tasks.
    """
    position = "position"
    chosen = (effects["claim"] == claim.id) & (effects["role"] == claim.role)
    chosen &= effects["part"].isin([part.id for part in claim.parts])
    chosen &= effects["arm"].isin(claim.arms)
    for column, names in (("dataset", claim.datasets), ("stratum", claim.kinds)):
        if names:
            chosen &= effects[column].isin(names)
    rows = effects[chosen].assign(**{position: np.flatnonzero(chosen)}).sort_values(["part", *KEY], kind="stable")
    if claim.situations:
        called = {(kind, arm): situation(kind, arm) for kind, arms in claim.situations.items() for arm in arms}
        told = [called.get(place, "") for place in zip(rows["stratum"], rows["arm"], strict=True)]
        rows = rows.assign(stratum=told)
        rows = rows[rows["stratum"] != ""]
    elif not claim.strata:  # one stratum, but levels of different strata stay different levels
        rows = rows.assign(level=rows["stratum"].astype(str) + " " + rows["level"].astype(str), stratum=ALL)
    tasks = rows.groupby("dataset")["task"].agg(["first", "nunique"])
    if (tasks["nunique"] > 1).any():
        raise UserError(f"claim {claim.id}: a dataset has two tasks", fix="give every dataset one task")
    datasets, strata = tuple(tasks.index), claim.strata or (ALL,)
    parts = []
    for part in claim.parts:
        own, where = rows[rows["part"] == part.id], f"claim {claim.id}, part {part.id}"
        unknown = sorted(set(own["task"]) - set(part.delta))
        if unknown:
            raise UserError(f"{where}: no delta for {unknown[0]}", key="delta", fix="register one, or drop the task")
        if own.duplicated(KEY).any():
            twice = own.loc[own.duplicated(KEY), KEY].iloc[0].to_dict()
            raise UserError(
                f"{where}: two rows for {twice}", fix="make the effects table again; every contrast is there once"
            )
        unused: Counter[str] = Counter()
        in_stratum = own.groupby("stratum")["dataset"].transform("nunique")
        everywhere = own.groupby(["stratum", "arm"])["dataset"].transform("nunique") == in_stratum
        own, unused[NOT_EVERYWHERE] = own[everywhere], int((~everywhere).sum())
        cell = own.groupby(KEY[:-1]).ngroup()
        cells = cell.groupby(own["stratum"]).transform("nunique")
        common = own.groupby(["stratum", "seed"])["dataset"].transform("size") == cells
        own, unused[NOT_COMMON] = own[common], int((~common).sum())
        axes = (datasets, strata, claim.arms, sorted(own["level"].unique()), sorted(own["seed"].unique()))
        index = (pd.Categorical(own[name], list(known)).codes for name, known in zip(KEY, axes, strict=True))
        parts.append(
            PartTable(
                rows=own,
                position=own[position].to_numpy(dtype=np.intp),
                index=tuple(codes.astype(np.intp) for codes in index),
                delta=np.asarray(own["task"].map(part.delta), dtype=np.float64),
                shape=tuple(map(len, axes)),
                unused=+unused,
            )
        )
    return ClaimTable(datasets, tuple(map(str, tasks["first"])), strata, tuple(parts))
