"""The judge on trial: how often each verdict is returned when the truth is known, against targets set beforehand.

`python -m l2audit.trial.calibration --studies 2000 --out calibration.json` runs every scenario through the rule that
judges the real study: conjunctions, gate and labels (`l2audit.trial.scenarios`), claims in situations and the interval
of a share of datasets (`l2audit.trial.situations`). The table carries the SHA-256 of the judging code, as the
provenance of a study does: a trial speaks of no other judge.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from l2audit.config.claims import Constants
from l2audit.files import write_text
from l2audit.judge import rule
from l2audit.judge.rule import NEGATIVE, VERDICT_CODES, Decision
from l2audit.judge.scores import Scores
from l2audit.pipeline.fingerprints import code_hash
from l2audit.trial import situations
from l2audit.trial.rates import DIRECTED, rate, wrong
from l2audit.trial.scenarios import KINDS, Scenario, scenarios, simulate
from l2audit.wording.tables import text_table

STUDIES = 2000
SHARES_FEWER = 2
"""One study in so many serves the intervals of shares: each costs as much as a whole claim, and counts on two sides."""

JUDGE = "judge"
"""The stage of the workflow whose code is on trial."""


def _truths(scenario: Scenario, claim: int) -> list[list[float]]:
    """Per row, "all" first: the means of the claim's parts."""
    parts = [scenario.means[claim]]
    if claim == 0 and scenario.parts is not None:
        parts.append(scenario.parts)
    if claim == 0 and scenario.mixture is not None:
        share, value = scenario.mixture
        parts = [tuple((1 - share) * mean + share * value for mean in part) for part in parts]
    return [[float(np.mean(part)) for part in parts], *([part[s] for part in parts] for s in range(KINDS))]


IN_FAMILY = ("wrong_in_family", "wrong_in_kinds", "wrong_or_null_in_family", "mixed_in_family")


def run(scenario: Scenario, studies: int, constants: Constants) -> dict[str, Any]:
    """One scenario: rates of the target's verdicts, of any wrong verdict in the family, and of the labels if asked."""
    cases, target = simulate(scenario, studies, constants)
    decision = rule.decide(cases, constants)
    errors = {name: np.zeros(studies, dtype=bool) for name in IN_FAMILY}
    for claim, (verdict, *by_kind) in enumerate(decision.verdicts):
        truth, *truth_by_kind = _truths(scenario, claim)
        errors["wrong_in_family"] |= wrong(verdict, truth, DIRECTED)
        errors["wrong_or_null_in_family"] |= wrong(verdict, truth)
        for one, means in zip(by_kind, truth_by_kind, strict=True):
            errors["wrong_in_kinds"] |= wrong(one, means, DIRECTED)
        errors["mixed_in_family"] |= verdict == rule.MIXED
    first = decision.verdicts[0][0]
    return {
        "scenario": scenario.id,
        "group": scenario.group,
        "truth": scenario.truth,
        "K": scenario.k,
        "tau": scenario.tau,
        "seed_noise": scenario.noise,
        "spread": scenario.spread,
        "parts": 1 if scenario.parts is None else 2,
        "claims": len(cases),
        "studies": studies,
        "rates": {name: rate(first == code, studies) for code, name in enumerate(VERDICT_CODES)},
        "wrong_claim": rate(wrong(first, _truths(scenario, 0)[0]), studies),
        **{name: rate(hits, studies) for name, hits in errors.items()},
        "labels": _labels(decision, target, scenario, constants) if scenario.labels else {},
    }


def _labels(decision: Decision, target: Sequence[Scores], scenario: Scenario, constants: Constants) -> dict[str, Any]:
    """How often each label of step 9 is attached to the target's verdict."""
    first = decision.verdicts[0][0]
    planned = [np.ones((1, scenario.k, KINDS), dtype=bool)] * len(target)
    zeros = rule.with_zeros(decision.cases[0].rows, target, planned)
    with_zeros = rule.redecide(decision, 0, zeros, np.arange(len(first)), constants)[0]
    alone = rule.alone(decision.tests[0][0], constants.alpha)
    found = {
        "rests on a dataset": np.asarray(rule.rests_on(decision, 0, constants)[0].any(axis=-1)),
        "depends on excluded runs": with_zeros != first,
        "would be decided as the only claim": (first == rule.INCONCLUSIVE)
        & ~np.isin(alone, (rule.INCONCLUSIVE, rule.INACTIVE)),
    }
    return {label: rate(hits, len(first)) for label, hits in found.items()}


Rates = Mapping[str, Any]
"""A scenario with its rates, as `run` returns it."""


@dataclass(frozen=True)
class Demand:
    """A demand on the rates of some scenarios: at most (errors) or at least (power) `limit`.

    It is missed when the whole 95 % interval of a rate lies on the wrong side.

    of        a field of `run` with a rate, or verdicts, whose rates add
    groups    of scenarios that it applies to; where they say so of one truth; tau and seed noise at most
    """

    name: str
    limit: float
    at_most: bool
    of: str | tuple[int, ...]
    groups: tuple[str, ...]
    truth: str = ""
    tau: tuple[float, float] = (0.0, math.inf)
    seed_noise: float = math.inf

    def applies(self, row: Rates) -> bool:
        """Whether the demand concerns a scenario."""
        named = row["group"] in self.groups and row["truth"].endswith(self.truth)
        return named and self.tau[0] <= row["tau"] <= self.tau[1] and row["seed_noise"] <= self.seed_noise

    def value(self, row: Rates) -> dict[str, float]:
        """The rate of a scenario that the demand is about; verdicts exclude each other, so their counts add."""
        if isinstance(self.of, str):
            found: dict[str, float] = row[self.of]
            return found
        counts = (row["rates"][VERDICT_CODES[code]]["rate"] * row["studies"] for code in self.of)
        return rate(sum(map(round, counts)), row["studies"])

    def holds(self, row: Rates) -> bool:
        """Whether one scenario is compatible with the demand."""
        found = self.value(row)
        return found["low"] <= self.limit if self.at_most else found["high"] >= self.limit


IN_SITUATIONS = ("situations", "situations t3")
FAMILY = ("family", "family t3", "family correlated")
SKEWED = ("family skewed", "family skewed boundary")
SKEWED_SITUATIONS = ("situations skewed at 0", "situations skewed")
SUPPORT, NULL, MIXED = (rule.SUPPORTED,), (rule.NEGLIGIBLE,), (rule.MIXED,)
DIRECTIONS = (rule.SUPPORTED, rule.REVERSED)
MOST, LEAST = True, False
TARGETS = (
    Demand("1 any wrong verdict in nine claims", 0.05, MOST, "wrong_in_family", FAMILY),
    Demand("1 any wrong verdict in their kinds", 0.05, MOST, "wrong_in_kinds", FAMILY),
    Demand("1 the same at 0, skewed spread", 0.07, MOST, "wrong_in_family", ("family skewed",)),
    Demand("1 a wrong verdict on a conjunction", 0.05, MOST, "wrong_claim", ("conjunction",)),
    Demand("1 a wrong verdict with gaps", 0.05, MOST, "wrong_claim", ("gaps",)),
    Demand("2 supported at +3, tau <= 1", 0.90, LEAST, SUPPORT, ("power",), "+3", (0.0, 1.0)),
    Demand("2 supported at +3, tau = 1.5", 0.80, LEAST, SUPPORT, ("power",), "+3", (1.5, 1.5)),
    Demand("2 supported at +5, tau <= 2", 0.90, LEAST, SUPPORT, ("power",), "+5"),
    Demand("3 no meaningful effect where one is near", 0.05, MOST, NULL, ("near",)),
    Demand("4 no meaningful effect at 0, tau <= 0.5, s <= 2", 0.90, LEAST, NULL, ("no effect",), "", (0.0, 0.5), 2.0),
    Demand("5 mixed at kinds +4/-4", 0.95, LEAST, MIXED, ("mixed kinds",)),
    Demand("5 mixed at datasets 70/30", 0.60, LEAST, MIXED, ("mixed datasets",)),
    Demand("5 any false mixed, tau <= 1", 0.05, MOST, "mixed_in_family", FAMILY + SKEWED, "", (0.0, 1.0)),
    Demand("6 placebo supported or reversed", 0.0, MOST, DIRECTIONS, ("placebo",)),
    Demand("7 a negative verdict while L2 is inactive", 0.05, MOST, NEGATIVE, ("gate",), "80 % of datasets"),
    Demand("8 any wrong verdict in 40 situations", 0.05, MOST, "wrong_in_situations", IN_SITUATIONS),
    Demand("8 the same at 0, skewed spread", 0.07, MOST, "wrong_in_situations", ("situations skewed at 0",)),
    Demand("9 a false `depends`", 0.05, MOST, "depends", (*IN_SITUATIONS, *SKEWED_SITUATIONS)),
    Demand("9 `depends` found at +3 and -3, tau <= 2.5", 0.90, LEAST, "depends", ("two situations",), "", (0.0, 2.5)),
    Demand(
        "10 the interval of a share holds it", 0.93, LEAST, "covered", ("share normal", "share normal, near 0 or 1")
    ),
    Demand("10 the same, not more often than it says", 0.97, MOST, "covered", ("share normal",)),
)


def check_targets(rows: Sequence[Rates]) -> list[dict[str, Any]]:
    """Each target over the scenarios it applies to: the worst rate, and whether the demand is met in all of them."""
    found = []
    for target in TARGETS:
        concerned = [row for row in rows if target.applies(row)]
        if concerned:
            worst = (max if target.at_most else min)(concerned, key=lambda row: target.value(row)["rate"])
            found.append(
                {
                    "target": target.name,
                    "demand": "at most" if target.at_most else "at least",
                    "limit": target.limit,
                    "scenarios": len(concerned),
                    "worst": target.value(worst),
                    "worst_scenario": worst["scenario"],
                    "met": all(target.holds(row) for row in concerned),
                }
            )
    return found


def report(found: Mapping[str, Any]) -> str:
    """The targets as text."""
    rows = []
    for row in found["targets"]:
        worst, low, high = (f"{100 * row['worst'][key]:.1f}" for key in ("rate", "low", "high"))
        demand = f"{row['demand']} {100 * row['limit']:g} %"
        rows.append([row["target"], demand, f"{worst} [{low}, {high}]", "yes" if row["met"] else "NO"])
    return text_table(rows, ["target", "demand", "worst rate [95 %]", "met"])


def reported(found: Mapping[str, Any]) -> str:
    """Claims in situations and shares of datasets, scenario by scenario, as text; rates in per cent."""

    def percent(rates: Mapping[str, float]) -> str:
        return f"{100 * rates['rate']:.1f}"

    rows = [
        [row["scenario"], percent(row["wrong_in_situations"]), percent(row["wrong_or_null_in_situations"])]
        + [percent(row["headline"][name]) for name in rule.HEADLINES]
        for row in found["situations"]
    ]
    head = ["scenario", "wrong", "or no effect", *rule.HEADLINES]
    sides = [
        [
            row["scenario"],
            side,
            *(f"{100 * one[key]:.1f}" for key in ("true", "estimate", "width")),
            percent(one["covered"]),
        ]
        for row in found["shares"]
        for side, one in row["shares"].items()
    ]
    columns = ["scenario", "side", "true share", "estimate", "width", "covered"]
    return f"{text_table(rows, head)}\n\n{text_table(sides, columns)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the calibration, print the targets, write the table with `judge_sha256`; 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m l2audit.trial.calibration", description="Put the judge on trial.")
    parser.add_argument("--studies", type=int, default=STUDIES, help="per scenario (default %(default)s)")
    parser.add_argument("--out", required=True, help="where to write the table, JSON")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of the repository (default: here)")
    options = parser.parse_args(arguments)
    if not (options.root / "scripts" / f"{JUDGE}.py").exists():
        parser.error("this is not the folder of the repository: go there, or give --root")
    rows = [run(scenario, options.studies, Constants()) for scenario in scenarios()]
    in_situations = [situations.run(one, options.studies, Constants()) for one in situations.scenarios()]
    shares = [situations.run_share(one, max(options.studies // SHARES_FEWER, 1)) for one in situations.shares()]
    found = {
        "judge_sha256": code_hash(options.root, JUDGE),
        "studies": options.studies,
        "targets": check_targets([*rows, *in_situations, *shares]),
        "scenarios": rows,
        "situations": in_situations,
        "shares": shares,
    }
    write_text(options.out, json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(report(found))
    print(f"\n{reported(found)}")
    return 0 if all(target["met"] for target in found["targets"]) else 1


if __name__ == "__main__":
    sys.exit(main())
