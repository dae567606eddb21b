"""Studies of known truth: the generator with which the judge is put on trial, and the scenarios of docs/statistics.md.

Units of delta. A dataset's effect is mean + tau (d + 0.4 d_kind + 0.2 d_architecture); its seeds add noise of SD s,
half of its variance shared by all cells of one seed. Ten seeds, two architectures, three kinds (= strata), one level
each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from l2audit.config.claims import Constants
from l2audit.effects.grid import Array
from l2audit.judge.rule import Case, rows_of
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
    common = SPREADS[scenario.spread](generator("calibration", scenario.id, "common"), (studies, scenario.k))
    active = _active(scenario, studies)
    cases, target = [], []
    for claim, means in enumerate(scenario.means):
        rng = generator("calibration", scenario.id, claim)
        own = _correlated(scenario, rng, common, scenario.correlation)
        parts = [means] if claim or scenario.parts is None else [means, scenario.parts]
        scored = []
        for part, centre in enumerate(parts):
            d = own if part == 0 else _correlated(scenario, rng, own, PART_CORRELATION)
            u = _draw(scenario, rng, d, np.asarray(centre), mixed=claim == 0)
            if claim == 0:
                u = _with_gaps(scenario, rng, u)
            planned = np.ones(u.shape[1:-1], dtype=bool)
            scored.append(scores(u, np.broadcast_to(active, u.shape), planned, constants))
        if claim == 0:
            target = scored
        family = "control" if scenario.control and claim == 0 else "claims"
        cases.append(Case(str(claim), family, rows_of(scored, KINDS)))
    return cases, target


def _correlated(scenario: Scenario, rng: np.random.Generator, common: Array, correlation: float) -> Array:
    fresh = SPREADS[scenario.spread](rng, common.shape)
    mixed: Array = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * fresh
    return mixed


def _draw(scenario: Scenario, rng: np.random.Generator, d: Array, centre: Array, *, mixed: bool) -> Array:
    """(B, K, kinds, architectures, 1, seeds) of theta / delta."""
    studies, k = d.shape
    mean = np.broadcast_to(centre, (studies, k, KINDS))
    if mixed and scenario.mixture is not None:
        share, value = scenario.mixture
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


def _active(scenario: Scenario, studies: int) -> Array:
    if not scenario.inactive:
        return np.ones((1, 1, 1, 1, 1, 1))
    rng = generator("calibration", scenario.id, "active")
    return (rng.random((studies, scenario.k, 1, 1, 1, 1)) >= scenario.inactive).astype(float)


def _with_gaps(scenario: Scenario, rng: np.random.Generator, u: Array) -> Array:
    if scenario.missing:
        u = np.where(rng.random(u.shape) < scenario.missing, np.nan, u)
    if scenario.absent:
        u = np.where(rng.random((*u.shape[:2], 1, 1, 1, 1)) < scenario.absent, np.nan, u)
    return u


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


def _target(group: str, truth: str, means: Means, **changes: object) -> Scenario:
    return replace(Scenario(group, truth, (means, *OTHERS)), **changes)  # type: ignore[arg-type]


def _families() -> Iterator[Scenario]:
    for truth, means in FAMILIES.items():
        for k in (6, 12, 18):
            for tau, noise in ((0.5, 3.0), (1.0, 1.0), (4.0, 1.0)):
                yield Scenario("family", truth, means, k, tau, noise)
    for truth in ("all 0", "all +1", "all -1"):
        for k in (6, 12, 18):
            for tau in (1.0, 4.0):
                yield Scenario("family t3", truth, FAMILIES[truth], k, tau, 1.0, spread="t3")
    for truth in ("all 0", "all +1", "all -1"):
        yield Scenario("family correlated", truth, FAMILIES[truth], 12, 2.0, 1.0, correlation=0.7)
    for k in (6, 12):
        for tau in (1.0, 2.0, 4.0):
            yield Scenario("family skewed", "all 0", FAMILIES["all 0"], k, tau, 1.0, spread="skew")
    yield Scenario("family skewed boundary", "all +1", FAMILIES["all +1"], 12, 1.0, 1.0, spread="skew-")


def _powers() -> Iterator[Scenario]:
    for tau in (0.5, 1.0, 1.5, 2.0, 4.0):
        yield _target("power", "+3", everywhere(3.0), tau=tau, noise=2.0, labels=tau in (1.0, 2.0))
    for tau in (1.0, 2.0):
        yield _target("power", "+5", everywhere(5.0), tau=tau, noise=2.0)
    yield _target("reversed", "-3", everywhere(-3.0), tau=2.0)
    yield _target("reversed", "-1.5", everywhere(-1.5), tau=1.0)
    for tau, noise in ((0.0, 2.0), (0.5, 1.0), (0.5, 2.0), (0.5, 3.0), (1.0, 1.0), (2.0, 1.0)):
        yield _target("no effect", "0", everywhere(0.0), tau=tau, noise=noise, labels=tau == 1.0)
    for mean in (1.25, -1.25):
        for tau in (0.5, 1.0):
            yield _target("near", f"{mean:+g}", everywhere(mean), tau=tau)
    yield _target("near", "kinds +2/-2/0", (2.0, -2.0, 0.0), tau=0.5)
    yield _target("near", "kinds +2/0/0", (2.0, 0.0, 0.0), tau=0.5)
    yield _target("rare pocket", "15 % of datasets +8, rest 0", everywhere(0.0), mixture=(0.15, 8.0), by_chance=True)


def _mixtures() -> Iterator[Scenario]:
    for tau in (0.5, 1.0):
        yield _target("mixed kinds", "kinds +4/-4/0", (4.0, -4.0, 0.0), tau=tau, noise=3.0)
        yield _target(
            "mixed datasets", "datasets 70/30 +4/-4", everywhere(4.0), tau=tau, noise=3.0, mixture=(0.3, -4.0)
        )


def _controls() -> Iterator[Scenario]:
    for k, noise in ((6, 1.0), (12, 1.0), (12, 5.0)):
        yield _target("placebo", "0, judged alone", everywhere(0.0), k=k, tau=0.5, noise=noise, control=True)
    yield _target("control", "+5, judged alone", everywhere(5.0), k=6, tau=1.0, control=True)


def _conjunctions() -> Iterator[Scenario]:
    for first, second in (
        (3.0, 3.0),
        (3.0, -3.0),
        (3.0, 0.0),
        (-3.0, -3.0),
        (0.0, 0.0),
        (1.0, 1.0),
        (1.0, 5.0),
        (-1.0, -5.0),
    ):
        yield _target(
            "conjunction",
            f"parts {first:+g} and {second:+g}",
            everywhere(first),
            parts=everywhere(second),
            tau=1.0,
            labels=(first, second) == (3.0, 3.0),
        )


def _gates_and_gaps() -> Iterator[Scenario]:
    for mean, inactive in ((0.0, 0.1), (0.0, 0.8), (-3.0, 0.8), (3.0, 0.8)):
        truth = f"{mean:+g}, L2 inactive on {100 * inactive:.0f} % of datasets"
        yield _target("gate", truth, everywhere(mean), inactive=inactive)
    for mean in (0.0, 1.0, 3.0):
        truth = f"{mean:+g}, 5 % of runs and 15 % of datasets missing"
        yield _target("gaps", truth, everywhere(mean), tau=1.0, missing=0.05, absent=0.15, labels=True)


def scenarios() -> tuple[Scenario, ...]:
    """Every scenario of the calibration, in the order of the published table."""
    return (*_families(), *_powers(), *_mixtures(), *_controls(), *_conjunctions(), *_gates_and_gaps())
