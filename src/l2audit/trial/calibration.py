"""The judge on trial: how often each verdict is returned when the truth is known, against targets set beforehand.

`python -m l2audit.trial.calibration --studies 2000 --out calibration.json` runs every scenario through the rule that
judges the real study, conjunctions, gate and labels included. The table carries the SHA-256 of the judging code, as the
provenance of a study does: a trial speaks of no other judge.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from l2audit.config.claims import Constants
from l2audit.effects.grid import Mask
from l2audit.files import write_text
from l2audit.judge import rule
from l2audit.judge.rule import VERDICT_CODES, Codes, Decision
from l2audit.judge.scores import Scores
from l2audit.pipeline.fingerprints import code_hash
from l2audit.trial.scenarios import KINDS, Scenario, scenarios, simulate

STUDIES = 2000

JUDGE = "judge"
"""The stage of the workflow whose code is on trial."""


def rate(hits: Mask | int, studies: int | None = None) -> dict[str, float]:
    """A share with its exact 95 % interval (Clopper & Pearson 1934)."""
    count, n = (int(np.sum(hits)), len(hits)) if isinstance(hits, np.ndarray) else (int(hits), int(studies or 0))
    low = float(special.betaincinv(count, n - count + 1, 0.025)) if count else 0.0
    high = float(special.betaincinv(count + 1, n - count, 0.975)) if count < n else 1.0
    return {"rate": count / n, "low": round(low, 6), "high": round(high, 6)}


DIRECTED = (rule.SUPPORTED, rule.REVERSED, rule.EXCLUDED)
"""The verdicts whose family-wise error the rule controls; "no meaningful effect" has a target of its own."""


def wrong(verdict: Codes, means: Sequence[float], among: Sequence[int] = (*DIRECTED, rule.NEGLIGIBLE)) -> Mask:
    """Whether verdicts of one row contradict its truth, the mean of each of its parts; only verdicts in `among` count.

    Supported needs every mean above 1, reversed every mean below -1, no meaningful effect every mean within; exclusion
    needs one mean below 1. A truth on the boundary makes either neighbour wrong. Mixed and inconclusive are never wrong
    here: "mixed" is a statement about these datasets and has a rate of its own.
    """
    mean = np.asarray(means)
    false = {
        rule.SUPPORTED: not (mean > 1).all(),
        rule.REVERSED: not (mean < -1).all(),
        rule.NEGLIGIBLE: not (np.abs(mean) < 1).all(),
        rule.EXCLUDED: not (mean < 1).any(),
    }
    return np.isin(verdict, [code for code in among if false[code]])


def _truths(scenario: Scenario, claim: int) -> list[list[float]]:
    """Per row, "all" first: the means of the claim's parts."""
    parts = [scenario.means[claim]]
    if claim == 0 and scenario.parts is not None:
        parts.append(scenario.parts)
    if claim == 0 and scenario.mixture is not None:
        share, value = scenario.mixture
        parts = [tuple((1 - share) * mean + share * value for mean in part) for part in parts]
    return [[float(np.mean(part)) for part in parts], *([part[s] for part in parts] for s in range(KINDS))]


def run(scenario: Scenario, studies: int, constants: Constants) -> dict[str, Any]:
    """One scenario: rates of the target's verdicts, of any wrong verdict in the family, and of the labels if asked."""
    cases, target = simulate(scenario, studies, constants)
    decision = rule.decide(cases, constants)
    errors, kinds_errors, any_errors, mixed = (np.zeros(studies, dtype=bool) for _ in range(4))
    for claim, verdicts in enumerate(decision.verdicts):
        truths = _truths(scenario, claim)
        errors |= wrong(verdicts[0], truths[0], DIRECTED)
        any_errors |= wrong(verdicts[0], truths[0])
        for row in range(1, len(truths)):
            kinds_errors |= wrong(verdicts[row], truths[row], DIRECTED)
        mixed |= verdicts[0] == rule.MIXED
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
        "rates": {name: rate(first == code) for code, name in enumerate(VERDICT_CODES)},
        "wrong_claim": rate(wrong(first, _truths(scenario, 0)[0])),
        "wrong_in_family": rate(errors),
        "wrong_in_kinds": rate(kinds_errors),
        "wrong_or_null_in_family": rate(any_errors),
        "mixed_in_family": rate(mixed),
        "labels": _labels(decision, target, scenario, constants) if scenario.labels else {},
    }


def _labels(decision: Decision, target: Sequence[Scores], scenario: Scenario, constants: Constants) -> dict[str, Any]:
    """How often each label of step 9 is attached to the target's verdict."""
    first = decision.verdicts[0][0]
    studies = np.arange(len(first))
    planned = [np.ones((1, scenario.k, KINDS), dtype=bool)] * len(target)
    zeros = rule.with_zeros(decision.cases[0].rows, target, planned)
    alone = rule.alone(decision.tests[0][0], constants.alpha)
    return {
        "rests on a dataset": rate(np.asarray(rule.rests_on(decision, 0, constants)[0].any(axis=-1))),
        "depends on excluded runs": rate(rule.redecide(decision, 0, zeros, studies, constants)[0] != first),
        "would be decided as the only claim": rate(
            (first == rule.INCONCLUSIVE) & ~np.isin(alone, (rule.INCONCLUSIVE, rule.INACTIVE))
        ),
    }


Row = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """A demand on the rates of some scenarios: at most (errors) or at least (power) `limit`.

    It is missed when the whole 95 % interval of a rate lies on the wrong side.
    """

    name: str
    limit: float
    at_most: bool
    applies: Callable[[Row], bool]
    value: Callable[[Row], dict[str, float]]

    def holds(self, row: Row) -> bool:
        """Whether one scenario is compatible with the demand."""
        found = self.value(row)
        return found["low"] <= self.limit if self.at_most else found["high"] >= self.limit


def _verdict(*codes: int) -> Callable[[Row], dict[str, float]]:
    """The rate of any of some verdicts: they exclude each other, so their counts add."""

    def value(row: Row) -> dict[str, float]:
        count = sum(round(row["rates"][VERDICT_CODES[code]]["rate"] * row["studies"]) for code in codes)
        return rate(count, row["studies"])

    return value


def _of(group: str, **wanted: Any) -> Callable[[Row], bool]:
    return lambda row: row["group"] == group and all(row[key] == value for key, value in wanted.items())


def _field(name: str) -> Callable[[Row], dict[str, float]]:
    def value(row: Row) -> dict[str, float]:
        found: dict[str, float] = row[name]
        return found

    return value


ERRORS = ("family", "family t3", "family correlated")
TARGETS = (
    Target("1 any wrong verdict in nine claims", 0.05, True, lambda r: r["group"] in ERRORS, _field("wrong_in_family")),
    Target("1 any wrong verdict in their kinds", 0.05, True, lambda r: r["group"] in ERRORS, _field("wrong_in_kinds")),
    Target("1 the same at 0, skewed spread", 0.07, True, _of("family skewed"), _field("wrong_in_family")),
    Target("1 a wrong verdict on a conjunction", 0.05, True, _of("conjunction"), _field("wrong_claim")),
    Target("1 a wrong verdict with gaps", 0.05, True, _of("gaps"), _field("wrong_claim")),
    Target(
        "2 supported at +3, tau <= 1",
        0.90,
        False,
        lambda r: _of("power", truth="+3")(r) and r["tau"] <= 1,
        _verdict(rule.SUPPORTED),
    ),
    Target("2 supported at +3, tau = 1.5", 0.80, False, _of("power", truth="+3", tau=1.5), _verdict(rule.SUPPORTED)),
    Target("2 supported at +5, tau <= 2", 0.90, False, _of("power", truth="+5"), _verdict(rule.SUPPORTED)),
    Target("3 no meaningful effect where one is near", 0.05, True, _of("near"), _verdict(rule.NEGLIGIBLE)),
    Target(
        "4 no meaningful effect at 0, tau <= 0.5, s <= 2",
        0.90,
        False,
        lambda r: _of("no effect")(r) and r["tau"] <= 0.5 and r["seed_noise"] <= 2,
        _verdict(rule.NEGLIGIBLE),
    ),
    Target("5 mixed at kinds +4/-4", 0.95, False, _of("mixed kinds"), _verdict(rule.MIXED)),
    Target("5 mixed at datasets 70/30", 0.60, False, _of("mixed datasets"), _verdict(rule.MIXED)),
    Target(
        "5 any false mixed, tau <= 1",
        0.05,
        True,
        lambda r: r["group"].startswith("family") and r["tau"] <= 1,
        _field("mixed_in_family"),
    ),
    Target("6 placebo supported or reversed", 0.0, True, _of("placebo"), _verdict(rule.SUPPORTED, rule.REVERSED)),
    Target(
        "7 a negative verdict while L2 is inactive",
        0.05,
        True,
        lambda r: r["group"] == "gate" and "80 %" in r["truth"],
        _verdict(rule.REVERSED, rule.EXCLUDED, rule.NEGLIGIBLE),
    ),
)


def evaluate(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Each target over the scenarios it applies to: the worst rate, and whether the demand is met in all of them."""
    found = []
    for target in TARGETS:
        concerned = [row for row in rows if target.applies(row)]
        if not concerned:
            continue
        worst = sorted(concerned, key=lambda row: target.value(row)["rate"], reverse=target.at_most)[0]
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


def calibrate(studies: int = STUDIES, constants: Constants | None = None) -> dict[str, Any]:
    """Every scenario, `studies` simulated studies each, and the targets."""
    rows = [run(scenario, studies, constants or Constants()) for scenario in scenarios()]
    return {"studies": studies, "targets": evaluate(rows), "scenarios": rows}


def report(found: Mapping[str, Any]) -> str:
    """The targets as text."""
    lines = [f"{'target':<52} {'demand':>14} {'worst rate [95 %]':>22}  met"]
    for row in found["targets"]:
        worst = f"{100 * row['worst']['rate']:.1f} [{100 * row['worst']['low']:.1f}, {100 * row['worst']['high']:.1f}]"
        demand = f"{row['demand']} {100 * row['limit']:g} %"
        lines.append(f"{row['target']:<52} {demand:>14} {worst:>22}  {'yes' if row['met'] else 'NO'}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the calibration, print the targets, write the table with `judge_sha256`; 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m l2audit.trial.calibration", description="Put the judge on trial.")
    parser.add_argument("--studies", type=int, default=STUDIES, help="per scenario (default %(default)s)")
    parser.add_argument("--out", required=True, help="where to write the table, JSON")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of the repository (default: here)")
    options = parser.parse_args(arguments)
    if not (options.root / "scripts" / f"{JUDGE}.py").exists():
        parser.error("this is not the folder of the repository: go there, or give --root")
    found = {"judge_sha256": code_hash(options.root, JUDGE), **calibrate(options.studies)}
    write_text(options.out, json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(report(found))
    return 0 if all(target["met"] for target in found["targets"]) else 1


if __name__ == "__main__":
    sys.exit(main())
