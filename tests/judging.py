"""Constructed registrations and effects tables for the tests of the judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from l2audit.judge.claims import Registration, parse
from l2audit.judge.tables import COLUMNS

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


def raw_registration(*claims: dict[str, Any], **constants: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "thread": {"title": "t", "url": "https://example.org/1", "licence": "CC BY-SA 4.0"},
        "constants": {**CONSTANTS, **constants},
        "claims": list(claims or [claim()]),
    }


def registration(*claims: dict[str, Any], **constants: Any) -> Registration:
    return parse(raw_registration(*claims, **constants))


def effects(
    scores: Mapping[str, float] | Sequence[float],
    *,
    name: str = "x",
    part: str = "p",
    stratum: str = "all",
    architectures: Sequence[str] = ("linear",),
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
            "architecture": architecture,
            "level": level,
            "seed": seed,
            "theta": (score + shift) * DELTA[task],
            "ok": True,
            "reason": "",
            "active": active,
        }
        for dataset, score in named.items()
        for architecture in architectures
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
