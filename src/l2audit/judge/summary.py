"""Step 9: what is reported beside a verdict. Nothing here decides anything.

A row of the rule becomes a dictionary in units of delta, in which it was judged, and in plain units per task: test
error and nRMSE have no common unit, so each task has its own mean and interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from l2audit.config.claims import Claim, Constants, Part
from l2audit.effects.estimands import ESTIMANDS
from l2audit.effects.grid import Array
from l2audit.effects.layout import ClaimTable
from l2audit.judge import rule
from l2audit.judge.bootstrap import intervals
from l2audit.judge.rule import VERDICT_CODES, Decision, Evidence
from l2audit.judge.scores import RowScores, Scores, scores
from l2audit.judge.statistics import (
    between_datasets,
    decisive,
    detectable_effect,
    missed_share,
    moments,
    prediction_interval,
    summary,
    t_interval,
)
from l2audit.seeds import generator

DIGITS = 10
"""Significant digits of published figures: fewer than a float has, so that no last bit of a processor shows."""


def row_of(found: Scores, row: int) -> RowScores:
    """Scores of one row, 0 for "all"."""
    return found.pooled() if row == 0 else found.stratum(row - 1)


@dataclass(frozen=True)
class Judged:
    """One claim on its way through the rule: registration, table, scores of its parts (B = 1), its case."""

    claim: Claim
    table: ClaimTable
    scores: tuple[Scores, ...]
    case: int

    @property
    def row_names(self) -> tuple[str, ...]:
        """The names of the rows, "all" first."""
        return ("all", *self.table.strata) if len(self.table.strata) > 1 else ("all",)

    def view(self, part: int, row: int) -> RowScores:
        """Scores of one part in one row, leading axis B = 1 kept."""
        return row_of(self.scores[part], row)

    def columns(self, row: int) -> slice:
        """The strata that a row is made of."""
        return slice(None) if row == 0 else slice(row - 1, row)


def rounded(value: Any) -> Any:
    """`value` ready for canonical JSON: plain types, `DIGITS` significant digits, None for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def row_summary(judged: Judged, row: int, decision: Decision, constants: Constants, resamples: int) -> dict[str, Any]:
    """Everything published about one row but its sentence and its labels."""
    case = judged.case
    evidence = decision.evidence[case][row]
    code = int(decision.verdicts[case][row][0])
    members = decision.rows_in(case, row)
    parts = [
        _part_summary(judged, index, row, evidence, members, constants, resamples)
        for index in range(len(judged.claim.parts))
    ]
    deciding = parts[deciding_part(code, evidence)]
    n_datasets = int(evidence.k[0])
    return {
        "stratum": judged.row_names[row],
        "verdict": VERDICT_CODES[code],
        "mixed_by": mixed_by(decision, case, row),
        "deciding_part": deciding["id"],
        "estimate": deciding["m"],
        "ci_low": deciding["ci_low"],
        "ci_high": deciding["ci_high"],
        "n_datasets": n_datasets,
        "n_planned_datasets": min(part["n_planned_datasets"] for part in parts),
        "n_contrasts": sum(part["n_contrasts"] for part in parts),
        "rows_in_family": members,
        "reading": VERDICT_CODES[int(decision.readings[case][row][0])],
        "p": {name: float(getattr(evidence, name)[0]) for name in ("supported", "reversed", "excluded", "equivalent")},
        "p_adjusted": [float(p) for p in decision.adjusted[case][row][0]],
        "alone": VERDICT_CODES[int(rule.alone(evidence, constants.alpha)[0])],
        "leans": leaning(parts),
        "datasets_to_settle": rule.sooner(evidence, members, constants.alpha) if evidence.judged[0] else None,
        "missed_share": missed_share(n_datasets) if n_datasets else None,
        "mde": float(np.max([part["mde"] for part in parts])),  # not known where it is not known of every part
        "parts": parts,
    }


def mixed_by(decision: Decision, case: int, row: int) -> str:
    """Why a row is "mixed": "kind" (strata apart, step 8 a), "dataset" (step 8 b), "" if it is not."""
    if int(decision.verdicts[case][row][0]) != rule.MIXED:
        return ""
    readings = {int(reading[0]) for reading in decision.readings[case][1:]} if row == 0 else set()
    return "kind" if {rule.SUPPORTED, rule.REVERSED} <= readings else "dataset"


def deciding_part(code: int, evidence: Evidence, study: int = 0) -> int:
    """The part whose estimate is shown for the row: the one that decides it, or the weakest if none does."""
    tests = evidence.parts
    by_verdict: dict[int, Array] = {
        rule.SUPPORTED: -tests.supported,
        rule.REVERSED: -tests.reversed,
        rule.NEGLIGIBLE: -tests.equivalent,
        rule.EXCLUDED: tests.excluded,
    }
    rank = by_verdict.get(code, tests.mean)[study]
    return int(np.argmin(np.where(np.isnan(rank), np.inf, rank)))


def leaning(parts: list[dict[str, Any]]) -> str:
    """Where the weakest part's estimate lies: "supported", "refuted" or "small"; "" without an estimate."""
    means = [part["m"] for part in parts]
    if any(math.isnan(mean) for mean in means):
        return ""
    weakest = min(means)
    return "supported" if weakest > 1 else "refuted" if weakest < -1 else "small"


def _part_summary(
    judged: Judged, index: int, row: int, evidence: Evidence, members: int, constants: Constants, resamples: int
) -> dict[str, Any]:
    part, table = judged.claim.parts[index], judged.table.parts[index]
    view = judged.view(index, row)
    x, raw = view.clipped[0], view.raw[0]
    k, mean, sd = summary(x)
    low, high = t_interval(k, mean, sd)
    ahead = prediction_interval(k, mean, sd)
    without = np.array([moments(np.delete(x, i))[1] for i in np.flatnonzero(np.isfinite(x))]) if k > 1 else np.array([])
    name = judged.row_names[row]
    columns = judged.columns(row)
    fixed, both = intervals(
        judged.scores[index].series[0][:, columns],
        constants.clip,
        generator("bootstrap", judged.claim.id, part.id, name),
        resamples,
    )
    planned = table.planned_datasets[:, columns].any(axis=-1)
    judged_cells = judged.scores[index].judged[0][:, columns]
    used = np.isfinite(table.u[:, columns]) & judged_cells[..., None]
    cut = _sides(judged.scores[index].raw[0][:, columns], constants.clip)
    return {
        "id": part.id,
        "statement": part.statement,
        "estimand": part.estimand,
        "reason": part.reason,
        "verdict": part_reading(evidence, index, constants.alpha / members),
        "m": mean,
        "ci_low": low,
        "ci_high": high,
        "sd": sd,
        "tau": between_datasets(x, row_of(judged.scores[index].settled(), row).series[0]),
        "prediction_low": ahead[0],
        "prediction_high": ahead[1],
        "leave_one_out_low": float(without.min()) if without.size else math.nan,
        "leave_one_out_high": float(without.max()) if without.size else math.nan,
        "bootstrap_fixed_datasets": list(fixed),
        "bootstrap_two_level": list(both),
        "slope": _slope(judged, index, row, constants),
        "mde": detectable_effect(k, sd, members, constants.alpha) if k > 1 else math.nan,
        "n_datasets": k,
        "n_planned_datasets": int(planned.sum()),
        "n_contrasts": int(used.sum()),
        **_cut(cut),
        "tasks": {
            task: _task_summary(part, task, np.array([t == task for t in judged.table.tasks], dtype=bool), x, raw, cut)
            for task in sorted(part.delta)
        },
        "datasets": _dataset_summaries(judged, part, view, planned, constants),
    }


def _slope(judged: Judged, index: int, row: int, constants: Constants) -> dict[str, Any]:
    """Exploratory: how the effect changes with a tenfold beta over the judged band, one slope a dataset, t over them.

    In units of delta. A seed counts wherever it has two betas in its band, and nothing is clipped: this is no verdict.
    """
    table = judged.table.parts[index]
    everything = replace(constants, seed_share=0.0, cell_share=0.0, clip=math.inf)
    found = scores(table.slope[None], np.zeros_like(table.slope)[None], table.planned, everything)
    slopes = row_of(found, row).raw[0]
    k, mean, sd = summary(slopes)
    low, high = t_interval(k, mean, sd)
    with np.errstate(invalid="ignore"):
        rising, falling = int((slopes > 0).sum()), int((slopes < 0).sum())
    return {"mean": mean, "ci_low": low, "ci_high": high, "n_datasets": k, "rising": rising, "falling": falling}


def part_reading(evidence: Evidence, index: int, level: float) -> str:
    """One part of a conjunction read alone at `level`, two-sided (Bonferroni over the family), for the sentence."""
    if not evidence.judged[0]:
        return VERDICT_CODES[rule.TOO_FEW]
    tests = evidence.parts
    found = [
        (tests.supported, rule.SUPPORTED),
        (tests.reversed, rule.REVERSED),
        (tests.equivalent, rule.NEGLIGIBLE),
        (tests.excluded, rule.EXCLUDED),
    ]
    for p, code in found:
        if float(p[0, index]) <= level / 2:
            return VERDICT_CODES[code]
    return VERDICT_CODES[rule.INCONCLUSIVE]


def _sides(raw: Array, clip: float) -> Array:
    """(K, S), of scores before they are cut: 1 or -1 where one was cut on that side, 0 where not, NaN for no score."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isnan(raw), np.nan, np.sign(raw) * (np.abs(raw) > clip))


def _cut(sides: Array) -> dict[str, Any]:
    """Of (K, S) `sides`: the datasets with a score that was cut, and whether all scores were, and on one side.

    The score of a dataset in the row "all" is a mean over strata, each cut before: that mean itself is never beyond.
    """
    found = sides[np.isfinite(sides)]
    return {
        "n_clipped": int((np.abs(np.nan_to_num(sides)) > 0).any(axis=-1).sum()),
        "all_cut": bool(found.size and found[0] != 0 and (found == found[0]).all()),
    }


def _task_summary(part: Part, task: str, where: Any, x: Array, raw: Array, cut: Array) -> dict[str, Any]:
    """One task in plain units: judged (clipped) mean, interval, outlook for a new dataset; unclipped mean beside."""
    unit = part.delta[task] * part.scale[task]
    k, mean, sd = summary(x[where])
    low, high = t_interval(k, mean, sd)
    ahead = prediction_interval(k, mean, sd)
    k_raw, mean_raw, sd_raw = summary(raw[where])
    low_raw, high_raw = t_interval(k_raw, mean_raw, sd_raw)
    return {
        "unit": part.unit[task],
        "display": ESTIMANDS[part.estimand].told(part.parameters),
        "scale": part.scale[task],
        "delta": unit,
        "n_datasets": k,
        **_cut(cut[where]),
        "estimate": mean * unit,
        "ci_low": low * unit,
        "ci_high": high * unit,
        "prediction_low": ahead[0] * unit,
        "prediction_high": ahead[1] * unit,
        "unclipped_estimate": mean_raw * unit,
        "unclipped_ci_low": low_raw * unit,
        "unclipped_ci_high": high_raw * unit,
    }


def _dataset_summaries(
    judged: Judged, part: Part, view: RowScores, planned: Any, constants: Constants
) -> list[dict[str, Any]]:
    """One entry per planned dataset: its score in units of delta with an interval over seeds ("for this file")."""
    raw, series = view.raw[0], view.series[0]
    size = np.isfinite(raw).sum()
    above, below = decisive(series, size, constants.alpha)
    n, mean, sd = moments(series)
    found = []
    for i in np.flatnonzero(planned):
        task = judged.table.tasks[i]
        low, high = t_interval(int(n[i]), float(mean[i]), float(sd[i]))
        found.append(
            {
                "dataset": judged.table.datasets[i],
                "task": task,
                "score": view.clipped[0][i],
                "unclipped_score": raw[i],
                "ci_low": low,
                "ci_high": high,
                "value": raw[i] * part.delta[task] * part.scale[task],
                "n_seeds": int(n[i]),
                "active": None if math.isnan(view.active[0][i]) else bool(view.active[0][i] >= 0.5),
                "decisive": "above" if above[i] else "below" if below[i] else "",
            }
        )
    return found


def labels(judged: Judged, row: int, decision: Decision, rests: list[Any], constants: Constants) -> list[str]:
    """Labels of step 9 for one row; a label qualifies a verdict and never changes it."""
    case = judged.case
    code = int(decision.verdicts[case][row][0])
    found = [f"rests on {judged.table.datasets[i]}" for i in np.flatnonzero(rests[row][0])]
    planned = [table.planned_datasets[None] for table in judged.table.parts]
    zeros = rule.with_zeros(decision.cases[case].rows, judged.scores, planned)
    if int(rule.redecide(decision, case, zeros, np.zeros(1, dtype=np.int64), constants)[row][0]) != code:
        found.append("depends on excluded runs")
    alone = int(rule.alone(decision.evidence[case][row], constants.alpha)[0])
    if code == rule.INCONCLUSIVE and alone not in (rule.INCONCLUSIVE, rule.INACTIVE):
        found.append(f"would be {VERDICT_CODES[alone]} as the only claim")
    return found
