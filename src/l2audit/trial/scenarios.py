"""Studies of known truth: the generator with which the judge is put on trial, and the scenarios of docs/statistics.md.

Units of delta. A dataset's effect is mean + tau (d + 0.4 d_kind + 0.2 d_architecture); its seeds add noise of SD s,
half of its variance shared by all cells of one seed. Ten seeds, two architectures, three kinds (= strata), one level
each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from l2audit.config.claims import Claim, Constants
from l2audit.effects.grid import Array
from l2audit.judge.rule import Case, families_of, rows_of
from l2audit.judge.scores import Scores, scores
from l2audit.seeds import generator

SEEDS, ARCHITECTURES, KINDS, CLAIMS = 10, 2, 3, 9
KIND_SPREAD, ARCHITECTURE_SPREAD = 0.4, 0.2
PART_CORRELATION = 0.7
"""Of the two parts of a conjunction over datasets: g1 and g2 share the contaminated contrast."""

Means = tuple[float, ...]


@dataclass(frozen=True)
class Scenario:
    """One truth, drawn many times. The first claim is the target, whose verdicts are tabulated.

    means      per claim, the mean of each kind
    parts      means of the target's second part (by kind), None for a claim of one part
    k, tau, noise   datasets, spread over datasets, SD over seeds
    spread     distribution of d: "normal", "t3" (scaled to SD 1), "skew" or "skew-" (exponential, centred)
    correlation   of d between claims
    mixture    (share, value): this share of the target's datasets has mean `value`; as a probability if `by_chance`
    inactive   probability that L2 was inactive on a dataset; absent: that a dataset has no runs; missing: a single run
    control    the target is judged alone
    labels     the labels of step 9 are tabulated too
    """

    group: str
    truth: str
    means: tuple[Means, ...]
    k: int = 12
    tau: float = 0.5
    noise: float = 1.0
    parts: Means | None = None
    spread: str = "normal"
    correlation: float = 0.0
    mixture: tuple[float, float] | None = None
    by_chance: bool = False
    inactive: float = 0.0
    absent: float = 0.0
    missing: float = 0.0
    control: bool = False
    labels: bool = False

    @property
    def id(self) -> str:
        """What distinguishes this scenario: its seed is made of it."""
        return f"{self.group}: {self.truth}; K={self.k} tau={self.tau:g} s={self.noise:g} {self.spread}"


SPREADS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape) / np.sqrt(3.0),
    "skew": lambda rng, shape: rng.standard_exponential(shape) - 1.0,
    "skew-": lambda rng, shape: 1.0 - rng.standard_exponential(shape),
}


def simulate(scenario: Scenario, studies: int, constants: Constants) -> tuple[list[Case], list[Scores]]:
    """`studies` draws of a scenario: its claims as cases for the rule, and the scores of the target's parts."""
    shape = (studies, scenario.k)
    spread = SPREADS[scenario.spread]
    common = spread(generator("calibration", scenario.id, "common"), shape)
    active = np.ones((1,) * 6)
    if scenario.inactive:
        drawn = generator("calibration", scenario.id, "active").random((*shape, 1, 1, 1, 1))
        active = (drawn >= scenario.inactive).astype(float)
    cases: list[Case] = []
    target: list[Scores] = []
    for claim, means in enumerate(scenario.means):
        rng = generator("calibration", scenario.id, claim)
        d = _correlated(common, spread(rng, shape), scenario.correlation)
        parts = [means] if claim or scenario.parts is None else [means, scenario.parts]
        scored = []
        for part, centre in enumerate(parts):
            own = d if part == 0 else _correlated(d, spread(rng, shape), PART_CORRELATION)
            u = _draw(scenario, rng, own, np.asarray(centre), mixture=None if claim else scenario.mixture)
            if claim == 0 and scenario.missing:
                u = np.where(rng.random(u.shape) < scenario.missing, np.nan, u)
            if claim == 0 and scenario.absent:
                u = np.where(rng.random((*shape, 1, 1, 1, 1)) < scenario.absent, np.nan, u)
            planned = np.full(u.shape[1:-1], SEEDS)
            scored.append(scores(u, np.broadcast_to(active, u.shape), planned, constants))
        target = target or scored
        family = "control" if scenario.control and claim == 0 else "claims"
        said = Claim(str(claim), "", family, (), strata=tuple(map(str, range(KINDS))))
        cases.append(Case(rows_of(scored, KINDS), tuple(families_of(said))))
    return cases, target


def _correlated(shared: Array, fresh: Array, correlation: float) -> Array:
    mixed: Array = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * fresh
    return mixed


def _draw(
    scenario: Scenario, rng: np.random.Generator, d: Array, centre: Array, mixture: tuple[float, float] | None
) -> Array:
    """(B, K, kinds, architectures, 1, seeds) of theta / delta, from the effects `d` (B, K) of datasets."""
    studies, k = d.shape
    mean = np.broadcast_to(centre, (studies, k, KINDS))
    if mixture is not None:
        share, value = mixture
        other = rng.random((studies, k)) < share if scenario.by_chance else np.arange(k) < round(share * k)
        mean = np.where(np.broadcast_to(other, (studies, k))[..., None], value, mean)
    kind = KIND_SPREAD * rng.standard_normal((studies, k, KINDS))
    architecture = ARCHITECTURE_SPREAD * rng.standard_normal((studies, k, 1, ARCHITECTURES))
    cell = (mean + scenario.tau * (d[..., None] + kind))[..., None] + scenario.tau * architecture
    shared = rng.standard_normal((studies, k, 1, 1, SEEDS))
    noise = rng.standard_normal((studies, k, KINDS, ARCHITECTURES, SEEDS))
    noise += shared
    noise *= scenario.noise * np.sqrt(0.5)
    noise += cell[..., None]
    drawn: Array = noise[..., None, :]
    return drawn


def everywhere(mean: float) -> Means:
    """The same mean in every kind."""
    return (mean,) * KINDS


OTHERS = (everywhere(8.0),) * 4 + (everywhere(0.0),) * 4
"""Beside a single target: four clear claims and four null ones."""

FAMILIES: dict[str, tuple[Means, ...]] = {
    "all 0": (everywhere(0.0),) * CLAIMS,
    "all +1": (everywhere(1.0),) * CLAIMS,
    "all -1": (everywhere(-1.0),) * CLAIMS,
    "four +1, five -1": (everywhere(-1.0),) * 5 + (everywhere(1.0),) * 4,
    "eight -8, one -1": (everywhere(-1.0),) + (everywhere(-8.0),) * 8,
    "all +1.25": (everywhere(1.25),) * CLAIMS,
}
MIXED_KINDS: dict[str, Means] = {
    "kinds +2/-2/0": (2.0, -2.0, 0.0),
    "kinds +2/0/0": (2.0, 0.0, 0.0),
    "kinds +4/-4/0": (4.0, -4.0, 0.0),
}
CONJUNCTIONS = ((3, 3), (3, -3), (3, 0), (-3, -3), (0, 0), (1, 1), (1, 5), (-1, -5))
"""Means of the two parts."""


def _grid(
    group: str,
    truth: str | float,
    ks: Sequence[int] = (12,),
    at: Sequence[tuple[float, float]] = ((0.5, 1.0),),
    labels: Sequence[float] = (),
    **changes: Any,
) -> Iterator[Scenario]:
    """One truth for every number of datasets in `ks` at every (tau, noise) in `at`; labels at these tau.

    truth: a key of `FAMILIES` for nine claims; for one target a key of `MIXED_KINDS`, or its mean. `called` among the
    `changes` of a `Scenario` names the truth.
    """
    called = changes.pop("called", f"{truth:+g}" if isinstance(truth, float) else truth)
    means = FAMILIES.get(str(truth)) or (MIXED_KINDS.get(str(truth)) or everywhere(float(truth)), *OTHERS)
    for k in ks:
        for tau, noise in at:
            yield Scenario(group, called, means, k, tau, noise, labels=tau in labels, **changes)


def scenarios() -> tuple[Scenario, ...]:
    """Every scenario of the calibration, in the order of the published table."""
    every, both, three = (6, 12), (6, 12), tuple(FAMILIES)[:3]
    grids = [_grid("family", truth, every, ((0.5, 3.0), (1.0, 1.0), (4.0, 1.0))) for truth in FAMILIES]
    grids += [_grid("family t3", truth, every, ((1.0, 1.0), (4.0, 1.0)), spread="t3") for truth in three]
    grids += [_grid("family correlated", truth, at=((2.0, 1.0),), correlation=0.7) for truth in three]
    grids += [
        _grid("family skewed", "all 0", both, ((1.0, 1.0), (2.0, 1.0), (4.0, 1.0)), spread="skew"),
        _grid("family skewed boundary", "all +1", at=((1.0, 1.0),), spread="skew-"),
        _grid("power", 3.0, at=((0.5, 2.0), (1.0, 2.0), (1.5, 2.0), (2.0, 2.0), (4.0, 2.0)), labels=(1.0, 2.0)),
        _grid("power", 5.0, at=((1.0, 2.0), (2.0, 2.0))),
        _grid("reversed", -3.0, at=((2.0, 1.0),)),
        _grid("reversed", -1.5, at=((1.0, 1.0),)),
        _grid("no effect", 0.0, at=((0.0, 2.0), (0.5, 1.0), (0.5, 2.0), (0.5, 3.0)), called="0"),
        _grid("no effect", 0.0, at=((1.0, 1.0), (2.0, 1.0)), labels=(1.0,), called="0"),
        _grid("near", 1.25, at=((0.5, 1.0), (1.0, 1.0))),
        _grid("near", -1.25, at=((0.5, 1.0), (1.0, 1.0))),
        _grid("near", "kinds +2/-2/0"),
        _grid("near", "kinds +2/0/0"),
        _grid("rare pocket", 0.0, called="15 % of datasets +8, rest 0", mixture=(0.15, 8.0), by_chance=True),
    ]
    for tau in (0.5, 1.0):
        grids.append(_grid("mixed kinds", "kinds +4/-4/0", at=((tau, 3.0),)))
        called = "datasets 70/30 +4/-4"
        grids.append(_grid("mixed datasets", 4.0, at=((tau, 3.0),), called=called, mixture=(0.3, -4.0)))
    grids += [
        _grid("placebo", 0.0, both, called="0, judged alone", control=True),
        _grid("placebo", 0.0, at=((0.5, 5.0),), called="0, judged alone", control=True),
        _grid("control", 5.0, (6,), ((1.0, 1.0),), called="+5, judged alone", control=True),
    ]
    for first, second in CONJUNCTIONS:
        called, labels = f"parts {first:+g} and {second:+g}", (1.0,) if first == second == 3 else ()
        parts = everywhere(float(second))
        grids.append(_grid("conjunction", float(first), at=((1.0, 1.0),), labels=labels, called=called, parts=parts))
    for mean, inactive in ((0.0, 0.1), (0.0, 0.8), (-3.0, 0.8), (3.0, 0.8)):
        called = f"{mean:+g}, L2 inactive on {100 * inactive:.0f} % of datasets"
        grids.append(_grid("gate", mean, called=called, inactive=inactive))
    for mean in (0.0, 1.0, 3.0):
        called = f"{mean:+g}, 5 % of runs and 15 % of datasets missing"
        grids.append(_grid("gaps", mean, (12,), ((1.0, 1.0),), (1.0,), called=called, missing=0.05, absent=0.15))
    return tuple(itertools.chain.from_iterable(grids))
