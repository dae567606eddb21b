"""Claims in situations on trial: whole studies like `full`, with the truth of every situation known.

Two claims as (g) and (h3) are: 20 situations each, which share one error rate, and the second claims the opposite of
the first about the same effects. Units of delta. The effect of a dataset in a situation is mean + tau (d + d') / √2:
d is of the dataset, so its effects in two situations correlate by one half, and d' is of the situation alone. Seeds add
noise, half of its variance shared by the situations of a dataset, and more of it on some datasets than on others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from l2audit.config import claims
from l2audit.config.claims import Claim, Constants, Headline, situation
from l2audit.judge import rule
from l2audit.judge.rule import HEADLINES, Case, families_of, headline, rows_of
from l2audit.judge.scores import scores
from l2audit.judge.statistics import Beyond, share_beyond
from l2audit.seeds import generator
from l2audit.trial.rates import DIRECTED, rate, wrong
from l2audit.trial.scenarios import SPREADS

FAMILIES = ("linear", "mlp-adam", "mlp-sgd", "conv5")
KINDS = {
    "label": (45, 4),
    "local-label": (45, 4),
    "target": (45, 3),
    "leverage-collinear": (25, 3),
    "leverage-other": (20, 3),
    "leverage-class": (45, 3),
}
"""Kind of contamination -> its datasets, and the number of model families that it is judged under."""
SEEDS, IMAGE_SETS, IMAGE_SEEDS = 5, 11, 3
"""Convolutional networks run on fewer datasets, with fewer seeds."""
SIDES = (1.0, -1.0)
"""What the effects are multiplied by for the two claims: the second claims the opposite of the first."""
UNEVEN = 0.4
"""SD over datasets of the logarithm of their seed noise."""


class Situation(NamedTuple):
    """A kind of contamination under a model family: where its datasets start, how many there are, and its seeds."""

    name: str
    start: int
    k: int
    seeds: int


def situations() -> tuple[Situation, ...]:
    """The situations of a study like `full`: kinds of one task share datasets, and those of two tasks do not."""
    start = {"target": 45, "leverage-collinear": 45, "leverage-other": 70}
    found = []
    for kind, (k, families) in KINDS.items():
        for arm in FAMILIES[:families]:
            images = arm == "conv5"
            at, n = (90, IMAGE_SETS) if images else (start.get(kind, 0), k)
            found.append(Situation(situation(kind, arm), at, n, IMAGE_SEEDS if images else SEEDS))
    return tuple(found)


SITUATIONS = situations()
DATASETS = 90 + IMAGE_SETS


@dataclass(frozen=True)
class InSituations:
    """One truth: the mean effect in each of `SITUATIONS`, the spread over datasets and the SD over seeds."""

    group: str
    truth: str
    means: tuple[float, ...]
    tau: float = 2.5
    noise: float = 2.0
    spread: str = "normal"

    @property
    def id(self) -> str:
        """What distinguishes this scenario: its seed is made of it."""
        return f"{self.group}: {self.truth}; tau={self.tau:g} s={self.noise:g} {self.spread}"


@dataclass(frozen=True)
class Share:
    """A truth for the share of datasets beyond delta: one row of k datasets, whose mean is `mean`."""

    k: int
    seeds: int
    mean: float
    tau: float
    noise: float = 2.0
    spread: str = "normal"

    @property
    def id(self) -> str:
        """What distinguishes this scenario: its seed is made of it."""
        return f"share: {self.mean:+g}; K={self.k} n={self.seeds} tau={self.tau:g} s={self.noise:g} {self.spread}"

    def truth(self, side: int) -> float:
        """The true share above +1 (side 1) or below -1 (side -1)."""
        edge = (side - self.mean) / self.tau if self.tau else np.copysign(np.inf, side - self.mean)
        tails = {
            "normal": stats.norm.sf,
            "t3": lambda z: stats.t.sf(z * np.sqrt(3.0), 3),
            "skew": lambda z: stats.expon.sf(z + 1.0),
        }
        above = float(tails[self.spread](edge))
        return above if side > 0 else 1.0 - above


def simulate(scenario: InSituations, studies: int, constants: Constants) -> list[Case]:
    """`studies` draws of a scenario as the cases of its two claims; their row "all" is a record, here without data."""
    rng = generator("calibration of situations", scenario.id)
    spread = SPREADS[scenario.spread]
    dataset = spread(rng, (studies, DATASETS))
    shared = rng.standard_normal((studies, DATASETS, SEEDS))
    size = scenario.noise * np.exp(UNEVEN * rng.standard_normal((studies, DATASETS)))
    rows: tuple[list[rule.ScoredRow], list[rule.ScoredRow]] = ([], [])
    for one, mean in zip(SITUATIONS, scenario.means, strict=True):
        here = slice(one.start, one.start + one.k)
        effect = mean + scenario.tau * np.sqrt(0.5) * (dataset[:, here] + spread(rng, (studies, one.k)))
        seeds = shared[:, here, : one.seeds] + rng.standard_normal((studies, one.k, one.seeds))
        u = effect[..., None] + size[:, here, None] * np.sqrt(0.5) * seeds
        for side, claimed in zip(SIDES, rows, strict=True):
            cells = side * u[:, :, None, None, None, :]
            planned = np.full(cells.shape[1:-1], one.seeds)
            claimed.extend(rows_of([scores(cells, np.ones_like(cells), planned, constants)], 1))
    nothing = rule.ScoredRow(*(np.full((studies, 1, 1, 1)[: 3 + last], np.nan) for last in (0, 1, 0)))
    names = tuple(one.name for one in SITUATIONS)
    each = {one.name: tuple(one.name.split("/")[1:]) for one in SITUATIONS}
    cases = []
    for claim, own in zip(("g", "h3"), rows, strict=True):
        said = Claim(claim, "", "claims", (), strata=names, situations=each, multiplicity="situations")
        cases.append(Case((nothing, *own), tuple(families_of(said))))
    return cases


def run(scenario: InSituations, studies: int, constants: Constants) -> dict[str, Any]:
    """The rates of one scenario: of any wrong verdict over all situations, and of each headline of the first claim."""
    decision = rule.decide(simulate(scenario, studies, constants), constants)
    wrongs = {"wrong_in_situations": DIRECTED, "wrong_or_null_in_situations": (*DIRECTED, rule.NEGLIGIBLE)}
    hits = {name: np.zeros(studies, dtype=bool) for name in wrongs}
    for verdicts, side in zip(decision.verdicts, SIDES, strict=True):
        for code, mean in zip(verdicts[1:], scenario.means, strict=True):
            for name, among in wrongs.items():
                hits[name] |= wrong(code, [side * mean], among)
    found = headline(np.stack(decision.verdicts[0][1:]), Headline().share)
    return {
        **_named(scenario, studies),
        "group": scenario.group,
        "truth": scenario.truth,
        "K": max(one.k for one in SITUATIONS),
        **{name: rate(of_studies, studies) for name, of_studies in hits.items()},
        "headline": {name: rate(found == code, studies) for code, name in enumerate(HEADLINES)},
        "depends": rate(found == HEADLINES.index(claims.DEPENDS), studies),
    }


def _named(scenario: InSituations | Share, studies: int) -> dict[str, Any]:
    return {
        "scenario": scenario.id,
        "tau": scenario.tau,
        "seed_noise": scenario.noise,
        "spread": scenario.spread,
        "studies": studies,
    }


CHUNK = 250
"""Studies whose intervals are computed at a time: a draw takes 8 bytes, and a share 999 of them."""


def run_share(scenario: Share, studies: int) -> dict[str, Any]:
    """How often the interval of a share of datasets holds the true share, above delta and below it."""
    rng = generator("calibration of shares", scenario.id)
    shape = (studies, scenario.k)
    effect = scenario.mean + scenario.tau * SPREADS[scenario.spread](rng, shape)
    size = scenario.noise * np.exp(UNEVEN * rng.standard_normal(shape))
    series = effect[..., None] + size[..., None] * rng.standard_normal((*shape, scenario.seeds))
    each = [share_beyond(some.mean(axis=-1), some) for some in np.split(series, range(CHUNK, studies, CHUNK))]
    found = Beyond(*(np.concatenate(some) for some in zip(*each, strict=True)))
    truths = scenario.truth(1), scenario.truth(-1)
    inside = [
        (low - RESOLUTION <= truth) & (truth <= high + RESOLUTION)
        for truth, low, high in zip(
            truths, (found.above_low, found.below_low), (found.above_high, found.below_high), strict=True
        )
    ]
    return {
        **_named(scenario, studies),
        "group": f"share {scenario.spread}{'' if all(0.01 <= one <= 0.99 for one in truths) else ', near 0 or 1'}",
        "truth": f"{scenario.mean:+g}",
        "K": scenario.k,
        "seeds": scenario.seeds,
        "shares": {
            side: {
                "true": round(truth, 6),
                "estimate": round(float(estimate.mean()), 6),
                "width": round(float((high - low).mean()), 6),
                "covered": rate(held, studies),
            }
            for side, truth, held, estimate, low, high in (
                ("above", truths[0], inside[0], *found[:3]),
                ("below", truths[1], inside[1], *found[3:]),
            )
        },
        "covered": rate(np.concatenate(inside), 2 * studies),
    }


RESOLUTION = 0.005
"""Shares are printed in whole per cent: an end that misses the truth by less prints the same."""


def _same(mean: float) -> tuple[float, ...]:
    return (mean,) * len(SITUATIONS)


def _some(found: Mapping[str, float], others: float = 0.0) -> tuple[float, ...]:
    """The means of the situations named, and those of all others."""
    return tuple(found.get(one.name, others) for one in SITUATIONS)


def _alternating(first: float, second: float) -> tuple[float, ...]:
    return tuple((first, second)[place % 2] for place in range(len(SITUATIONS)))


TRUTHS: dict[str, tuple[float, ...]] = {
    "all 0": _same(0.0),
    "all +1": _same(1.0),
    "all -1": _same(-1.0),
    "half +1, half -1": _alternating(1.0, -1.0),
    "half +1, half 0": _alternating(1.0, 0.0),
    "half +1, half -3": _alternating(1.0, -3.0),
    "half +3, half -1": _alternating(3.0, -1.0),
    "all +3": _same(3.0),
    "all -3": _same(-3.0),
}
TWO: dict[str, tuple[float, ...]] = {
    "two kinds": _some({"label/linear": 3.0, "target/linear": -3.0}),
    "two families": _some({"label/linear": 3.0, "label/mlp-adam": -3.0}),
}
"""Two situations at +3 and -3, all others at 0: kinds of two tasks, or families on the same datasets."""
SHARES = ((0.0, 0.0), (0.0, 0.5), (0.0, 1.0), (2.0, 1.0), (3.0, 2.5), (-6.0, 5.0))
"""Mean and spread of the truths for which the share of datasets beyond delta is estimated."""


def scenarios() -> tuple[InSituations, ...]:
    """Every scenario of situations, in the order of the published table."""
    found = [InSituations("situations", *truth, tau) for truth in TRUTHS.items() for tau in (1.0, 2.5, 4.0)]
    first, *boundary = tuple(TRUTHS.items())[:4]
    found += [InSituations("situations t3", *truth, spread="t3") for truth in (first, *boundary)]
    skewed = ("skew", "skew-")
    found += [InSituations("situations skewed at 0", *first, spread=spread) for spread in skewed]
    found += [InSituations("situations skewed", *truth, spread=spread) for truth in boundary for spread in skewed]
    every = ((1.0, 2.0), (2.5, 1.0), (2.5, 2.0), (4.0, 2.0))
    return tuple(found + [InSituations("two situations", *truth, *one) for truth in TWO.items() for one in every])


def shares() -> tuple[Share, ...]:
    """Every scenario of the share of datasets: as many datasets and seeds as rows of `full` have, and all together."""
    sizes = ((45, SEEDS), (20, SEEDS), (IMAGE_SETS, IMAGE_SEEDS), (90, SEEDS))
    normal = [Share(k, seeds, mean, tau) for k, seeds in sizes for mean, tau in SHARES]
    others = [Share(45, SEEDS, mean, tau, spread=s) for s in ("t3", "skew") for mean, tau in SHARES if tau > 1]
    return (*normal, *others)
