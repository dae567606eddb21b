"""What entered each verdict: datasets, arms, levels, repetitions and trained models. Printed beside it, never used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from l2audit.config.claims import AGAINST, Claim, Part, Registration
from l2audit.config.study import PRIMARY_LOSS
from l2audit.contamination import CLEAN
from l2audit.effects.estimands import ESTIMANDS
from l2audit.effects.estimands.base import ACROSS
from l2audit.effects.layout import layout
from l2audit.effects.table import arms_of

CELL = ["dataset", "arm", "loss", "level", "seed"]
"""Runs of all betas of a cell stand behind an effect: one beta is chosen among them."""


def _entering(effects: pd.DataFrame, claim: Claim) -> Iterator[tuple[Part, pd.DataFrame]]:
    """Every part with its planned effects that go into the verdict: those for the map alone are left out."""
    for part, places in zip(claim.parts, layout(effects, claim).parts, strict=True):
        yield part, effects.iloc[places.rows]


def entered(effects: pd.DataFrame, claim: Claim) -> dict[str, Any]:
    """Names of the `datasets`, the `arms`, those they are compared `against` and the `levels` behind a verdict.

    every_level: a part reads all levels of its arms, whatever the level of its effects; repetitions: the least and the
    greatest number of seeds of a part, empty where no effect was planned.
    """
    parts = [(part, rows) for part, rows in _entering(effects, claim) if len(rows)]
    rivals = (part.parameters[AGAINST] for part, _ in parts if AGAINST in part.parameters)
    seeds = [int(rows["seed"].nunique()) for _, rows in parts]

    def names(column: str) -> list[str]:
        return sorted({str(name) for _, rows in parts for name in rows[column].unique()})

    return {
        "datasets": names("dataset"),
        "arms": [arm for arm in claim.architectures if arm in names("architecture")],
        AGAINST: list(dict.fromkeys(rivals)),
        "levels": names("level"),
        "every_level": any(ESTIMANDS[part.estimand].levels == ACROSS for part, _ in parts),
        "repetitions": [min(seeds), max(seeds)] if seeds else [],
    }


def runs_behind(effects: pd.DataFrame, runs: pd.DataFrame, registration: Registration) -> dict[str, int]:
    """Measured claim -> number of `runs` that its planned effects are made of, every beta of them.

    Those are runs of the arms of an effect (the claim's own, and the one it is compared with), at its seed, trained
    with the losses that its estimand reads, at its level and on clean rows; at every level where an estimand reads all.
    """
    cells = runs.groupby(CELL, sort=False).size().rename("n").reset_index()
    return {
        claim.id: _runs_of(effects, cells, claim)
        for claim in registration.claims
        if any(p.estimand for p in claim.parts)
    }


def _runs_of(effects: pd.DataFrame, cells: pd.DataFrame, claim: Claim) -> int:
    """`cells`: CELL and `n`, the number of runs of each cell."""
    found = [cells.iloc[:0]]
    for part, rows in _entering(effects, claim):
        across = ESTIMANDS[part.estimand].levels == ACROSS
        for (task, own), block in rows.groupby(["task", "architecture"]):
            arms = arms_of(part, str(own))
            losses = {PRIMARY_LOSS[str(task)], *ESTIMANDS[part.estimand].losses}
            near = cells[cells["arm"].isin(arms) & cells["loss"].isin(losses)]
            read = block[["dataset", "level", "seed"]]
            read = pd.concat([read, read.assign(level=CLEAN)]).drop_duplicates()
            if across:
                read = read.drop(columns="level").drop_duplicates()
            found.append(near.merge(read))
    return int(pd.concat(found).drop_duplicates(CELL)["n"].sum())
