"""Constructed registrations, runs and effects tables for the tests of the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from l2audit.config.claims import Registration, load
from l2audit.config.reader import Document
from l2audit.effects.evidence import Evidence
from l2audit.effects.layout import COLUMNS
from l2audit.effects.table import estimate
from l2audit.measures import MEASURES

CONSTANTS = {
    "alpha": 0.05,
    "clip": 10,
    "k_min": 5,
    "dataset_share": 0.2,
    "seed_share": 0.8,
    "cell_share": 0.5,
    "gradient_ratio": 0.05,
    "balance": 0.05,
    "band": {"classification": 0.02, "regression": 0.02},
    "activity": {"norm_drop": 0.1, "decay_exposure": 1.0},
}
DELTA = {"classification": 0.01, "regression": 0.02}


def part(name: str = "p", **changes: Any) -> dict[str, Any]:
    units = {"classification": "percentage points of test error", "regression": "nRMSE"}
    return {
        "id": name,
        "statement": f"Part {name}: it rises.",
        "estimand": "sensitivity",
        "unit": units,
        "scale": {"classification": 100, "regression": 1},
        "delta": DELTA,
        "reason": "one percentage point",
        **changes,
    }


def claim(name: str = "x", parts: Sequence[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "question": "Does it?",
        "quote": "it does",
        "author": "the answerer",
        "family": "claims",
        "role": "study",
        "architectures": ["linear"],
        "strata": [],
        "parts": list(parts or [part()]),
        **changes,
    }


def situated(name: str, situations: Mapping[str, Sequence[str]], **changes: Any) -> dict[str, Any]:
    """A claim that is judged in situations: kind of contamination -> arms."""
    found = claim(name, **{"situations": {kind: list(arms) for kind, arms in situations.items()}, **changes})
    return {key: value for key, value in found.items() if key not in ("architectures", "strata")}


def raw_registration(*claims: dict[str, Any], **constants: Any) -> dict[str, Any]:
    return {
        "version": 2,
        "thread": {"title": "t", "url": "https://example.org/1", "licence": "CC BY-SA 4.0"},
        "constants": {**CONSTANTS, **constants},
        "claims": list(claims or [claim()]),
    }


def parse(raw: object) -> Registration:
    """The registration in YAML that was parsed already."""
    return load(Document("claims.yaml", raw, {(): 1}))


def registration(*claims: dict[str, Any], **constants: Any) -> Registration:
    return parse(raw_registration(*claims, **constants))


def effects(
    scores: Mapping[str, float] | Sequence[float],
    *,
    name: str = "x",
    part: str = "p",
    stratum: str = "all",
    arms: Sequence[str] = ("linear",),
    levels: Sequence[str] = ("a",),
    seeds: Sequence[float] = (-0.1, 0.0, 0.1, 0.0),
    task: str = "classification",
    active: bool = True,
    role: str = "study",
) -> pd.DataFrame:
    """One dataset a score (in units of delta); `seeds` are added to it, one row each, in every cell."""
    named = scores if isinstance(scores, Mapping) else {f"d{i:02d}": score for i, score in enumerate(scores)}
    rows = [
        {
            "claim": name,
            "part": part,
            "role": role,
            "dataset": dataset,
            "task": task,
            "stratum": stratum,
            "arm": arm,
            "level": level,
            "seed": seed,
            "theta": (score + shift) * DELTA[task],
            "ok": True,
            "reason": "",
            "active": active,
        }
        for dataset, score in named.items()
        for arm in arms
        for level in levels
        for seed, shift in enumerate(seeds)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def fail(table: pd.DataFrame, where: pd.Series, reason: str = "run diverged") -> pd.DataFrame:
    """`table` with the rows `where` failed."""
    failed = table.copy()
    failed.loc[where, ["theta", "ok", "reason"]] = [np.nan, False, reason]
    return failed


def together(*tables: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)


def spread(mean: float, sd: float, k: int) -> list[float]:
    """`k` scores with exactly this mean and standard deviation."""
    steps = np.linspace(-1, 1, k)
    return list(mean + sd * steps / steps.std(ddof=1))


# Constructed runs: a plan of arms, and a table in which every measure of every run is a number drawn at random.
LEVELS = {"clean": ("clean", 0.0, 0.0), "vert@0.1,10": ("vert", 0.1, 10.0), "vert@0.2,10": ("vert", 0.2, 10.0)}
STRATUM_OF = {"vert": "target", "badlev": "leverage", "sym": "label"}


def arm_plan(
    arm: str = "net",
    *,
    primary: bool = True,
    penalty: str = "l2",
    betas: Sequence[float] = (0.0, 0.01, 0.1),
    seeds: Sequence[int] = (0, 1, 2),
    levels: Sequence[str] = tuple(LEVELS),
    losses: Sequence[str] = ("squared",),
    datasets: Sequence[str] = ("one",),
) -> pd.DataFrame:
    """The planned runs of one arm, regression throughout."""
    axes = {"role": "study", "task": "regression", "architecture": "net", "optimizer": "adam", "scaling": "clean"}
    return pd.DataFrame(
        [
            {
                **axes,
                "arm": arm,
                "primary": primary,
                "penalty": penalty,
                "dataset": dataset,
                "loss": loss,
                "level": level,
                **dict(zip(("kind", "rate", "magnitude"), LEVELS[level], strict=True)),
                "beta": beta,
                "seed": seed,
            }
            for dataset in datasets
            for loss in losses
            for level in levels
            for beta in betas
            for seed in seeds
        ]
    )


def drawn_runs(plan: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """A run for every row of `plan`: all of them converged, in the judged band and active, every measure drawn."""
    rng = np.random.default_rng(seed)
    measured = {
        name: rng.uniform(0.2, 1.0, len(plan))
        for name in (*MEASURES.names(), "train_loss", "validation_risk_contaminated")
    }
    penalised = plan["beta"] > 0
    settled = {
        "validation_risk": rng.uniform(0.2, 0.21, len(plan)),
        "train_risk": rng.uniform(0.0, 0.1, len(plan)),
        "weight_norm": np.where(penalised, 1.0, 2.0),
        "status": "ok",
        "gradient_ratio": np.where(penalised, 0.001, 1.0),
        "balance": np.nan,
        "decay_exposure": np.where(penalised, 100.0, 0.0),
    }
    return plan.assign(**{**measured, **settled})


def contrasts(
    plan: pd.DataFrame, runs: pd.DataFrame, estimand: str, parameters: Mapping[str, Any] | None = None, **changes: Any
) -> pd.DataFrame:
    """The effects of a claim with one part over `estimand`, about the arm `net` unless `changes` says otherwise."""
    regression = {name: {"regression": 1} for name in ("scale", "delta")}
    one = part(estimand=estimand, parameters=dict(parameters or {}), unit={"regression": "u"}, **regression)
    registered = registration(claim(**{"parts": [one], "architectures": ["net"], **changes}))
    return estimate(Evidence(plan, runs, registered, STRATUM_OF, dict.fromkeys(plan["dataset"], False)))
