"""What stands behind the verdicts: controls, thresholds of the rule, what was left out, data and provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import pandas as pd
from markupsafe import Markup

from l2audit.config.claims import Constants
from l2audit.judge.verdicts import NOT_RUN
from l2audit.report import words
from l2audit.report.backing import registration
from l2audit.report.pictures import Material, Picture, forest_picture, measured_parts, one_delta
from l2audit.report.sections import Table
from l2audit.report.words import NONE, count, digits_for, percent, plain, power_of_ten


def controls(controls: Sequence[Mapping[str, Any]], material: Material, *, judged: bool) -> dict[str, Any]:
    """Questions whose answer is known: expected, obtained, and a forest plot each."""
    if not controls:
        return {"controls": None, "control_figures": []}
    rows = [
        [
            control["question"],
            " or ".join(control["expects"]),
            control["verdict"] if judged and control["outcome"] != NOT_RUN else NONE,
            control["outcome"] if judged or control["outcome"] == NOT_RUN else NONE,
            count(control["n_datasets"]),
        ]
        for control in controls
    ]
    run = [control for control in controls if control["outcome"] != NOT_RUN]
    head = ["Control", "Expected", "Obtained", "Result", "Datasets"]
    pictures = [forest_picture(control, material) for control in run]
    return {
        "controls": Table("Controls, judged by the same rule", head, rows, frozenset({4})),
        "control_figures": [
            Picture(
                picture.id,
                picture.body,
                control["question"],
                f"{control['sentence']} {control['note']}".strip() if judged else control["note"],
            )
            for control, picture in zip(run, pictures, strict=True)
        ],
    }


def trust(entries: Sequence[Mapping[str, Any]], summary: pd.DataFrame, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of runs by status, shares of certified runs, and what was left out."""
    runs: Mapping[str, int] = provenance["runs"]["by_status"]
    total = sum(runs.values())
    lost = total - runs.get("ok", 0)
    statuses = [[status, count(n), percent(n / total, 1)] for status, n in sorted(runs.items())]
    excluded = [
        [entry["id"], reason, count(n)]
        for entry in entries
        for reason, n in sorted({**entry["dropped"], **entry["unused"]}.items())
    ]
    return {
        "runs_sentence": f"Of {count(total)} planned runs, {count(lost)} gave no result."
        if lost
        else f"All {count(total)} planned runs gave a result.",
        "statuses": Table("Runs by status", ["Status", "Runs", "Share"], statuses, frozenset({1, 2})),
        "certified": _certified(summary),
        "excluded": Table(
            "Effects left out, by claim and reason", ["Claim", "Reason", "Effects"], excluded, frozenset({2})
        )
        if excluded
        else None,
    }


def _certified(summary: pd.DataFrame) -> Table:
    """Share of finished penalised runs that carry the certificate of convergence, per beta and architecture."""
    penalised = summary[summary["beta"] > 0]
    weights = penalised.assign(certified=penalised["certified"] * penalised["n_ok"])
    sums = weights.groupby(["beta", "architecture"])[["certified", "n_ok"]].sum()
    share = (sums["certified"] / sums["n_ok"].where(sums["n_ok"] > 0)).unstack("architecture")
    rows = [
        [power_of_ten(float(beta)), *(percent(value) for value in row)]
        for beta, row in zip(share.index, share.to_numpy(float), strict=True)
    ]
    return Table(
        "Share of the finished runs of primary arms that are certified as converged, by beta",
        ["beta", *map(str, share.columns)],
        rows,
        frozenset(range(1, len(share.columns) + 1)),
    )


def constants(constants: Constants, entries: Sequence[Mapping[str, Any]], headline: str) -> dict[str, str]:
    """The thresholds of the rule, in words."""
    parts = [part for entry in entries if entry["id"] == headline for part in measured_parts(entry)]
    example = f"For claim ({headline}) δ is {one_delta(parts)}." if parts else ""
    band = {"classification": "{} percentage points of error", "regression": "{} nRMSE"}
    margins = [
        band[task].format(
            plain(
                100 * margin if task == "classification" else margin, digits_for(margin) if task == "regression" else 0
            )
        )
        for task, margin in sorted(constants.band.items())
    ]
    return {
        "alpha": percent(constants.alpha),
        "clip": f"{constants.clip:g}",
        "k_min": str(constants.k_min),
        "seed_share": percent(constants.seed_share),
        "cell_share": percent(constants.cell_share),
        "gradient_ratio": f"{constants.gradient_ratio:g}",
        "balance": f"{constants.balance:g}",
        "band": " or ".join(margins),
        "norm_drop": percent(constants.activity["norm_drop"]),
        "decay_exposure": f"{constants.activity['decay_exposure']:g}",
        "delta_example": example,
    }


def verdict_words(constants: Constants) -> list[dict[str, Any]]:
    """Every verdict with what it takes."""
    share = percent(constants.dataset_share)
    return [
        {"badge": words.badge(verdict), "text": text.format(share=share)}
        for verdict, text in words.VERDICT_WORDS.items()
    ]


SINGULAR = 1e16
"""Condition number from which a correlation matrix is singular to working precision (see `l2audit.data.prepare`)."""


def condition(number: float) -> str:
    """A condition number as it is printed."""
    return "singular" if number >= SINGULAR else plain(number, 0 if number >= 10 else 1)


def sources(verdicts: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Datasets, hashes and versions."""
    cards = sorted(
        provenance["datasets"], key=lambda card: (card.get("role", "study") != "study", card["task"], card["name"])
    )
    rows = [
        [
            card["name"],
            card["task"] + (", control" if card.get("role") == "control" else ""),
            count(card["rows"]),
            count(card["columns"]),
            count(card.get("classes")),
            condition(card["condition_number"]),
            "yes" if card["collinear"] else "no",
            card["licence"],
        ]
        for card in cards
    ]
    code = provenance.get("code_sha256", {})
    hashes = [
        ["registration", verdicts["registration_sha256"]],
        *registration(verdicts)["hashes"],
        *([f"code of {stage}", value] for stage, value in sorted(code.items())),
        *([["lock file", provenance["lock_sha256"]]] if provenance.get("lock_sha256") else []),
    ]
    versions = [[name, version] for name, version in sorted(provenance["versions"].items())]
    head = ["Dataset", "Task", "Rows", "Columns", "Classes", "Condition number", "Collinear", "Licence"]
    return {
        "datasets": Table("Datasets of the study and of its controls", head, rows, frozenset({2, 3, 4, 5})),
        "cards": [
            {key: card.get(key) or "" for key in ("name", "description", "citation", "licence")}
            | {
                "source": _source(card),
                "sha256": card.get("prepared_sha256", ""),
                "shared": ", ".join(card.get("shares_table_with") or ()),
            }
            for card in cards
        ],
        "hashes": Table(
            "SHA-256 of what the results depend on",
            ["What", "SHA-256"],
            [[what, Markup('<code class="hash">{}</code>').format(value)] for what, value in hashes],
        ),
        "versions": Table("Versions", ["Package", "Version"], versions),
    }


def _source(card: Mapping[str, Any]) -> str:
    """Where a dataset is from. Of a file on somebody's disk its name and SHA-256 tell a reader more than its folder."""
    kind, _, place = str(card.get("source") or "").partition(":")
    if kind != "file":
        return str(card.get("source") or "")
    return ", SHA-256 ".join([f"file:{PurePath(place).name}", *card.get("raw_sha256", {}).values()])
