"""Step 9: what is reported beside a verdict. Nothing here decides anything.

A row of the rule becomes a dictionary. Its figures are in units of delta, in which it was judged, and in plain units
per task. Test error and nRMSE have no common unit, so each task has its own mean and interval. No estimate is cut: the
clip serves the test alone, whose mean is there as `judged_mean`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from l2audit.config.claims import Claim, Constants, Part
from l2audit.effects.estimands import ESTIMANDS
from l2audit.effects.grid import Array, Mask, moments
from l2audit.effects.layout import ALL, ClaimTable
from l2audit.judge import rule
from l2audit.judge.rule import VERDICT_CODES, Decision, RowTests
from l2audit.judge.scores import SLACK, Scores, scores
from l2audit.judge.statistics import (
    average,
    between_datasets,
    decisive,
    detectable_effect,
    missed_share,
    share_beyond,
)

DIGITS = 10
"""Significant digits of published figures: fewer than a float has, so that no last bit of a processor shows."""
P_VALUES = {
    rule.SUPPORTED: "supported",
    rule.REVERSED: "reversed",
    rule.NEGLIGIBLE: "equivalent",
    rule.EXCLUDED: "excluded",
}
"""Verdict -> the p-value that gives it, in the order in which they are read."""


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
        return (ALL, *self.table.strata) if len(self.table.strata) > 1 else (ALL,)


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


def row_summary(judged: Judged, row: int, decision: Decision, constants: Constants) -> dict[str, Any]:
    """Everything published about one row but its sentence and its labels."""
    case = judged.case
    tests = decision.tests[case][row]
    code, reading = (int(codes[case][row][0]) for codes in (decision.verdicts, decision.readings))
    members = decision.rows_in(case, row)
    parts = [_part_summary(judged, index, row, tests, members, constants) for index in range(len(judged.claim.parts))]
    deciding = parts[deciding_part(code, tests)]
    means = [part["judged_mean"] for part in parts]
    n_datasets = int(tests.k[0])
    mixed_by = ""
    if code == rule.MIXED:
        strata = {int(codes[0]) for codes in decision.readings[case][1:]} if row == 0 else set()
        mixed_by = "kind" if {rule.SUPPORTED, rule.REVERSED} <= strata else "dataset"
    leans = ""
    if not np.isnan(means).any():
        leans = "supported" if min(means) > 1 else "refuted" if min(means) < -1 else "small"
    return {
        "stratum": judged.row_names[row],
        "verdict": VERDICT_CODES[code],
        "mixed_by": mixed_by,  # strata apart (step 8 a), or datasets (step 8 b)
        "deciding_part": deciding["id"],
        "estimate": deciding["m"],
        "ci_low": deciding["ci_low"],
        "ci_high": deciding["ci_high"],
        "n_datasets": n_datasets,
        "n_planned_datasets": min(part["n_planned_datasets"] for part in parts),
        "n_contrasts": sum(part["n_contrasts"] for part in parts),
        "rows_in_family": members,
        "reading": VERDICT_CODES[reading],
        "p": {name: float(getattr(tests, name)[0]) for name in P_VALUES.values()},
        "p_adjusted": [float(p) for p in decision.adjusted[case][row][0]],
        "alone": VERDICT_CODES[int(rule.alone(tests, constants.alpha)[0])],
        "leans": leans,  # where the judged mean of the weakest part lies
        "datasets_to_settle": rule.settling(tests, members, constants.alpha) if tests.judged[0] else None,
        "missed_share": missed_share(n_datasets) if n_datasets else None,
        "mde": float(np.max([part["mde"] for part in parts])),  # not known where it is not known of every part
        "parts": parts,
    }


def deciding_part(code: int, tests: RowTests, study: int = 0) -> int:
    """The part whose estimate is shown for the row: the one that decides it, or the weakest if none does."""
    rank = tests.parts.mean[study]
    if code in P_VALUES:
        p: Array = getattr(tests.parts, P_VALUES[code])[study]
        rank = p if code == rule.EXCLUDED else -p
    return int(np.argmin(np.where(np.isnan(rank), np.inf, rank)))


def _part_summary(
    judged: Judged, index: int, row: int, tests: RowTests, members: int, constants: Constants
) -> dict[str, Any]:
    """One part of a row; its `verdict` is that of the part alone, two-sided, Bonferroni over the family."""
    part, table, scored = judged.claim.parts[index], judged.table.parts[index], judged.scores[index]
    view = scored.row(row)
    x, raw = view.clipped[0], view.raw[0]
    judged_average, found = average(x), average(raw)
    without = moments(np.where(np.eye(len(raw), dtype=bool), np.nan, raw))[1][np.isfinite(raw)]
    strata = slice(row - 1, row) if row else slice(None)
    planned = np.asarray(table.planned_datasets[:, strata].any(axis=-1))
    used = np.isfinite(table.u[:, strata]) & scored.judged[0][:, strata, ..., None]
    cut = (np.abs(np.nan_to_num(scored.raw[0][:, strata])) > constants.clip).any(axis=-1)
    level = constants.alpha / members / 2
    codes = [code for code, name in P_VALUES.items() if getattr(tests.parts, name)[0, index] <= level]

    def counted(column: str) -> int | None:
        """The contrasts used of which `column` is true; None where the table of effects does not say."""
        if column not in table.rows:
            return None
        return int((table.arrange(table.rows[column].to_numpy(dtype=float))[:, strata][used] == 1).sum())

    return {
        "id": part.id,
        "statement": part.statement,
        "estimand": part.estimand,
        "reason": part.reason,
        "verdict": VERDICT_CODES[[*codes, rule.INCONCLUSIVE][0] if tests.judged[0] else rule.TOO_FEW],
        "m": found.mean,
        "sd": found.sd,
        **found.intervals,
        **_of_datasets(raw),
        "share_beyond": {end: float(share) for end, share in share_beyond(raw, view.series[0])._asdict().items()},
        "tau": float(between_datasets(raw, view.series[0])),
        "leave_one_out_low": min(without, default=math.nan),
        "leave_one_out_high": max(without, default=math.nan),
        "slope": _slope(judged, index, row, constants),
        "judged_mean": judged_average.mean,
        "judged_sd": judged_average.sd,
        "mde": detectable_effect(int(found.k), judged_average.sd, members, constants.alpha),
        "n_datasets": found.k,
        "n_planned_datasets": int(planned.sum()),
        "n_contrasts": int(used.sum()),
        "n_clipped": int(cut.sum()),
        "n_at_end": counted("at_end"),
        "n_worse_than_trivial": counted("worse_than_trivial"),
        "tasks": {
            task: _task_summary(part, task, np.array([one == task for one in judged.table.tasks], bool), raw, cut)
            for task in sorted(part.delta)
        },
        "datasets": _dataset_summaries(judged, index, row, planned, constants),
    }


def _of_datasets(raw: Array) -> dict[str, float]:
    """Median, and share of effects in the claim's direction: what does not hang on how far out a dataset lies."""
    known = raw[np.isfinite(raw)]
    return {
        "median": float(np.median(known)) if known.size else math.nan,
        "share_in_direction": float((known > SLACK).mean()) if known.size else math.nan,
    }


def _slope(judged: Judged, index: int, row: int, constants: Constants) -> dict[str, Any]:
    """Exploratory: how the effect changes with a tenfold beta over the judged band, one slope a dataset, t over them.

    In units of delta. A seed counts wherever it has two betas in its band, and nothing is clipped: this is no verdict.
    """
    table = judged.table.parts[index]
    everything = replace(constants, seed_share=0.0, cell_share=0.0, clip=math.inf)
    slopes = scores(table.slope, np.zeros_like(table.slope), table.planned, everything).row(row).raw
    found = average(slopes)
    return {
        "mean": found.mean,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "n_datasets": found.k,
        "rising": int((slopes > 0).sum()),
        "falling": int((slopes < 0).sum()),
    }


def _task_summary(part: Part, task: str, where: Mask, raw: Array, cut: Mask) -> dict[str, Any]:
    """One task in plain units: mean, interval and outlook for a new dataset, none of them cut."""
    unit = part.delta[task] * part.scale[task]
    found, of_datasets = average(raw[where]), _of_datasets(raw[where])
    return {
        "unit": part.unit[task],
        "display": ESTIMANDS[part.estimand].told(part.parameters),
        "scale": part.scale[task],
        "delta": unit,
        "n_datasets": found.k,
        "n_clipped": int(cut[where].sum()),
        "estimate": found.mean * unit,
        **{name: value * unit for name, value in found.intervals.items()},
        "median": of_datasets["median"] * unit,
        "share_in_direction": of_datasets["share_in_direction"],
    }


def _dataset_summaries(
    judged: Judged, index: int, row: int, planned: Mask, constants: Constants
) -> list[dict[str, Any]]:
    """One entry per planned dataset: its score in units of delta with an interval over seeds ("for this file")."""
    part, tasks, view = judged.claim.parts[index], judged.table.tasks, judged.scores[index].row(row)
    raw, active, over_seeds = view.raw[0], view.active[0], average(view.series[0])
    above, below = decisive(view.series[0], np.isfinite(raw).sum(), constants.alpha)
    columns = {
        "dataset": judged.table.datasets,
        "task": tasks,
        "score": raw,
        "judged_score": view.clipped[0],
        "ci_low": over_seeds.ci_low,
        "ci_high": over_seeds.ci_high,
        "value": raw * np.array([part.delta[task] * part.scale[task] for task in tasks]),
        "n_seeds": over_seeds.k,
        "active": [None if np.isnan(share) else bool(share >= 0.5) for share in active],
        "decisive": np.select([above, below], ["above", "below"], ""),
    }
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row, wanted in zip(rows, planned, strict=True) if wanted]


def labels(judged: Judged, row: int, decision: Decision, rests: Sequence[Mask], constants: Constants) -> list[str]:
    """Labels of step 9 for one row; a label qualifies a verdict and never changes it."""
    case = judged.case
    code = int(decision.verdicts[case][row][0])
    found = [f"rests on {judged.table.datasets[i]}" for i in np.flatnonzero(rests[row][0])]
    planned = [table.planned_datasets[None] for table in judged.table.parts]
    zeros = rule.with_zeros(decision.cases[case].rows, judged.scores, planned)
    if int(rule.redecide(decision, case, zeros, np.zeros(1, dtype=np.int64), constants)[row][0]) != code:
        found.append("depends on excluded runs")
    alone = int(rule.alone(decision.tests[case][row], constants.alpha)[0])
    if code == rule.INCONCLUSIVE and alone not in (rule.INCONCLUSIVE, rule.INACTIVE):
        found.append(f"would be {VERDICT_CODES[alone]} as the only claim")
    return found
