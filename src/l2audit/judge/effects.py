"""Effects and their summary: from the table of runs to the table that the judge reads.

Every *planned* row is present: a contrast whose runs are missing, diverged, unconverged or out of scope is a row with
`ok` false and its reason, because the rule counts planned cells, not lucky ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from l2audit.contamination import CLEAN
from l2audit.judge.claims import Claim, Part, Registration
from l2audit.judge.estimands import ESTIMANDS, PRIMARY_LOSS, Contrast
from l2audit.judge.grid import Array, Grid, Mask, Thresholds

BLOCK = ["role", "dataset", "task", "architecture"]
EFFECT_KEY = ["claim", "part", "role", "dataset", "task", "stratum", "architecture", "level", "seed"]
EFFECT_COLUMNS = [*EFFECT_KEY, "beta", "theta", "ok", "reason", "active"]
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


def grids_of(
    plan: pd.DataFrame, runs: pd.DataFrame, registration: Registration
) -> dict[tuple[str, ...], dict[str, Grid]]:
    """(role, dataset, task, architecture) -> loss -> grid, for every block that was planned."""
    found = {key: rows for key, rows in runs.groupby(["dataset", "architecture", "loss"], sort=True)}
    empty = runs.iloc[:0]
    grids: dict[tuple[str, ...], dict[str, Grid]] = {}
    for key, planned in plan.groupby([*BLOCK, "loss"], sort=True):
        role, dataset, task, architecture, loss = map(str, key)
        levels = sorted(planned["level"].unique(), key=lambda level: (level != CLEAN, level))
        grids.setdefault((role, dataset, task, architecture), {})[loss] = Grid.of(
            (dataset, task, architecture, loss),
            found.get((dataset, architecture, loss), empty),
            levels,
            sorted(planned["beta"].unique()),
            sorted(planned["seed"].unique()),
            thresholds_of(registration, task),
        )
    return grids


def estimate(
    plan: pd.DataFrame,
    runs: pd.DataFrame,
    registration: Registration,
    strata: Mapping[str, str],
    collinear: Mapping[str, bool],
) -> pd.DataFrame:
    """The effects of every registered claim over every planned contrast, sorted by key.

    `plan`: the planned runs (role, dataset, task, architecture, loss, level, kind, beta, seed); `runs`: the table of
    runs; `strata`: contamination kind -> stratum; `collinear`: dataset -> flag of its data card.
    """
    kinds = dict(zip(plan["level"], plan["kind"], strict=True))
    grids = grids_of(plan, runs, registration)
    tables = [
        _effects(claim, part, block, by_loss, kinds, strata, collinear)
        for claim in registration.claims
        for part in claim.parts
        if part.estimand
        for block, by_loss in grids.items()
        if _concerns(claim, part, block, by_loss)
    ]
    rows = [row for table in tables for row in table]
    return pd.DataFrame(rows, columns=EFFECT_COLUMNS).sort_values(EFFECT_KEY, ignore_index=True)


def _concerns(claim: Claim, part: Part, block: tuple[str, ...], by_loss: Mapping[str, Grid]) -> bool:
    """Whether a block gives rows; architectures that a claim does not list give them too, for the map alone."""
    role, dataset, task, _ = block
    losses = {PRIMARY_LOSS[task], *ESTIMANDS[part.estimand].losses}
    return (
        role == claim.role
        and (not claim.datasets or dataset in claim.datasets)
        and task in part.delta
        and losses <= set(by_loss)
    )


def _effects(
    claim: Claim,
    part: Part,
    block: tuple[str, ...],
    by_loss: Mapping[str, Grid],
    kinds: Mapping[str, str],
    strata: Mapping[str, str],
    collinear: Mapping[str, bool],
) -> Iterable[dict[str, object]]:
    role, dataset, task, architecture = block
    primary = by_loss[PRIMARY_LOSS[task]]
    for level in _levels(part, primary.levels, kinds):
        stratum = stratum_of(kinds[level], strata, collinear[dataset])
        if claim.strata and stratum not in claim.strata:
            continue
        contrast = Contrast(by_loss, level, part.parameters)
        with np.errstate(all="ignore"):  # an unusable contrast is a row with its reason, not a warning
            theta = ESTIMANDS[part.estimand].theta(contrast)
        reason = _reasons(contrast, judged_band=ESTIMANDS[part.estimand].judged_band)
        active = _active(contrast)
        for where, seed in enumerate(primary.seeds):
            ok = reason[where] == ""
            yield {
                "claim": claim.id,
                "part": part.id,
                "role": role,
                "dataset": dataset,
                "task": task,
                "stratum": stratum if claim.strata else "all",
                "architecture": architecture,
                "level": level,
                "seed": int(seed),
                "beta": float(primary.betas[primary.chosen[where]]),
                "theta": float(theta[where]) if ok else np.nan,
                "ok": bool(ok),
                "reason": reason[where],
                "active": bool(active[where]),
            }


def _levels(part: Part, levels: Sequence[str], kinds: Mapping[str, str]) -> list[str]:
    if not ESTIMANDS[part.estimand].contaminated:
        return [CLEAN]
    wanted = part.parameters.get("kinds")
    return [level for level in levels if level != CLEAN and (wanted is None or kinds[level] in wanted)]


def _reasons(contrast: Contrast, *, judged_band: bool) -> NDArray[np.object_]:
    """Why each seed's contrast cannot be used, "" where it can; the first fault found stands."""
    primary = contrast.primary
    seeds = np.arange(len(primary.seeds))
    faults: list[tuple[str, Mask]] = []
    for loss, level, penalised in dict.fromkeys(contrast.needs):
        grid = contrast.grids[loss]
        status = contrast.pick(grid.status, grid, level, penalised=penalised)
        faults += [(f"run {word}", status == word) for word in ("absent", "diverged")]
    if judged_band:
        faults.append(("no beta in the judged band", ~primary.band[primary.chosen, seeds]))
    for loss, level, penalised in dict.fromkeys(contrast.needs):
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
    """Means over seeds for the figures: one row a (role, dataset, architecture, loss, level, beta).

    Each measure of `SUMMARISED` as its mean and, with suffix `_se`, its standard error; `certified`, `in_band` and
    `chosen` as shares of seeds; `n_ok` of `n_planned` runs.
    """
    contaminations = {
        str(row.level): (str(row.kind), float(row.rate), float(row.magnitude))  # type: ignore[arg-type]
        for row in plan.drop_duplicates("level").itertuples()
    }
    rows: list[dict[str, object]] = []
    for (role, dataset, task, architecture), by_loss in grids_of(plan, runs, registration).items():
        chosen = by_loss[PRIMARY_LOSS[task]].chosen
        for loss, grid in by_loss.items():
            for where, level in enumerate(grid.levels):
                kind, rate, magnitude = contaminations[level]
                for b, beta in enumerate(grid.betas):
                    ok = grid.status[where, b] == "ok"
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
