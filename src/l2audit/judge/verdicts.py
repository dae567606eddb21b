"""The judge: effects and registration in, verdicts out. A pure function, byte-stable for every order of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from l2audit.config import claims as names
from l2audit.config.claims import AGAINST, IDENTITIES, MEASURED, Claim, Part, Registration, matches
from l2audit.effects.counts import entered
from l2audit.effects.layout import ALL, COLUMNS, claim_table
from l2audit.errors import UserError
from l2audit.judge import rule
from l2audit.judge.correlation import evenness_and_damage
from l2audit.judge.rule import HEADLINES, Case, Decision, Tally, decide, families_of, headline, rows_of
from l2audit.judge.scores import scores
from l2audit.judge.summary import Judged, labels, rounded, row_summary
from l2audit.wording.phrases import detectable
from l2audit.wording.sentences import control_sentence, headline_sentence, identity_sentence, sentence, unplanned

NOT_RUN = "not run"
"""Outcome of a control whose designs or arms are not in the study: nothing was tested, so nothing failed."""
UNDERPOWERED = "underpowered"
TOO_THIN = "in a cell or dataset with too few usable seeds"


def judge(
    effects: pd.DataFrame,
    registration: Registration,
    identities: Sequence[Mapping[str, Any]] | None = None,
    *,
    n_runs: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Steps 1-9 of the rule (docs/statistics.md) for every registered claim.

    effects     One row per planned contrast; see `effects.layout.COLUMNS`. theta is NaN where not ok.
    identities  Exact checks: claim, check, statement, expected, obtained, tolerance, holds, source.
    n_runs      Trained models behind each claim, by id. Printed, never used.

    Estimates are in multiples of delta (`estimate`, `ci_low`, `ci_high`) and, per task, in plain units (`tasks`).
    A claim in several situations has no estimate of its own. Its verdict is that of `rule.headline`, its `strata` are
    the situations, and the row over all of them is its `record`. `families`: rows that share an error rate.
    UserError: the table lacks a column, holds a contrast twice, or has a task without a delta.
    """
    constants = registration.constants
    measured, decision = decided(effects, registration)
    runs = dict(n_runs or {})
    entries = {
        one.claim.id: {
            **_measured_entry(one, decision, registration, runs.get(one.claim.id)),
            "entered": entered(effects, one.claim),
        }
        for one in measured
    }
    for claim in registration.family(*IDENTITIES):
        entries[claim.id] = _identity_entry(claim, registration, identities or (), runs.get(claim.id, 0))

    def of(*families: str) -> list[dict[str, Any]]:
        return [entries[claim.id] for claim in registration.family(*families)]

    controls = of("control")
    verdicts: dict[str, Any] = rounded(
        {
            "registration_sha256": registration.sha256,
            "headline": registration.headline,
            "thread": dict(registration.thread),
            "constants": asdict(constants),
            "families": {
                family: pool.shape[-1] // 2
                for family, pool in decision.pools.items()
                if not family.startswith(f"{rule.RECORD} ")
            },
            "claims": of("claims", "identity"),
            "added": of("added", "added-identity"),
            "controls": controls,
            "controls_hold": all(control["outcome"] != "failed" for control in controls),
            "exploratory": {"evenness_and_damage": evenness_and_damage(effects, registration)},
        }
    )
    return verdicts


def decided(effects: pd.DataFrame, registration: Registration) -> tuple[list[Judged], Decision]:
    """Steps 1-8 for every measured claim and every control, in the order of registration, controls last."""
    absent = [column for column in COLUMNS if column not in effects.columns]
    if absent:
        raise UserError(f"the effects table lacks the column '{absent[0]}'", fix="make it again with this version")
    constants = registration.constants
    measured: list[Judged] = []
    cases: list[Case] = []
    for claim in registration.family(*MEASURED):
        table = claim_table(effects, claim)
        scored = tuple(scores(part.u[None], part.active[None], part.planned, constants) for part in table.parts)
        measured.append(Judged(claim, table, scored, len(cases)))
        rows = rows_of(scored, len(table.strata))
        cases.append(Case(rows, tuple(families_of(claim)), claim.gate))
    return measured, decide(cases, constants)


def _header(claim: Claim, registration: Registration) -> dict[str, Any]:
    return {
        "id": claim.id,
        "family": claim.family,
        "role": claim.role,
        "question": claim.question,
        "quote": claim.quote,
        "author": claim.author,
        "note": claim.note,
        "source": registration.thread["url"],
        "licence": registration.thread["licence"],
        "registration_sha256": registration.sha256,
    }


def _measured_entry(
    judged: Judged, decision: Decision, registration: Registration, n_runs: int | None
) -> dict[str, Any]:
    claim, constants = judged.claim, registration.constants
    rests = rule.rests_on(decision, judged.case, constants)
    rows = [row_summary(judged, row, decision, constants) for row in range(len(judged.row_names))]
    rivals = dict.fromkeys(part.parameters[AGAINST] for part in claim.parts if AGAINST in part.parameters)
    for index, row in enumerate(rows):
        row["arms"] = {"own": list(claim.arms), AGAINST: list(rivals)}
        row["unplanned"] = unplanned(row, claim)
        row["sentence"] = sentence(row, rows[1:] if index == 0 else (), constants)
        row["detectable"] = detectable(rounded(row), constants)
        row["labels"] = labels(judged, index, decision, rests, constants)
    overall, *strata = rows
    if strata and claim.situations:
        overall = _in_situations(judged, decision, rows, registration)
    first = claim.parts[0]
    dropped: Counter[str] = Counter()  # contrasts that failed, by reason
    unused: Counter[str] = Counter()  # those that are whole but for the map only
    for table, scored in zip(judged.table.parts, judged.scores, strict=True):
        dropped += table.dropped
        unused += table.unused
        unused += Counter({TOO_THIN: int((np.isfinite(table.u) & ~scored.judged[0][..., None]).sum())})
    entry = {
        **_header(claim, registration),
        **overall,
        "n_runs": n_runs,
        "delta": dict(first.delta),
        "unit": dict(first.unit),
        "scale": dict(first.scale),
        "dropped": dict(sorted(dropped.items())),
        "unused": dict(sorted(unused.items())),
        "strata": strata,
        "checks": [],
    }
    if claim.family == "control":
        verdict = entry["verdict"]
        planned = entry["n_planned_datasets"] > 0
        entry |= {"expects": list(claim.expects), "outcome": outcome(verdict, claim.expects) if planned else NOT_RUN}
        if claim.expects[0] == names.NEGLIGIBLE and verdict in (names.INCONCLUSIVE, names.EXCLUDED):
            entry["sentence"] = control_sentence(entry)
    return entry


def _in_situations(
    judged: Judged, decision: Decision, rows: Sequence[dict[str, Any]], registration: Registration
) -> dict[str, Any]:
    """The head of a claim in several situations, whose rows are named by kind and family (arm) from here on.

    It has a verdict and counts, and no estimate: a mean over model families describes no model.
    """
    record, *strata = rows
    claim, codes = judged.claim, np.stack(decision.verdicts[judged.case][1:])
    for row, (kind, arm) in zip(
        strata, ((kind, arm) for kind, arms in claim.situations.items() for arm in arms), strict=True
    ):
        row |= {"kind": kind, "family": arm}
    verdict = HEADLINES[int(headline(codes, registration.situations.share)[0])]
    counts = {name: int(n[0]) for name, n in vars(Tally.of(codes)).items()}
    return {
        "stratum": ALL,
        "verdict": verdict,
        "sentence": headline_sentence(verdict, strata, counts, registration),
        "situations": counts,
        **dict.fromkeys(("estimate", "ci_low", "ci_high")),
        **{name: record[name] for name in ("n_datasets", "n_planned_datasets", "n_contrasts")},
        "parts": [{key: part[key] for key in ("id", "statement", "estimand", "reason")} for part in record["parts"]],
        "labels": [],
        "detectable": "",
        "record": record,
    }


def outcome(verdict: str, expects: Sequence[str]) -> str:
    """How a control came out: "passed", "failed", or "underpowered" (not wrong, but not what it is there to show).

    One that is there to show that nothing comes of nothing expects "no meaningful effect" first, and passes with that.
    """
    if not any(matches(verdict, expected) for expected in expects):
        return "failed"
    short_of_null = expects[0] == names.NEGLIGIBLE and verdict != names.NEGLIGIBLE
    return UNDERPOWERED if verdict.startswith(names.INCONCLUSIVE) or short_of_null else "passed"


def _identity_entry(
    claim: Claim, registration: Registration, identities: Sequence[Mapping[str, Any]], n_runs: int
) -> dict[str, Any]:
    """A claim that calculation settles: a conjunction of its parts. It has no estimate and no interval."""
    found = {check["check"]: dict(check) for check in identities if check["claim"] == claim.id}
    parts = [
        {"id": part.id, "statement": part.statement, "verdict": identity_verdict(part, found)} for part in claim.parts
    ]
    came_out = {part["verdict"] for part in parts}
    verdict = next((one for one in (names.REFUTED, names.INCONCLUSIVE) if one in came_out), names.SUPPORTED)
    checks = [found[check] for part in claim.parts for check in part.checks if check in found]
    return {
        **_header(claim, registration),
        "stratum": ALL,
        "verdict": verdict,
        "sentence": identity_sentence(claim, verdict, checks),
        **dict.fromkeys(("estimate", "ci_low", "ci_high")),
        **dict.fromkeys(("n_datasets", "n_planned_datasets", "n_contrasts"), 0),
        "n_runs": n_runs,
        "parts": parts,
        **{name: {} for name in ("delta", "unit", "scale", "dropped", "unused")},
        "labels": [],
        "strata": [],
        "checks": checks,
    }


def identity_verdict(part: Part, found: Mapping[str, Mapping[str, Any]]) -> str:
    """What the exact checks say of one part.

    All hold: what the registration says that means. One fails: "refuted" where holding would have meant "supported";
    a refutation whose check fails is no support, so it is inconclusive, as is a part with a check missing.
    """
    if any(check not in found for check in part.checks):
        return names.INCONCLUSIVE
    if all(found[check]["holds"] for check in part.checks):
        return part.holds_means
    return names.REFUTED if part.holds_means == names.SUPPORTED else names.INCONCLUSIVE
