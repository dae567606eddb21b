"""Effects under every reading of the runs at once: a reading is a copy of all seeds, side by side on one axis.

An estimand works on all seeds of a grid and on each by itself, so a grid with V times as many seeds, whose thresholds,
choices of beta and test measure differ from copy to copy, gives the effects of V readings by the very code that gives
the registered ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from l2audit.config.claims import Claim, Registration
from l2audit.effects.grid import Array, Block, ByLoss, Columns, Grid, Grids, Mask, at_common_seeds, grids_of
from l2audit.effects.table import EFFECT_KEY, arms_of, concerns, measured, thresholds_of
from l2audit.specifications.choices import RULES, UNLIMITED, Reading

RISK = "test_risk"
"""The column that another measure takes the place of, in units of risk."""
PERTURBED = ("test_risk_fgsm", "test_risk_noise")
"""Risks that no other measure was computed for: an estimand that needs one of them has no number with another."""
STRIDE = 1_000_000
"""Seed s of copy v is called v * STRIDE + s: more than any study has seeds."""


@dataclass(frozen=True)
class Effects:
    """The effects of one claim under V readings: N rows.

    keys: EFFECT_KEY of each row; theta: (V, N); usable: (V, N), whether the judge would use it; active: (V, N).
    """

    keys: pd.DataFrame
    theta: Array
    usable: Mask
    active: Mask


def read_all(
    plan: pd.DataFrame,
    runs: pd.DataFrame,
    registration: Registration,
    strata: Mapping[str, str],
    collinear: Mapping[str, bool],
    readings: Sequence[Reading],
    claims: Sequence[Claim],
) -> dict[str, Effects]:
    """Claim -> its effects under each of `readings`, over all arms that `claims` list; the rest as for `estimate`."""
    kinds = dict(zip(plan["level"], plan["kind"], strict=True))
    thresholds = {task: thresholds_of(registration, task) for task in plan["task"].unique()}
    grids = grids_of(plan, runs, thresholds)
    found: dict[str, list[_Piece]] = {claim.id: [] for claim in claims}
    for block in sorted({block for claim in claims for block in _blocks(grids, claim)}):
        arms = grids.beside(block)
        copies: dict[tuple[str, str], Mapping[str, ByLoss]] = {}
        for claim in claims:
            for part in claim.parts:
                if block.arm not in claim.architectures or not concerns(claim, part, block, arms):
                    continue
                own = arms_of(part, block.arm)
                if own not in copies:
                    common = at_common_seeds({name: arms[name] for name in own})
                    copies[own] = {
                        name: {loss: side_by_side(grid, readings) for loss, grid in by_loss.items()}
                        for name, by_loss in common.items()
                    }
                contrasts = measured(claim, part, block, copies[own], kinds, strata, collinear)
                for level, stratum, contrast, theta, reason, active in contrasts:
                    seeds = contrast.primary.seeds[: len(theta) // len(readings)]
                    key = (claim.id, part.id, block.role, block.dataset, block.task, stratum, block.arm, level)
                    shape = (len(readings), len(seeds))
                    piece = (theta.reshape(shape), (reason == "").reshape(shape), active.reshape(shape))
                    found[claim.id].append(_Piece([(*key, seed) for seed in seeds], *piece))
    return {claim: _together(pieces) for claim, pieces in found.items() if pieces}


@dataclass(frozen=True)
class _Piece:
    """Rows of one contrast: keys (S), values (V, S)."""

    keys: list[tuple[object, ...]]
    theta: Array
    usable: Mask
    active: Mask


def _together(pieces: Sequence[_Piece]) -> Effects:
    return Effects(
        pd.DataFrame([key for piece in pieces for key in piece.keys], columns=EFFECT_KEY),
        np.concatenate([piece.theta for piece in pieces], axis=1),
        np.concatenate([piece.usable for piece in pieces], axis=1),
        np.concatenate([piece.active for piece in pieces], axis=1),
    )


def _blocks(grids: Grids, claim: Claim) -> Iterator[Block]:
    return (block for block in grids.blocks(claim.architectures) if block.role == claim.role)


def side_by_side(grid: Grid, readings: Sequence[Reading]) -> Grid:
    """A copy of `grid` for each of V readings on one axis of V x S seeds, each with its own thresholds and measure."""
    seeds, copies = len(grid.seeds), len(readings)

    def each(values: Sequence[float]) -> Array:
        return np.repeat(np.asarray(values, dtype=float), seeds)

    def arrange(name: str) -> Array:
        if name == RISK:
            return np.concatenate([_risk(grid, reading) for reading in readings], axis=-1)
        tiled = np.tile(grid.columns[name], copies)
        other = each([reading.metric.says["column"][grid.task] != RISK for reading in readings])
        return np.where(other, np.nan, tiled) if name in PERTURBED else tiled

    certified = each([reading.convergence.says["certified"] for reading in readings])
    margin = [
        np.inf if reading.margin.says["times"] == UNLIMITED else reading.margin.says["times"] for reading in readings
    ]
    rules = sorted({reading.beta.says["rule"] for reading in readings})
    which = np.repeat([rules.index(reading.beta.says["rule"]) for reading in readings], seeds)

    def choose(wide: Grid, level: str) -> NDArray[np.int64]:
        by_rule = np.stack([RULES[name](wide, level) for name in rules])
        chosen: NDArray[np.int64] = by_rule[which, np.arange(len(which))]
        return chosen

    return replace(
        grid,
        seeds=[copy * STRIDE + seed for copy in range(copies) for seed in grid.seeds],
        columns=Columns(arrange),
        status=np.tile(grid.status, copies),
        thresholds=replace(
            grid.thresholds,
            gradient_ratio=np.where(certified, grid.thresholds.gradient_ratio, np.inf),
            balance=np.where(certified, grid.thresholds.balance, np.inf),
            band=grid.thresholds.band * each(margin),
        ),
        choose=choose,
    )


def _risk(grid: Grid, reading: Reading) -> Array:
    """The reading's measure on clean test rows, in units of the registered risk."""
    says = reading.metric.says
    values: Array = grid.columns[says["column"][grid.task]] / says["worth"][grid.task]
    return values
