"""Effects and their summary: from the table of runs to the table that the judge reads.

Every *planned* row is present: a contrast whose runs are missing, diverged, unconverged or out of scope is a row with
`ok` false and its reason, because the rule counts planned cells, not lucky ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from l2audit.config.claims import AGAINST, EVERY_ARM, Claim, Part, Registration
from l2audit.config.study import PRIMARY_LOSS
from l2audit.contamination import CLEAN
from l2audit.effects.contrast import Contrast
from l2audit.effects.estimands import ESTIMANDS
from l2audit.effects.estimands.base import BOTH, CONTAMINATED, KINDS
from l2audit.effects.grid import Array, Block, ByLoss, Grid, Grids, Mask, Thresholds, at_common_seeds, grids_of
from l2audit.effects.layout import NOT_FINITE
from l2audit.measures import OK

EFFECT_KEY = ["claim", "part", "role", "dataset", "task", "stratum", "architecture", "level", "seed"]
EFFECT_COLUMNS = [*EFFECT_KEY, "beta", "theta", "ok", "reason", "active", "slope"]
LEVERAGE = "leverage"


def stratum_of(kind: str, strata: Mapping[str, str], collinear: bool) -> str:
    """The stratum that a contamination kind feeds; leverage is split by whether the dataset's clean X is collinear."""
    if kind == CLEAN:
        return CLEAN
    stratum = strata[kind]
    return f"{LEVERAGE}-{'collinear' if collinear else 'other'}" if stratum == LEVERAGE else stratum


def thresholds_of(registration: Registration, task: str) -> Thresholds:
    """The registered thresholds of one task."""
    constants = registration.constants
    return Thresholds(
        gradient_ratio=constants.gradient_ratio,
        balance=constants.balance,
        band=constants.band[task],
        norm_drop=constants.activity["norm_drop"],
        decay_exposure=constants.activity["decay_exposure"],
    )


def _grids(plan: pd.DataFrame, runs: pd.DataFrame, registration: Registration) -> Grids:
    return grids_of(plan, runs, {task: thresholds_of(registration, task) for task in plan["task"].unique()})


def estimate(
    plan: pd.DataFrame,
    runs: pd.DataFrame,
    registration: Registration,
    strata: Mapping[str, str],
    collinear: Mapping[str, bool],
) -> pd.DataFrame:
    """The effects of every registered claim over every planned contrast, sorted by key.

    `plan`: the planned runs (role, task, arm, primary, level and the axes of each); `runs`: the table of runs;
    `strata`: contamination kind -> stratum; `collinear`: dataset -> flag of its data card. A claim is about the arms
    that it lists; a part that names another arm compares the two over the levels and seeds of both.
    """
    kinds = dict(zip(plan["level"], plan["kind"], strict=True))
    grids = _grids(plan, runs, registration)
    arms = {block: grids.beside(block) for block in (*grids.primary, *grids.further)}
    tables = [
        _effects(claim, part, block, arms[block], kinds, strata, collinear)
        for claim in registration.claims
        for part in claim.parts
        if part.estimand
        for block in grids.blocks(claim.architectures)
        if concerns(claim, part, block, arms[block])
    ]
    rows = [row for table in tables for row in table]
    return pd.DataFrame(rows, columns=EFFECT_COLUMNS).sort_values(EFFECT_KEY, ignore_index=True)


def concerns(claim: Claim, part: Part, block: Block, arms: Mapping[str, ByLoss]) -> bool:
    """Whether a block gives rows: its own arm, and the one it is compared with, were planned with the losses needed.

    Primary arms that a claim does not list give them too where the claim has strata and so a map, for the map alone.
    """
    losses = {PRIMARY_LOSS[block.task], *ESTIMANDS[part.estimand].losses}
    on_the_map = bool(claim.strata) and AGAINST not in part.parameters
    return (
        block.role == claim.role
        and (not claim.datasets or block.dataset in claim.datasets)
        and block.task in part.delta
        and (block.arm in claim.architectures or on_the_map)
        and all(losses <= set(arms.get(arm, ())) for arm in arms_of(part, block.arm))
    )


def arms_of(part: Part, arm: str) -> tuple[str, str]:
    """The two arms of a contrast: the claim's own, and the one that it is compared with (itself, if none)."""
    return arm, part.parameters.get(AGAINST, arm)


class Measured(NamedTuple):
    """A contrast of a part at one level of a block: theta, why a seed cannot be used, activity, each (S,)."""

    level: str
    stratum: str
    contrast: Contrast
    theta: Array
    reason: NDArray[np.object_]
    active: Mask


def measured(
    claim: Claim,
    part: Part,
    block: Block,
    arms: Mapping[str, ByLoss],
    kinds: Mapping[str, str],
    strata: Mapping[str, str],
    collinear: Mapping[str, bool],
) -> Iterator[Measured]:
    """The contrasts of a part at every level of a block that the claim is about; `arms`: see `Grids.beside`."""
    _, dataset, task, arm = block
    estimand = ESTIMANDS[part.estimand]
    arms = at_common_seeds({name: arms[name] for name in arms_of(part, arm)})
    primary, rival = (arms[name][PRIMARY_LOSS[task]] for name in arms_of(part, arm))
    for level in levels_of(part, [one for one in primary.levels if one in rival.levels], kinds):
        stratum = stratum_of(kinds[level], strata, collinear[dataset])
        if claim.strata and stratum not in claim.strata:
            continue
        contrast = Contrast(arms[arm], level, part.parameters, arms)
        with np.errstate(all="ignore"):  # an unusable contrast is a row with its reason, not a warning
            theta = estimand.theta(contrast)
        reason = _reasons(part, contrast, judged_band=estimand.judged_band)
        reason = np.where((reason == "") & ~np.isfinite(theta), NOT_FINITE, reason)
        yield Measured(level, stratum if claim.strata else "all", contrast, theta, reason, _active(contrast))


def _effects(
    claim: Claim,
    part: Part,
    block: Block,
    arms: Mapping[str, ByLoss],
    kinds: Mapping[str, str],
    strata: Mapping[str, str],
    collinear: Mapping[str, bool],
) -> Iterable[dict[str, object]]:
    role, dataset, task, arm = block
    for level, stratum, contrast, theta, reason, active in measured(claim, part, block, arms, kinds, strata, collinear):
        primary = contrast.primary
        slope = _slopes(part, contrast)
        for where, seed in enumerate(primary.seeds):
            ok = reason[where] == ""
            yield {
                "claim": claim.id,
                "part": part.id,
                "role": role,
                "dataset": dataset,
                "task": task,
                "stratum": stratum,
                "architecture": arm,
                "level": level,
                "seed": int(seed),
                "beta": float(primary.betas[contrast.index[where]]),
                "theta": float(theta[where]) if ok else np.nan,
                "ok": bool(ok),
                "reason": reason[where],
                "active": bool(active[where]),
                "slope": float(slope[where]),
            }


def _slopes(part: Part, judged: Contrast) -> Array:
    """(S,): least-squares slope of theta on log10 beta over the betas of the judged band, NaN for fewer than two.

    The same contrast as the judged one, at every beta of the band in turn instead of the chosen one.
    """
    estimand, primary = ESTIMANDS[part.estimand], judged.primary
    theta = np.full((len(primary.betas), len(primary.seeds)), np.nan)
    for b in range(1, len(primary.betas) if estimand.has_slope else 1):
        contrast = Contrast(judged.grids, judged.level, judged.parameters, judged.arms, at=b)
        with np.errstate(all="ignore"):
            effect = estimand.theta(contrast)
        usable = (_reasons(part, contrast, judged_band=False) == "") & primary.band[b]
        theta[b] = np.where(usable, effect, np.nan)
    return slope_of(np.log10(primary.betas[1:]), theta[1:])


def levels_of(part: Part, levels: Sequence[str], kinds: Mapping[str, str]) -> list[str]:
    """The levels at which a part has a contrast, of those that its arms were planned with; kinds: of each level."""
    lives = ESTIMANDS[part.estimand].levels
    if lives not in (CONTAMINATED, BOTH):
        return [CLEAN]
    wanted = part.parameters.get(KINDS)
    dirty = [level for level in levels if level != CLEAN and (wanted is None or kinds[level] in wanted)]
    return [CLEAN, *dirty] if lives == BOTH else dirty


def _reasons(part: Part, contrast: Contrast, *, judged_band: bool) -> NDArray[np.object_]:
    """Why each seed's contrast cannot be used, "" where it can; the first fault found stands."""
    reason = _own_reasons(contrast, judged_band=judged_band, certificate=True)
    for other in contrast.others:
        # The band is asked of a beta that an arm has chosen, not of one that it was given.
        band = judged_band and other.at is None
        theirs = _own_reasons(other, judged_band=band, certificate=part.certificate == EVERY_ARM)
        reason = np.where(reason == "", theirs, reason)
    return reason


def _own_reasons(contrast: Contrast, *, judged_band: bool, certificate: bool) -> NDArray[np.object_]:
    """Likewise, of the runs of the contrast's own arm."""
    primary = contrast.primary
    seeds = np.arange(len(primary.seeds))
    faults: list[tuple[str, Mask]] = []
    for loss, level, penalised in dict.fromkeys(contrast.needs):
        grid = contrast.grids[loss]
        status = contrast.pick(grid.status, grid, level, penalised=penalised)
        faults += [(f"run {word}", status == word) for word in sorted({*status} - {OK})]
    if judged_band:
        faults.append(("no beta in the judged band", ~primary.band[contrast.index, seeds]))
    for loss, level, penalised in dict.fromkeys(contrast.needs) if certificate else ():
        grid = contrast.grids[loss]
        faults.append(("not converged", ~contrast.pick(grid.certified, grid, level, penalised=penalised)))
    faults += list(contrast.unusable.items())
    reason = np.full(len(seeds), "", dtype=object)
    for word, holds in faults:
        reason[(reason == "") & holds] = word
    return reason


def _active(contrast: Contrast) -> Mask:
    """Did the penalty act, at this level: a smaller norm, and exposure enough for a null to mean something."""
    grid = contrast.primary
    needed = grid.thresholds
    with np.errstate(all="ignore"):
        norm = contrast.pick(grid.columns["weight_norm"], grid, contrast.level, penalised=True)
        base = contrast.pick(grid.columns["weight_norm"], grid, contrast.level, penalised=False)
        exposure = contrast.pick(grid.columns["decay_exposure"], grid, contrast.level, penalised=True)
        active: Mask = (norm <= (1 - needed.norm_drop) * base) & (exposure >= needed.decay_exposure)
    return active


SUMMARISED = (
    "test_risk",
    "validation_risk",
    "train_risk",
    "weight_norm",
    "memorised_fraction",
    "gradient_ratio",
    "decay_exposure",
)


def summarise(
    plan: pd.DataFrame,
    runs: pd.DataFrame,
    registration: Registration,
    strata: Mapping[str, str],
    collinear: Mapping[str, bool],
) -> pd.DataFrame:
    """Means over seeds of the primary arms, for the figures: a row a (role, dataset, architecture, loss, level, beta).

    Each measure of `SUMMARISED` as its mean and, with suffix `_se`, its standard error; `certified`, `in_band` and
    `chosen` as shares of seeds; `n_ok` of `n_planned` runs.
    """
    contaminations = {
        str(row.level): (str(row.kind), float(row.rate), float(row.magnitude))  # type: ignore[arg-type]
        for row in plan.drop_duplicates("level").itertuples()
    }
    rows: list[dict[str, object]] = []
    for (role, dataset, task, architecture), by_loss in _grids(plan, runs, registration).primary.items():
        for loss, grid in by_loss.items():
            judged = by_loss.get(PRIMARY_LOSS[task], grid)  # without the loss that is judged, each loss its own
            found = judged.status[judged.levels.index(CLEAN), judged.chosen, np.arange(len(judged.seeds))] == OK
            chosen = np.where(found, judged.chosen, -1)  # a seed all of whose penalised runs are lost has chosen none
            for where, level in enumerate(grid.levels):
                kind, rate, magnitude = contaminations[level]
                for b, beta in enumerate(grid.betas):
                    ok = grid.status[where, b] == OK
                    rows.append(
                        {
                            "role": role,
                            "dataset": dataset,
                            "task": task,
                            "architecture": architecture,
                            "loss": loss,
                            "level": level,
                            "kind": kind,
                            "rate": rate,
                            "magnitude": magnitude,
                            "stratum": stratum_of(kind, strata, collinear[dataset]),
                            "beta": float(beta),
                            **_means(grid, where, b, ok),
                            "certified": float(grid.certified[where, b][ok].mean()) if ok.any() else 0.0,
                            "in_band": float(grid.band[b].mean()),
                            "chosen": float((chosen == b).mean()),
                            "n_ok": int(ok.sum()),
                            "n_planned": len(grid.seeds),
                        }
                    )
    return pd.DataFrame(rows)


def _means(grid: Grid, level: int, beta: int, ok: Mask) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in SUMMARISED:
        values: Array = grid.columns[name][level, beta][ok]
        values = values[np.isfinite(values)]
        found[name] = float(values.mean()) if len(values) else np.nan
        found[f"{name}_se"] = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan
    return found


def slope_of(x: Array, y: Array) -> Array:
    """Least-squares slope of each column of `y` (B, S) on `x` (B,), over its finite entries; NaN for fewer than two."""
    present = np.isfinite(y)
    count = present.sum(axis=0)
    centre = np.where(present, x[:, None], 0.0).sum(axis=0) / np.maximum(count, 1)
    away = np.where(present, x[:, None] - centre, 0.0)
    found: Array = np.divide(
        (away * np.where(present, y, 0.0)).sum(axis=0),
        (away**2).sum(axis=0),
        out=np.full(count.shape, np.nan),
        where=count > 1,
    )
    return found
