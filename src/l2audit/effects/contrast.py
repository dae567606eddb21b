"""Access to the runs that one contrast needs: all seeds of one (dataset, arm) at one level, at two betas.

An estimand reads measures at beta = 0 and at the beta tuned on validation rows. It reads them from the claim's own arm
and, where a part names one, from a rival arm. The contrast records every run that was read, and every run on which a
measure rests: theta is usable when all of them are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l2audit.config.claims import AGAINST
from l2audit.config.study import PRIMARY_LOSS
from l2audit.contamination import CLEAN
from l2audit.effects.grid import ABSENT, Array, ByLoss, Grid, Mask, least
from l2audit.measures import CLEAN_RUN, MEASURES, OK, UNPENALISED_RUN

RESTS_ON: Mapping[str, Callable[[str, bool], tuple[str, bool]]] = {
    CLEAN_RUN: lambda level, penalised: (CLEAN, penalised),
    UNPENALISED_RUN: lambda level, penalised: (level, False),
}
"""(level, penalised) of a run -> that of the other run on which a measure of it rests."""


@dataclass
class Contrast:
    """The runs of one arm at one level, one number a seed; S seeds.

    at: (S,) index of the beta of each seed, or one index for all, in place of the beta that validation chose.
    """

    grids: ByLoss
    level: str
    parameters: Mapping[str, Any]
    arms: Mapping[str, ByLoss] = field(default_factory=dict)  # all that the contrast may ask for, with the same seeds
    at: NDArray[np.int64] | int | None = None
    needs: list[tuple[str, str, bool]] = field(default_factory=list)  # (loss, level, penalised) of each run
    unusable: dict[str, Mask] = field(default_factory=dict)  # the estimand's own reasons
    others: list[Contrast] = field(default_factory=list)  # contrasts of other arms that were asked for

    @property
    def primary(self) -> Grid:
        """The grid of the task's primary loss: the one whose validation rows choose beta."""
        (task,) = {grid.task for grid in self.grids.values()}
        return self.grids[PRIMARY_LOSS[task]]

    @property
    def index(self) -> NDArray[np.int64]:
        """(S,): index of the beta at which each seed is read where it is penalised."""
        at = self.primary.chosen_at[self.level] if self.at is None else np.asarray(self.at, dtype=np.int64)
        return np.broadcast_to(at, (len(self.primary.seeds),))

    def unpenalised(self, measure: str, level: str | None = None, loss: str | None = None) -> Array:
        """`measure` at beta = 0, (S,)."""
        return self._read(measure, level, loss, penalised=False)

    def penalised(self, measure: str, level: str | None = None, loss: str | None = None) -> Array:
        """`measure` at the chosen beta, (S,)."""
        return self._read(measure, level, loss, penalised=True)

    def _read(self, measure: str, level: str | None, loss: str | None, *, penalised: bool) -> Array:
        grid, at = self.grids[loss] if loss else self.primary, level or self.level
        self.needs.append((grid.loss, at, penalised))
        for other in MEASURES[measure].rests_on if measure in MEASURES else ():
            self.needs.append((grid.loss, *RESTS_ON[other](at, penalised)))
        return self.pick(grid.column(measure), grid, at, penalised=penalised)

    def pick(self, values: NDArray[Any], grid: Grid, level: str, *, penalised: bool) -> NDArray[Any]:
        """One entry a seed of `values` (L, B, S) at beta = 0 or at the chosen beta."""
        picked: NDArray[Any] = values[
            grid.levels.index(level), self.index if penalised else 0, np.arange(len(grid.seeds))
        ]
        return picked

    def require(self, reason: str, holds: Mask) -> None:
        """Leave out the seeds where `holds` is false, for `reason`."""
        self.unusable[reason] = self.unusable.get(reason, np.zeros(len(holds), dtype=bool)) | ~holds

    def best_beta(self, level: str | None = None) -> Array:
        """(S,): the beta > 0 whose model, trained at `level`, has the least risk on clean validation rows.

        Ties go to the largest beta. No run has to have converged: small betas converge slowly, so leaving out their
        seeds would select by the outcome. A diverged run is never chosen; an absent one leaves the choice unknown.
        """
        grid, at = self.primary, level or self.level
        status = grid.status[grid.levels.index(at), 1:]
        self.require("run absent", (status != ABSENT).all(axis=0))
        self.require("run diverged", (status == OK).any(axis=0))
        return np.asarray(grid.betas[grid.best(at)])

    def against(self, at: NDArray[np.int64] | None = None) -> Contrast:
        """The same contrast in the arm that the parameter `against` names, at its own betas, or `at` others."""
        other = Contrast(self.arms[self.parameters[AGAINST]], self.level, self.parameters, self.arms, at)
        self.others.append(other)
        return other

    def against_same_beta(self) -> Contrast:
        """The same contrast in the arm `against`, each seed at the beta that it has here."""
        same = self._rival.betas[:, None] == self.primary.betas[self.index]
        other = self.against(same.argmax(axis=0))
        other.require("beta not in both arms", same.any(axis=0))
        return other

    def against_same_fit(self, within: float) -> Contrast:
        """The same contrast in the arm `against`, each seed at the beta > 0 whose training loss there is nearest ours.

        A seed counts if the two losses differ by at most `within` of ours. Ties go to the largest beta.
        """
        mine, rival = self.penalised("train_loss"), self._rival
        gap = np.abs(rival.column("train_loss")[rival.levels.index(self.level)] - mine)
        nearest = least(gap, rival.betas)
        other = self.against(nearest)
        other.require("no matching fit", gap[nearest, np.arange(len(nearest))] <= within * np.abs(mine))
        return other

    @property
    def _rival(self) -> Grid:
        return self.arms[self.parameters[AGAINST]][self.primary.loss]
