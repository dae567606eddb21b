"""Steps 1-4 of the rule: from theta of single seeds to one clipped score per dataset and stratum.

Every array may carry leading axes (studies): one for a real study, thousands for simulated ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from l2audit.config.claims import Constants
from l2audit.effects.grid import Array, Mask, mean_where

SLACK = 1e-9
"""Shares such as 0.8 x 15 are not exact in binary; a count may miss its threshold by this much."""


@dataclass(frozen=True)
class Scores:
    """Scores of one part of one claim, in units of delta; NaN where a dataset is out of a stratum.

    raw      (..., K, S): y of step 4, unclipped.
    clipped  (..., K, S): x of step 4.
    series   (..., K, S, R): z of step 4, one unclipped value per seed; NaN where a judged cell lacks that seed.
    active   (..., K, S): share of what entered in which L2 was active, in [0, 1].
    judged   (..., K, S, A, L): the cells that entered.
    """

    raw: Array
    clipped: Array
    series: Array
    active: Array
    judged: Mask

    def row(self, number: int) -> Scores:
        """One stratum, counted from 1, or (0) the row "all": equal weights on the strata that a dataset has.

        The same arrays without the axis of strata, except that `judged` keeps it in the row "all".
        """
        if number:
            s = number - 1
            raw, clipped, active = (values[..., s] for values in (self.raw, self.clipped, self.active))
            return Scores(raw, clipped, self.series[..., s, :], active, self.judged[..., s, :, :])
        inside = np.isfinite(self.raw)
        return replace(
            self,
            raw=mean_where(self.raw, inside),
            clipped=mean_where(self.clipped, inside),
            # A seed is NaN where a stratum that is in lacks it.
            series=mean_where(self.series, np.broadcast_to(inside[..., None], self.series.shape), axis=-2),
            active=mean_where(self.active, np.isfinite(self.active)),
        )


def scores(u: Array, active: Array, planned: NDArray[np.int64], constants: Constants) -> Scores:
    """Steps 2-4 for one part of one claim.

    u        (..., K, S, A, L, R): theta / delta of dataset, stratum, arm, level and seed; NaN = not ok
    active   same shape, 1 where L2 was active and 0 where not
    planned  (..., K, S, A, L): seeds planned in each cell, at most R; 0 where the plan has no such cell
    """
    # Nothing is missing: plain means, which thousands of studies can afford.
    if planned.size and (planned == u.shape[-1]).all() and np.isfinite(u).all():
        judged = np.ones(u.shape[:-1], dtype=bool)
        series = u.mean(axis=-2).mean(axis=-2)
        raw, share = series.mean(axis=-1), active.mean(axis=(-3, -2, -1))
    else:
        ok = np.isfinite(u) & (planned > 0)[..., None]
        judged = (ok.sum(axis=-1) >= constants.seed_share * planned - SLACK) & ok.any(axis=-1)
        n_planned, n_judged = (planned > 0).sum(axis=(-2, -1)), judged.sum(axis=(-2, -1))
        inside = (n_judged > 0) & (n_judged >= constants.cell_share * n_planned - SLACK)
        judged = judged & inside[..., None, None]
        raw, share = (_balanced(mean_where(values, ok), judged) for values in (u, active))
        complete = (ok | ~judged[..., None]).all(axis=(-3, -2)) & inside[..., None]
        by_seed = np.moveaxis(np.where(ok, u, 0.0), -1, 0)
        series = np.moveaxis(_balanced(by_seed, np.broadcast_to(judged, by_seed.shape)), 0, -1)
        series = np.where(complete, series, np.nan)
    return Scores(raw, np.clip(raw, -constants.clip, constants.clip), series, share, judged)


def _balanced(cells: Array, judged: Mask) -> Array:
    """(..., A, L) -> (...): mean over arms of the mean over levels, over judged cells alone."""
    return mean_where(mean_where(cells, judged), np.asarray(judged.any(axis=-1)))
