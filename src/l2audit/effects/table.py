"""Effects and their summary: from the table of runs to the table that the judge reads.

Every *planned* contrast is a row. Where its runs are missing, diverged or out of scope, `ok` is false and `reason`
says why: the rule counts planned cells, not lucky ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from l2audit.config.claims import AGAINST, EVERY_KIND, Claim, Part
from l2audit.config.study import PRIMARY_LOSS
from l2audit.contamination import CLEAN
from l2audit.effects.contrast import Contrast
from l2audit.effects.estimands import BOTH, CONTAMINATED, ESTIMANDS, KINDS
from l2audit.effects.evidence import Evidence
from l2audit.effects.grid import Array, Block, ByLoss, Mask, at_common_seeds, mean_where, moments
from l2audit.effects.layout import NOT_FINITE
from l2audit.measures import OK

EFFECT_KEY = ["claim", "part", "role", "dataset", "task", "stratum", "arm", "level", "seed"]
EFFECT_COLUMNS = [*EFFECT_KEY, "beta", "theta", "ok", "reason", "active", "slope", "at_end", "worse_than_trivial"]
"""at_end: beta is the largest that was trained. worse_than_trivial: with the penalty and without it, the model scores
worse on clean test rows than the best constant prediction (`trivial_risk`)."""


def estimate(evidence: Evidence) -> pd.DataFrame:
    """The effects of every registered claim over every planned contrast, sorted by key.

    A claim is about the arms that it lists. A part that names another arm compares the two, over the levels and seeds
    that both have.
    """
    rows: list[tuple[object, ...]] = []
    for claim in evidence.registration.claims:
        for part in claim.parts:
            for block in evidence.grids:
                for one in measured(evidence, claim, part, block) if concerns(evidence, claim, part, block) else ():
                    grid, ok = one.contrast.primary, one.reason == ""
                    values = (
                        grid.seeds,
                        grid.betas[one.contrast.index],
                        np.where(ok, one.theta, np.nan),
                        ok,
                        one.reason,
                        one.active,
                        _slopes(part, one.contrast),
                        one.contrast.index == len(grid.betas) - 1,
                        _worse_than_trivial(one.contrast),
                    )
                    rows += [(*one.place, *of_seed) for of_seed in zip(*values, strict=True)]
    return pd.DataFrame(rows, columns=EFFECT_COLUMNS).sort_values(EFFECT_KEY, ignore_index=True)


def concerns(evidence: Evidence, claim: Claim, part: Part, block: Block) -> bool:
    """Whether a block gives rows: its own arm, and the one it is compared with, were planned with the losses needed.

    Primary arms that the claim does not list are estimated too if the claim has strata. They are drawn on the map and
    never enter the verdict.
    """
    if not part.estimand:
        return False
    losses = {PRIMARY_LOSS[block.task], *ESTIMANDS[part.estimand].losses}
    on_the_map = bool(claim.kinds) and AGAINST not in part.parameters and block in evidence.primary
    planned = evidence.arms[block[:3]]
    return (
        block.role == claim.role
        and (not claim.datasets or block.dataset in claim.datasets)
        and block.task in part.delta
        and (block.arm in claim.arms or on_the_map)
        and all(losses <= set(planned.get(arm, ())) for arm in arms_of(part, block.arm))
    )


def arms_of(part: Part, arm: str) -> tuple[str, str]:
    """The two arms of a contrast: the claim's own, and the one that it is compared with (itself, if none)."""
    return arm, part.parameters.get(AGAINST, arm)


def levels_of(part: Part, levels: Sequence[str], kinds: Mapping[str, str]) -> list[str]:
    """The levels at which a part has a contrast, of those that its arms were planned with; kinds: of each level."""
    lives = ESTIMANDS[part.estimand].levels
    if lives not in (CONTAMINATED, BOTH):
        return [CLEAN]
    wanted = part.parameters.get(KINDS)
    dirty = [level for level in levels if level != CLEAN and (wanted is None or kinds[level] in wanted)]
    return [CLEAN, *dirty] if lives == BOTH else dirty


class Measured(NamedTuple):
    """A contrast of a part at one level of a block: theta, why a seed cannot be used ("" where it can), each (S,).

    place: EFFECT_KEY without the seed. active: whether the penalty acted at this level, (S,).
    """

    place: tuple[str, ...]
    contrast: Contrast
    theta: Array
    reason: NDArray[np.object_]
    active: Mask


def measured(
    evidence: Evidence, claim: Claim, part: Part, block: Block, arms: Mapping[str, ByLoss] | None = None
) -> Iterator[Measured]:
    """The contrasts of a part at every level of a block that the claim is about.

    arms: both arms of the contrast by name, with the same seeds. The planned ones if None.
    """
    role, dataset, task, arm = block
    estimand = ESTIMANDS[part.estimand]
    pair = arms_of(part, arm)
    if arms is None:
        arms = at_common_seeds({name: evidence.arms[block[:3]][name] for name in pair})
    own, rival = (arms[name][PRIMARY_LOSS[task]] for name in pair)
    for level in levels_of(part, [one for one in own.levels if one in rival.levels], evidence.kinds):
        stratum = evidence.stratum(level, dataset) if claim.kinds else EVERY_KIND
        if claim.kinds and stratum not in claim.kinds:
            continue
        contrast = Contrast(arms[arm], level, part.parameters, arms, estimand.at(own, level))
        with np.errstate(all="ignore"):  # an unusable contrast is a row with its reason, not a warning
            theta = estimand.theta(contrast)
            active = _active(contrast)
        reason = _reasons(contrast, judged_band=estimand.judged_band)
        reason = np.where((reason == "") & ~np.isfinite(theta), NOT_FINITE, reason)
        yield Measured((claim.id, part.id, role, dataset, task, stratum, arm, level), contrast, theta, reason, active)


def _reasons(contrast: Contrast, *, judged_band: bool) -> NDArray[np.object_]:
    """Why each seed's contrast cannot be used, "" where it can; the first fault found stands, own runs first.

    A certificate is asked, where it is, of the claim's own arm alone: the other one may have nothing to converge to.
    """
    asked = contrast.primary.thresholds
    faults: list[tuple[str, Mask]] = []
    for one in (contrast, *contrast.others):
        own = one is contrast
        needs = [(one.grids[loss], level, penalised) for loss, level, penalised in dict.fromkeys(one.needs)]
        for grid, level, penalised in needs:
            status = one.pick(grid.status, grid, level, penalised=penalised)
            faults += [(f"run {word}", status == word) for word in sorted({*status} - {OK})]
        # The band is asked of a beta that an arm has chosen, not of one that it was given.
        if judged_band and (own or one.at is None):
            inside = one.primary.band[one.index, np.arange(len(one.primary.seeds))]
            faults.append(("no beta in the judged band", ~inside & asked.in_band))
        for grid, level, penalised in needs if own else ():
            uncertified = ~one.pick(grid.certified, grid, level, penalised=penalised)
            faults.append(("not converged", uncertified & asked.certified))
        faults += one.unusable.items()
    reason = np.full(len(contrast.primary.seeds), "", dtype=object)
    for word, holds in faults:
        reason[(reason == "") & holds] = word
    return reason


def _active(contrast: Contrast) -> Mask:
    """Did the penalty act, at this level: a smaller norm, and exposure enough for a null to mean something.

    Where the run without a penalty is lost, which some estimands do not need, the exposure alone says so.
    """
    grid, level = contrast.primary, contrast.level
    base, norm = (contrast.pick(grid.column("weight_norm"), grid, level, penalised=on) for on in (False, True))
    exposure = contrast.pick(grid.column("decay_exposure"), grid, level, penalised=True)
    needed = grid.thresholds
    active: Mask = ~(norm > (1 - needed.norm_drop) * base) & (exposure >= needed.decay_exposure)
    return active


def _worse_than_trivial(contrast: Contrast) -> Mask:
    """(S,): both models of the contrast score worse on clean test rows than the best constant prediction."""
    grid, level = contrast.primary, contrast.level
    trivial = contrast.pick(grid.column("trivial_risk"), grid, level, penalised=False)
    risks = [contrast.pick(grid.column("test_risk"), grid, level, penalised=on) for on in (False, True)]
    return np.asarray((risks[0] > trivial) & (risks[1] > trivial))


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
        usable = (_reasons(contrast, judged_band=False) == "") & primary.band[b]
        theta[b] = np.where(usable, effect, np.nan)
    return slope_of(np.log10(primary.betas[1:]), theta[1:])


def slope_of(x: Array, y: Array) -> Array:
    """Least-squares slope of each column of `y` (B, S) on `x` (B,), over its finite entries; NaN for fewer than two."""
    known = np.ma.masked_invalid(y)
    away = np.ma.array(np.broadcast_to(x[:, None], y.shape), mask=np.ma.getmaskarray(known))
    away = away - away.mean(axis=0)
    found: Array = np.ma.divide((away * known).sum(axis=0), (away**2).sum(axis=0)).filled(np.nan)
    return found


SUMMARISED = [
    "test_risk",
    "validation_risk",
    "train_risk",
    "weight_norm",
    "memorised_fraction",
    "gradient_ratio",
    "decay_exposure",
]


def summarise(evidence: Evidence) -> pd.DataFrame:
    """Means over seeds of the primary arms, for the figures: a row a (role, dataset, arm, loss, level, beta).

    Each measure of `SUMMARISED` as its mean and, with suffix `_se`, its standard error; `certified`, `in_band` and
    `chosen` as shares of seeds; `n_ok` of `n_planned` runs.
    """
    levels = evidence.plan.drop_duplicates("level").set_index("level")[["kind", "rate", "magnitude"]]
    tables = []
    for block in evidence.grids:
        if block not in evidence.primary:
            continue
        for loss, grid in evidence.grids[block].items():
            judged = evidence.grids[block].get(PRIMARY_LOSS[block.task], grid)  # else each loss chooses its own
            chosen = judged.chosen_at[CLEAN]
            found = judged.status[judged.levels.index(CLEAN), chosen, np.arange(len(judged.seeds))] == OK
            chosen = np.where(found, chosen, -1)  # a seed all of whose penalised runs are lost has chosen none
            ok = grid.status == OK
            table = {
                "certified": np.nan_to_num(mean_where(grid.certified.astype(float), ok)),
                "in_band": grid.band.mean(axis=-1),
                "chosen": (np.arange(len(grid.betas))[:, None] == chosen).mean(axis=-1),
                "n_ok": ok.sum(axis=-1),
            }
            for name in SUMMARISED:
                n, table[name], sd = moments(grid.column(name))
                table[f"{name}_se"] = sd / np.sqrt(n)
            axes = pd.MultiIndex.from_product([grid.levels, grid.betas], names=["level", "beta"])
            flat = {name: np.broadcast_to(values, ok.shape[:2]).ravel() for name, values in table.items()}
            told = pd.DataFrame(flat, index=axes).reset_index().join(levels, on="level")
            told["stratum"] = told["level"].map(lambda level, dataset=block.dataset: evidence.stratum(level, dataset))
            tables.append(told.assign(**block._asdict(), loss=loss, n_planned=len(grid.seeds)))
    measures = [name for measure in SUMMARISED for name in (measure, f"{measure}_se")]
    key = ["role", "dataset", "task", "arm", "loss", "level", "kind", "rate", "magnitude", "stratum", "beta"]
    shares = ["certified", "in_band", "chosen", "n_ok", "n_planned"]
    return pd.concat(tables, ignore_index=True)[[*key, *measures, *shares]]
