"""Exploratory: where weights got more even, did the penalty also take away more of the damage? A rank correlation.

One beta moves both, so runs cannot say whether one is the reason for the other; whether the two go together over
datasets can be seen. Nothing here decides anything. A dataset gives one pair, and the interval counts datasets: its
cells come from the same data. Cells have no common scale, so each is ranked among its peers alone (same arm, task,
stratum and level, another dataset), and the pair of a dataset is its mean rank in either change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from l2audit.config.claims import Claim, Part, Registration
from l2audit.effects.layout import ALL
from l2audit.judge.scores import SLACK
from l2audit.wording.display import number
from l2audit.wording.phrases import plural

EVENNESS = ("evenness", {"measure": "gini_live_inputs"})
DAMAGE: tuple[str, dict[str, str]] = ("insensitivity", {})
"""The two changes: estimand and parameters of the parts that measure them; theta > 0: "more even", "less damage"."""

PAIR = ["dataset", "arm", "seed"]
PEERS = ["arm", "task", "stratum", "level"]
CELL = ["dataset", *PEERS]
CHANGES = ["evenness", "damage"]
STEP = 0.1
"""Correlations are told with the two decimals that show two digits of it."""
NO_REASON = "One beta moves both, so no figure here could show that one is the reason for the other."
DECIMALS = 12
"""Means are rounded to these before they are ranked: the last bit of a sum must not break a tie."""


def evenness_and_damage(effects: pd.DataFrame, registration: Registration) -> dict[str, Any]:
    """The rank correlation of evenness (d1) with damage taken away (h3a), as verdicts.json has it.

    effects: as for `verdicts.judge`, in any order of rows. Empty where no claim has a part about `EVENNESS`, or none
    about `DAMAGE`. `rows`: one an arm ("all" first) and stratum ("all" first), see `correlate`; `sentence`:
    the first of them in words.
    """
    claims = (claim for claim in registration.family("claims", "added") if claim.role == "study")
    parts = [(claim, part) for claim in claims for part in claim.parts]
    even, less = (
        next((one for one in parts if (one[1].estimand, one[1].parameters) == change), None)
        for change in (EVENNESS, DAMAGE)
    )
    if even is None or less is None:
        return {}
    constants = registration.constants
    found = cells(_effects_of(effects, *even), _effects_of(effects, *less), constants.seed_share)
    rows = []
    for arm in _with_all([name for name in less[0].arms if name in even[0].arms]):
        own = found if arm == ALL else found[found["arm"] == arm]
        for stratum in _with_all(less[0].kinds):
            shown = own if stratum == ALL else own[own["stratum"] == stratum]
            rows.append({"arm": arm, "stratum": stratum, **correlate(shown, constants.k_min)})
    return {
        "evenness": {"claim": even[0].id, "part": even[1].id},
        "damage": {"claim": less[0].id, "part": less[1].id},
        "sentence": _sentence(rows[0], constants.k_min),
        "rows": rows,
    }


def _effects_of(effects: pd.DataFrame, claim: Claim, part: Part) -> pd.DataFrame:
    """The effects of one part, on the arms and datasets that it is judged on, theta in multiples of delta."""
    mine = (effects["claim"] == claim.id) & (effects["part"] == part.id) & (effects["role"] == claim.role)
    mine &= effects["arm"].isin(claim.arms)
    for column, names in (("dataset", claim.datasets), ("stratum", claim.kinds)):
        mine &= effects[column].isin(names) if names else True
    rows = effects[mine]
    u = pd.to_numeric(rows["theta"]) / rows["task"].map(dict(part.delta)).astype(float)
    return rows.assign(theta=u.where(rows["ok"].astype(bool) & np.isfinite(u)))


def _with_all(names: Sequence[str]) -> list[str]:
    return [ALL, *names] if len(names) > 1 else list(names) or [ALL]


def cells(even: pd.DataFrame, less: pd.DataFrame, seed_share: float) -> pd.DataFrame:
    """One row per cell of `less` (dataset, arm, task, stratum, level): the mean of both changes over seeds.

    even, less: effects of the two parts, theta NaN where it cannot be used. Both means are over the seeds that are
    usable in both. A cell needs at least `seed_share` of its planned seeds, as in step 2 of the rule. Sorted by cell.
    """
    other = even[[*PAIR, "theta"]].rename(columns={"theta": "evenness"})
    both = less.rename(columns={"theta": "damage"}).merge(other, on=PAIR).sort_values([*CELL, "seed"])
    usable = both[CHANGES].notna().all(axis=1)
    grouped = both.assign(**{name: both[name].where(usable) for name in CHANGES}, usable=usable).groupby(CELL)
    means = grouped[CHANGES].mean().round(DECIMALS)
    seeds, planned = grouped["usable"].sum(), grouped["usable"].size()
    return means[(seeds > 0) & (seeds >= seed_share * planned - SLACK)].reset_index()


def standings(found: pd.DataFrame) -> pd.DataFrame:
    """One row a dataset: its task and its mean relative rank among peers in `evenness` and in `damage`.

    found: as from `cells`. A rank r among n peers counts as r / (n + 1) - 1/2, so 0 is the middle; ties share the mean
    rank. This is the ridit of Bross (1958), with the table itself as the standard. A cell without a peer has no rank.
    Sorted by dataset; values within (-1/2, 1/2).
    """
    peers = found.groupby(PEERS)["dataset"].transform("size")
    ranked = found[peers > 1]
    relative = ranked.groupby(PEERS)[CHANGES].rank().div(peers[peers > 1] + 1, axis=0) - 0.5
    grouped = ranked.assign(**{name: relative[name] for name in CHANGES}).groupby(["dataset", "task"], sort=True)
    return grouped[CHANGES].mean().round(DECIMALS).reset_index()


def correlate(found: pd.DataFrame, k_min: int) -> dict[str, Any]:
    """Spearman's correlation of the two changes over the datasets of `found` (as from `cells`), with its interval.

    `rho` is that of the mean relative ranks, within tasks; with one level, one arm and one task it is
    Spearman's own. `across_cells`: plain Spearman of all `n_cells` cells in multiples of delta, whatever they are cells
    of; they are not independent, so it has no interval. `datasets`: the pairs. NaN for fewer datasets than `k_min`, and
    where nothing varies.
    """
    ranked = standings(found)
    k, tasks = len(ranked), int(ranked["task"].nunique())
    within = (ranked[CHANGES] - ranked.groupby("task")[CHANGES].transform("mean")).round(DECIMALS)
    matrices = (within.corr(), found[CHANGES].corr("spearman"))
    rho, across = (float(one.to_numpy()[0, 1]) if k >= k_min else math.nan for one in matrices)
    low, high = interval(rho, k, tasks)
    return {
        "rho": rho,
        "ci_low": low,
        "ci_high": high,
        "n_datasets": k,
        "n_cells": len(found),
        "across_cells": across,
        "datasets": ranked.to_dict("records"),
    }


def interval(rho: float, k: int, tasks: int = 1, level: float = 0.95) -> tuple[float, float]:
    """Interval of Spearman's correlation over k datasets: Fisher's z with the standard error of Bonett and Wright.

    The half width of atanh(rho) is z times the root of (1 + rho^2/2) / (k - 3). Source: Bonett and Wright 2000,
    Psychometrika 65, 23-28. Every task beyond the first costs a degree of freedom, as in a partial correlation. The
    level holds for distributions that are not normal: Bishara and Hittner 2017, Behav. Res. Methods 49, 294-309. NaN
    where rho is NaN, 1 or -1, and without a degree of freedom.
    """
    freedom = k - 2 - tasks
    if not abs(rho) < 1 - SLACK or freedom < 1:
        return math.nan, math.nan
    half = float(special.ndtri(0.5 + level / 2)) * math.sqrt((1 + rho**2 / 2) / freedom)
    return math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half)


def _sentence(row: dict[str, Any], k_min: int) -> str:
    """The first row in words; a correlation is never a reason, whatever it is."""
    k, rho, low, high = (row[key] for key in ("n_datasets", "rho", "ci_low", "ci_high"))
    if k < k_min:
        return f"There is no figure: {plural(k, 'dataset')} can be ranked, and it takes {k_min}."
    if math.isnan(rho):
        return f"There is no figure: one of the two changes is the same on all {k} datasets."
    value = number(rho, STEP, sign=True)
    if math.isnan(low):
        return f"Over {k} datasets the rank correlation is {value}; it has no interval. {NO_REASON}"
    found = f"Over {k} datasets the rank correlation is {value} [{number(low, STEP)}, {number(high, STEP)}]"
    if low <= 0 <= high:
        return f"{found}. The interval includes 0: whether the two go together is open. {NO_REASON}"
    side = "more" if rho > 0 else "less"
    return (
        f"{found}: where weights moved further towards even, L2 tended to take away {side} of the damage. {NO_REASON}"
    )
