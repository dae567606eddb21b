"""Effects under every reading of the runs at once: a reading is a copy of all seeds, side by side on one axis.

An estimand works on all seeds of a grid, each seed by itself. So a grid may hold V copies of its seeds, each copy with
its own thresholds, choice of beta and test measure. The code of the registered effects then gives those of V readings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from l2audit.config.claims import Claim
from l2audit.config.study import PRIMARY_LOSS
from l2audit.effects.evidence import Evidence
from l2audit.effects.grid import Array, ByLoss, Grid, Mask, at_common_seeds
from l2audit.effects.table import EFFECT_KEY, arms_of, concerns, measured
from l2audit.specifications.choices import RULES, Choices, Reading

RISK = "test_risk"
"""The column that another measure takes the place of, in units of risk."""
PERTURBED = ("test_risk_fgsm", "test_risk_noise")
"""Risks that no other measure was computed for: an estimand that needs one of them has no number with another."""
FLOOR = "floor"
"""The parameter of a part that the axis of this name multiplies."""
STRIDE = 1_000_000
"""Seed s of copy v is called v * STRIDE + s: more than any study has seeds."""


@dataclass(frozen=True)
class WideEffects:
    """The effects of one claim under V readings: N rows.

    keys: EFFECT_KEY of each row; theta: (V, N); usable: (V, N), whether the judge would use it; active: (V, N).
    """

    keys: pd.DataFrame
    theta: Array
    usable: Mask
    active: Mask


def readings_of(claim: Claim, choices: Choices) -> list[Reading]:
    """The readings of the runs that can make a difference to a claim: other floors only if one of its parts has one."""
    return choices.readings(floors=any(FLOOR in part.parameters for part in claim.parts))


def read_all(evidence: Evidence, choices: Choices, claims: Sequence[Claim]) -> dict[str, WideEffects]:
    """Claim -> its effects under each of its readings (`readings_of`), over all arms that `claims` list."""
    readings = {claim.id: readings_of(claim, choices) for claim in claims}
    keys: dict[str, list[tuple[object, ...]]] = {}
    values: dict[str, list[tuple[Array, Mask, Mask]]] = {}
    for block in sorted(evidence.grids):
        copies: dict[tuple[str, str, int], Mapping[str, ByLoss]] = {}
        for claim, part in ((one, part) for one in claims for part in one.parts):
            if block.arm not in claim.arms or not concerns(evidence, claim, part, block):
                continue
            own = readings[claim.id]
            place = (*arms_of(part, block.arm), len(own))
            if place not in copies:
                common = at_common_seeds({name: evidence.arms[block[:3]][name] for name in place[:2]})
                copies[place] = {
                    name: {loss: side_by_side(grid, own) for loss, grid in by_loss.items()}
                    for name, by_loss in common.items()
                }
            wide = copies[place]
            seeds = wide[block.arm][PRIMARY_LOSS[block.task]].seeds
            seeds = seeds[: len(seeds) // len(own)]  # of the first copy, which keeps their names
            if FLOOR in part.parameters:
                floors = np.repeat([part.parameters[FLOOR] * one.floor.times for one in own], len(seeds))
                floored = replace(part, parameters={**part.parameters, FLOOR: floors})
            else:
                floored = part
            for one in measured(evidence, claim, floored, block, wide):
                shape = (len(own), len(seeds))
                keys.setdefault(claim.id, []).extend((*one.place, seed) for seed in seeds)
                found = (one.theta.reshape(shape), (one.reason == "").reshape(shape), one.active.reshape(shape))
                values.setdefault(claim.id, []).append(found)
    return {
        claim: WideEffects(
            pd.DataFrame(keys[claim], columns=EFFECT_KEY),
            *(np.concatenate(pieces, axis=1) for pieces in zip(*found, strict=True)),
        )
        for claim, found in values.items()
    }


def side_by_side(grid: Grid, readings: Sequence[Reading]) -> Grid:
    """A copy of `grid` for each of V readings on one axis of V x S seeds, each with its own thresholds and measure."""
    seeds, copies = len(grid.seeds), len(readings)

    def each(values: Sequence[float]) -> Array:
        return np.repeat(np.asarray(values, dtype=float), seeds)

    def column(name: str) -> Array:
        if name == RISK:  # the reading's measure on clean test rows, in units of the registered risk
            says = [reading.metric.says for reading in readings]
            return np.concatenate(
                [grid.column(one["column"][grid.task]) / one["worth"][grid.task] for one in says], axis=-1
            )
        tiled = np.tile(grid.column(name), copies)
        other = each([reading.metric.says["column"][grid.task] != RISK for reading in readings])
        return np.where(other, np.nan, tiled) if name in PERTURBED else tiled

    certified = each([reading.convergence.says["certified"] for reading in readings])
    margin = each([reading.margin.times for reading in readings])
    rules = sorted({reading.beta.says["rule"] for reading in readings})
    which = np.repeat([rules.index(reading.beta.says["rule"]) for reading in readings], seeds)

    def choose(wide: Grid, level: str) -> NDArray[np.int64]:
        by_rule = np.stack([RULES[name](wide, level) for name in rules])
        chosen: NDArray[np.int64] = by_rule[which, np.arange(len(which))]
        return chosen

    return replace(
        grid,
        seeds=[copy * STRIDE + seed for copy in range(copies) for seed in grid.seeds],
        column=cache(column),
        status=np.tile(grid.status, copies),
        thresholds=replace(
            grid.thresholds,
            certified=certified.astype(bool),
            in_band=np.isfinite(margin),
            band=grid.thresholds.band * margin,
        ),
        choose=choose,
        copies=copies * grid.copies,
    )
