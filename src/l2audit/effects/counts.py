"""Count what entered each verdict: datasets, arms, levels, repetitions and trained models. No verdict depends on it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from l2audit.config.claims import AGAINST, Claim, Registration
from l2audit.config.study import PRIMARY_LOSS
from l2audit.contamination import CLEAN
from l2audit.effects.estimands import ACROSS, ESTIMANDS
from l2audit.effects.layout import claim_table
from l2audit.effects.table import arms_of

CELL = ["dataset", "arm", "loss", "level", "seed"]
"""Runs of all betas of a cell stand behind an effect: one beta is chosen among them."""


def entered(effects: pd.DataFrame, claim: Claim) -> dict[str, Any]:
    """Names of the `datasets`, the `arms`, those they are compared `against` and the `levels` behind a verdict.

    every_level: a part reads all levels of its arms, whatever the level of its effects.
    repetitions: the least and the greatest number of seeds of a part; empty where no effect was planned.
    """
    tables = zip(claim.parts, claim_table(effects, claim).parts, strict=True)
    parts = [(part, effects.iloc[table.position]) for part, table in tables if len(table.rows)]
    rivals = (part.parameters[AGAINST] for part, _ in parts if AGAINST in part.parameters)
    seeds = [int(rows["seed"].nunique()) for _, rows in parts]
    found = pd.concat([rows for _, rows in parts]) if parts else effects.iloc[:0]
    return {
        "datasets": sorted(map(str, found["dataset"].unique())),
        "arms": [arm for arm in claim.arms if arm in set(found["arm"])],
        AGAINST: list(dict.fromkeys(rivals)),
        "levels": sorted(map(str, found["level"].unique())),
        "every_level": any(ESTIMANDS[part.estimand].levels == ACROSS for part, _ in parts),
        "repetitions": [min(seeds), max(seeds)] if seeds else [],
    }


def runs_behind(effects: pd.DataFrame, runs: pd.DataFrame, registration: Registration) -> dict[str, int]:
    """Measured claim -> number of `runs` that its planned effects are made of, every beta of them.

    Counted are both arms of an effect, at its seed, with the losses that its estimand reads. They count at the effect's
    level and on clean rows, or at every level where the estimand reads all.
    """
    cells = runs.groupby(CELL, sort=False).size().rename("n").reset_index()
    behind = {}
    for claim in registration.claims:
        if not any(part.estimand for part in claim.parts):
            continue
        found = [cells.iloc[:0]]
        for part, table in zip(claim.parts, claim_table(effects, claim).parts, strict=True):
            estimand = ESTIMANDS[part.estimand]
            for (task, own), block in effects.iloc[table.position].groupby(["task", "arm"]):
                losses = {PRIMARY_LOSS[str(task)], *estimand.losses}
                near = cells[cells["arm"].isin(arms_of(part, str(own))) & cells["loss"].isin(losses)]
                read = block[["dataset", "level", "seed"]]
                read = pd.concat([read, read.assign(level=CLEAN)])
                if estimand.levels == ACROSS:
                    read = read.drop(columns="level")
                found.append(near.merge(read.drop_duplicates()))
        behind[claim.id] = int(pd.concat(found).drop_duplicates(CELL)["n"].sum())
    return behind
