"""Estimands: what each claim means as a paired contrast, one small function each.

An estimand gets a `Contrast`, which reads measures of the runs of one (dataset, architecture) at one contamination
level, at
beta = 0 or at the beta that validation chose, one number a seed. It returns theta, (S,), oriented so that theta > 0
agrees with the claim. The contrast keeps note of the runs that were read: a theta is usable when all of them are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l2audit.contamination import CLEAN
from l2audit.judge.grid import Array, ByLoss, Grid, Mask
from l2audit.registry import Registry

PRIMARY_LOSS = {"classification": "cross_entropy", "regression": "squared"}
AGAINST = "against"
"""The parameter of a part that names the arm which its estimand compares the claim's own arms with."""


@dataclass
class Contrast:
    """Access to the runs that one contrast needs, for all seeds at once."""

    grids: ByLoss
    level: str
    parameters: Mapping[str, Any]
    arms: Mapping[str, ByLoss] = field(default_factory=dict)  # all of the dataset, for the same seeds
    at: int | None = None  # index of one beta for all seeds, in place of the one that validation chose
    needs: list[tuple[str, str, bool]] = field(default_factory=list)  # (loss, level, penalised) of each read
    unusable: dict[str, Mask] = field(default_factory=dict)  # the estimand's own reasons
    others: list[Contrast] = field(default_factory=list)  # contrasts of other arms that were asked for

    @property
    def primary(self) -> Grid:
        """The grid of the task's primary loss: the one whose validation rows choose beta."""
        (task,) = {grid.task for grid in self.grids.values()}
        return self.grids[PRIMARY_LOSS[task]]

    def unpenalised(self, measure: str, level: str | None = None, loss: str | None = None) -> Array:
        """`measure` at beta = 0, (S,)."""
        return self._read(measure, level, loss, penalised=False)

    def penalised(self, measure: str, level: str | None = None, loss: str | None = None) -> Array:
        """`measure` at the chosen beta, (S,)."""
        return self._read(measure, level, loss, penalised=True)

    def against(self) -> Contrast:
        """The same contrast in the arm that the parameter `against` names: its runs, and its own choice of beta.

        Where one beta is wanted for all seeds it is the same beta there; without it no seed can be used.
        """
        other = Contrast(self.arms[self.parameters[AGAINST]], self.level, self.parameters, self.arms)
        if self.at is not None:
            (same,) = np.nonzero(other.primary.betas == self.primary.betas[self.at])
            other.at = int(same[0]) if len(same) else None
            other.require("beta not in both arms", np.full(len(other.primary.seeds), len(same) > 0))
        self.others.append(other)
        return other

    def require(self, reason: str, holds: Mask) -> None:
        """Leave out the seeds where `holds` is false, for `reason`."""
        self.unusable[reason] = ~holds

    def _read(self, measure: str, level: str | None, loss: str | None, *, penalised: bool) -> Array:
        grid = self.grids[loss] if loss else self.primary
        at = level or self.level
        self.needs.append((grid.loss, at, penalised))
        return self.pick(grid.columns[measure], grid, at, penalised=penalised)

    def pick(self, values: NDArray[Any], grid: Grid, level: str, *, penalised: bool) -> NDArray[Any]:
        """One entry a seed of `values` (L, B, S) at beta = 0 or at the chosen beta."""
        seeds = np.arange(len(grid.seeds))
        penalty = self.primary.chosen if self.at is None else np.full(len(seeds), self.at)
        beta = penalty if penalised else np.zeros(len(seeds), dtype=int)
        picked: NDArray[Any] = values[grid.levels.index(level), beta, seeds]
        return picked


@dataclass(frozen=True)
class Estimand:
    """A registered estimand: theta as a function of a contrast, at which levels it lives and what it asks of a run."""

    theta: Callable[[Contrast], Array]
    formula: str
    contaminated: bool  # one row a contaminated level, else one row at the clean level
    judged_band: bool  # the chosen beta must lie in the judged band
    losses: tuple[str, ...] = ()  # beside the primary one
    display: str = "plain"  # how an effect is told: a name in l2audit.judge.display


ESTIMANDS: Registry[Estimand] = Registry("estimand")


def _estimand(
    name: str,
    *,
    formula: str,
    contaminated: bool,
    judged_band: bool,
    losses: tuple[str, ...] = (),
    display: str = "plain",
) -> Callable[[Callable[[Contrast], Array]], Callable[[Contrast], Array]]:
    def register(theta: Callable[[Contrast], Array]) -> Callable[[Contrast], Array]:
        ESTIMANDS.add(name, Estimand(theta, formula, contaminated, judged_band, losses, display))
        return theta

    return register


@_estimand(
    "shrinkage",
    formula="log(|w(0)| / |w(b)|), clean",
    contaminated=False,
    judged_band=False,
    display="share left",
)
def shrinkage(runs: Contrast) -> Array:
    """Log ratio of the norms of all kernels without and with the penalty."""
    return np.asarray(np.log(runs.unpenalised("weight_norm") / runs.penalised("weight_norm")))


@_estimand("benefit", formula="R(0, clean) - R(b, clean), where overfit", contaminated=False, judged_band=False)
def benefit(runs: Contrast) -> Array:
    """Fall of clean test risk, over the seeds whose validation gap at beta = 0 shows overfitting.

    The gap is taken on validation rows: a test gap would share its noise with theta (a useless L2 then gets a slope
    of .4).
    """
    gap = runs.unpenalised("validation_risk") - runs.unpenalised("train_risk")
    runs.require("not overfit", gap > runs.parameters["gap"][runs.primary.task])
    return runs.unpenalised("test_risk") - runs.penalised("test_risk")


@_estimand(
    "sensitivity", formula="D(b, c) - D(0, c) with D(b, c) = R(b, c) - R(b, clean)", contaminated=True, judged_band=True
)
def sensitivity(runs: Contrast) -> Array:
    """How much more the outliers cost in clean test risk with the penalty than without it."""
    with_penalty = runs.penalised("test_risk") - runs.penalised("test_risk", CLEAN)
    without = runs.unpenalised("test_risk") - runs.unpenalised("test_risk", CLEAN)
    return with_penalty - without


@_estimand("robustness", formula="R(b, c) - R(0, c)", contaminated=True, judged_band=True)
def robustness(runs: Contrast) -> Array:
    """Clean test risk after training on outliers, with the penalty against without it."""
    return runs.penalised("test_risk") - runs.unpenalised("test_risk")


@_estimand(
    "loss_against_penalty",
    formula="log(D(squared, 0) / D(huber, 0)) - log(D(squared, 0) / D(squared, b)), each D at least the floor",
    contaminated=True,
    judged_band=True,
    losses=("huber",),
    display="times the damage",
)
def loss_against_penalty(runs: Contrast) -> Array:
    """Share of the damage that the robust loss removes against the share that the penalty removes, in log units.

    Damage can be zero or less, so each D is floored (a quarter of the task's delta) inside the logarithm.
    """
    floor = runs.parameters["floor"]

    def log_damage(read: Callable[..., Array], loss: str) -> Array:
        return np.asarray(np.log(np.maximum(read("test_risk", None, loss) - read("test_risk", CLEAN, loss), floor)))

    return log_damage(runs.penalised, "squared") - log_damage(runs.unpenalised, "huber")
