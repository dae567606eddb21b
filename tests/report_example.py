"""Made-up example data for the page: a synthetic table of runs with the shapes and orders of size of a real study.

No model was trained. The risks follow a simple formula of beta plus noise, drawn from fixed seeds; everything after the
table of runs (effects, summary, verdicts) comes from the project's own functions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from l2audit.config.claims import Registration, load
from l2audit.config.load import table
from l2audit.config.reader import Document
from l2audit.effects.counts import runs_behind
from l2audit.effects.evidence import Evidence
from l2audit.effects.table import estimate, summarise
from l2audit.judge.verdicts import judge
from l2audit.seeds import canonical, generator
from l2audit.specifications import Choices, specify
from l2audit.specifications import load as load_choices
from l2audit.wording.sentences import registration_status

ROOT = Path(__file__).resolve().parents[1]
BETAS = [0.0, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
SEEDS = 10
CLEAN = ("clean", "clean", 0.0, 0.0)
AXES = ["role", "dataset", "task", "architecture", "loss", "level", "kind", "rate", "magnitude"]
ARM = ["arm", "primary", "penalty", "optimizer", "scaling"]
STRATA = {"sym": "label", "vert": "target", "badlev": "leverage", "badlev_class": "leverage"}
LEVELS = {
    "classification": [
        ("sym@0.2", "sym", 0.2, 0.0),
        ("sym@0.4", "sym", 0.4, 0.0),
        ("badlev_class@0.1", "badlev_class", 0.1, 0.0),
    ],
    "regression": [
        ("vert@0.1,10", "vert", 0.1, 10.0),
        ("vert@0.2,10", "vert", 0.2, 10.0),
        ("badlev@0.1,10", "badlev", 0.1, 10.0),
    ],
}
DATASETS = {  # name -> condition number
    "classification": {
        "digits": 12.0,
        "cells": 81.0,
        "wine": 7.5,
        "votes": 44.0,
        "survey": 120.0,
        "blobs": 3.1,
        "logit": 55.0,
    },
    "regression": {
        "sugar": 21.0,
        "schools": 95.0,
        "steps": 4.0,
        "visits": 310.0,
        "budget": 38.0,
        "fair": 9.0,
        "plane": 1.6,
    },
}
LOSSES = {
    ("classification", "linear"): ["cross_entropy"],
    ("classification", "mlp-adam"): ["cross_entropy"],
    ("regression", "linear"): ["squared", "huber"],
    ("regression", "mlp-adam"): ["squared"],
}
PLANTED = {f"planted_isotropic_{k}": 1.2 for k in range(1, 7)} | {f"planted_collinear_{k}": 70.0 for k in range(1, 7)}
# amplitude of the damage at beta = 0, and how much of it a strong penalty adds or removes
DAMAGE = {
    "label": (0.15, -0.75),
    "target": (0.35, -0.55),
    "leverage-collinear": (0.16, 1.6),
    "leverage-other": (0.10, -0.2),
}


@dataclass(frozen=True)
class Block:
    """All runs of one dataset, architecture and loss."""

    role: str
    dataset: str
    task: str
    architecture: str
    loss: str
    condition: float

    @property
    def linear(self) -> bool:
        return self.architecture == "linear"

    @property
    def levels(self) -> list[tuple[str, str, float, float]]:
        own = LEVELS[self.task]
        return [CLEAN, *(own if self.role == "study" else own[-1:])]

    def damage(self, kind: str) -> tuple[float, float]:
        """Amplitude and slope of the damage that a kind of contamination does."""
        side = "collinear" if self.condition > 30 else "other"
        stratum = f"leverage-{side}" if STRATA[kind] == "leverage" else STRATA[kind]
        return DAMAGE[stratum]


def _blocks() -> list[Block]:
    study = [
        Block("study", f"example_{name}", task, architecture, loss, condition)
        for (task, architecture), losses in LOSSES.items()
        for name, condition in DATASETS[task].items()
        for loss in losses
    ]
    return study + [Block("control", name, "regression", "linear", "squared", c) for name, c in PLANTED.items()]


def _runs_of(block: Block) -> Iterator[pd.DataFrame]:
    """The runs of one block: per level a table with one row for every beta and seed."""
    draw = generator("example", block.dataset, block.architecture)
    beta = np.repeat(BETAS, SEEDS)
    strength = beta / (beta + 0.01)
    base, gap, bend = draw.uniform(0.05, 0.3), draw.uniform(0.02, 0.14), draw.uniform(0.05, 0.3)
    split = np.tile(draw.normal(0, 0.012, SEEDS), len(BETAS))
    spread = draw.normal(1, 0.25) if block.role == "study" else 1.6
    clean = base + gap * (1 - strength) ** 2 + bend * strength**4 + split
    for level, kind, rate, magnitude in block.levels:
        damage = 0.0
        if kind != "clean":
            amplitude, slope = block.damage(kind)
            damage = amplitude * spread * (1 + rate) * (1 + slope * strength * draw.uniform(0.6, 1.3))
        risk = clean + damage * (0.1 if block.loss == "huber" else 1) + draw.normal(0, 0.006, beta.size)
        yield pd.DataFrame(
            {
                "role": block.role,
                "dataset": block.dataset,
                "task": block.task,
                "architecture": block.architecture,
                "loss": block.loss,
                "level": level,
                "kind": kind,
                "rate": rate,
                "magnitude": magnitude,
                "beta": beta,
                "seed": np.tile(np.arange(SEEDS), len(BETAS)),
                "status": "ok",
                "test_risk": risk,
                "trivial_risk": 0.5,
                "train_risk": risk - gap * (1 - strength) - 0.03,
                "validation_risk": risk + draw.normal(0, 0.01, beta.size),
                "weight_norm": 20 * (1 - 0.7 * strength) * draw.normal(1, 0.02, beta.size),
                "memorised_fraction": 0.85 * (1 - strength) if kind == "sym" else np.nan,
                "gradient_ratio": 0.004 / (strength + 0.08) * draw.uniform(0.5, 1.5, beta.size),
                "balance": np.nan if block.linear else np.where(beta > 0, 0.01, 0.6),
                "decay_exposure": np.where(beta > 0, np.inf, 0.0) if block.linear else beta * 3000.0,
                **_measures_of(block, level, strength, damage),
            }
        )


def _measures_of(block: Block, level: str, strength: np.ndarray, damage: np.ndarray | float) -> dict[str, np.ndarray]:
    """What is measured of weights, units and predictions: smooth functions of the penalty's strength, and noise."""
    draw = generator("example measures", block.dataset, block.architecture, block.loss, level)

    def noisy(values: np.ndarray, sd: float, *, networks: bool = False) -> np.ndarray:
        noise = draw.normal(0, sd, strength.size)
        return np.full(strength.size, np.nan) if networks and block.linear else values + noise

    return {
        "train_loss": noisy(0.1 + 0.3 * strength, 0.005),
        "validation_risk_contaminated": noisy(0.3 + 0.1 * strength + np.asarray(damage), 0.01),
        "test_risk_fgsm": noisy(0.6 - 0.2 * strength, 0.01),
        "input_gradient": noisy(np.exp(-strength), 0.01),
        "gini_live_inputs": noisy(0.5 - 0.08 * strength, 0.01),
        "feature_gini": noisy(0.4 - 0.02 * strength, 0.01),
        "layer_spread": noisy(0.4 - 0.38 * strength, 0.01, networks=True),
        "dead_fraction": noisy(0.1 * strength, 0.005, networks=True),
        "effective_neurons": noisy(0.8 - 0.1 * strength, 0.01, networks=True),
        "ablation_share": noisy(0.4 + 0.02 * strength, 0.02, networks=True),
        "prediction_shift": noisy(0.5 * np.abs(np.asarray(damage)) * (1 - 0.4 * strength), 0.004),
        "selectivity": noisy(0.02 * strength, 0.01),
    }


def runs_table() -> pd.DataFrame:
    """All runs of the example; a few have diverged and some have not converged."""
    runs = pd.concat([table for block in _blocks() for table in _runs_of(block)], ignore_index=True)
    diverged = "dataset == 'example_steps' and architecture == 'mlp-adam' and seed < 3 and beta == 0"
    runs.loc[runs.eval(diverged), "status"] = "diverged"
    stuck = "dataset == 'example_votes' and architecture == 'linear' and kind == 'sym'"
    runs.loc[runs.eval(stuck), "gradient_ratio"] = 0.2
    return runs.assign(arm=runs["architecture"], primary=True, penalty="l2", optimizer="adam", scaling="clean")


def identities() -> list[dict[str, Any]]:
    """Exact checks in the shape of identities.json, with the points of the curve and the trace of the thread's code."""
    scale = np.logspace(-2, 2, 41)
    checks = [
        ("a", "l2_loss_is_half_the_sum_of_squares", "l2_loss(w) = ½ Σ w²", 2.5, 2.5),
        ("a", "gradient_is_the_weight", "the gradient of l2_loss at w is w", 0.0, 0.0),
        (
            "a",
            "penalty_adds_to_a_vector_loss",
            "mean(loss + beta·reg) = mean(loss) + beta·reg for one loss per example",
            0.0,
            0.0,
        ),
        ("a", "penalty_adds_to_a_scalar_loss", "the same for one loss in all", 0.0, 0.0),
        ("a", "plain_sgd_equals_weight_decay", "plain gradient descent with L2 equals weight decay", 0.0, 1.5e-9),
        ("b1", "penalty_is_quadratic", "slope of log penalty on log scale is 2", 2.0, 2.0),
        ("b2", "penalty_is_exponential", "log penalty is proportional to the scale", 1.0, 0.31),
        ("b1", "pull_is_linear", "the pull on a weight is beta times the weight", 0.0, 0.0),
        (
            "h1",
            "bayesian_ridge_is_ridge",
            "BayesianRidge has the coefficients of Ridge(alpha = lambda/alpha)",
            0.0,
            3e-15,
        ),
        (
            "h1",
            "ridge_maximises_the_posterior",
            "the gradient of the log posterior vanishes at the ridge solution",
            0.0,
            2e-13,
        ),
    ]
    rows: list[dict[str, Any]] = [
        {
            "claim": claim,
            "check": check,
            "statement": statement,
            "expected": expected,
            "obtained": obtained,
            "tolerance": 1e-8,
            "holds": abs(expected - obtained) <= 1e-8,
            "source": "computed",
        }
        for claim, check, statement, expected, obtained in checks
    ]
    rows[5]["points"] = {"scale": scale.tolist(), "penalty": (3.2 * scale**2).tolist()}
    rows[0]["trace"] = TRACE
    return rows


def oracles() -> list[dict[str, Any]]:
    """Known results in the shape of oracles.json: a number, a list of numbers, an inequality."""
    found = [
        ("deletion", "Leaving a row out moves the fit as the closed form says", 0.0, 3e-14, 1e-9),
        ("stackloss", "Least squares on stack loss", [-39.9197, 0.7156], [-39.91967, 0.71564], 5e-5),
        ("bound", "A flipped label moves the weights by at most 1/(beta·n)", "at most 1", 0.96, 0.0),
    ]
    return [
        {
            "name": name,
            "about": "published" if name == "stackloss" else "ridge",
            "statement": statement,
            "expected": expected,
            "obtained": obtained,
            "tolerance": tolerance,
            "holds": True,
            "source": f"source of {name}",
        }
        for name, statement, expected, obtained, tolerance in found
    ]


TRACE = {
    "weights": {"w_conv1": [1.0, -2.0], "w_fc1": [3.0]},
    "l2_loss": {"w_conv1": 2.5, "w_fc1": 4.5},
    "reg": 7.0,
    "beta": 0.01,
    "loss": [0.5, 1.5],
    "penalised_loss": [0.57, 1.57],
    "mean_loss": 1.0,
    "objective": 1.07,
    "learning_rate": 0.1,
    "gradient_loss": {"w_conv1": [0.2, 0.1], "w_fc1": [-0.3]},
    "gradient_penalty": {"w_conv1": [0.01, -0.02], "w_fc1": [0.03]},
    "updated": {"w_conv1": [0.979, -2.008], "w_fc1": [3.027]},
}


def cards() -> list[dict[str, Any]]:
    """Data cards of the made-up datasets."""
    blocks = {block.dataset: block for block in _blocks()}
    return [
        {
            "name": name,
            "role": block.role,
            "task": block.task,
            "rows": 500,
            "columns": 12,
            "classes": 3 if block.task == "classification" else None,
            "condition_number": block.condition,
            "collinear": block.condition > 30,
            "source": "synthetic:example",
            "licence": "CC0-1.0",
            "citation": "made up for testing",
            "description": "Made-up example data.",
            "prepared_sha256": f"{number:064x}",
        }
        for number, (name, block) in enumerate(sorted(blocks.items()))
    ]


@lru_cache(maxsize=1)
def registration() -> Registration:
    """The project's own registration."""
    return load(ROOT / "config" / "claims.yaml")


def choices() -> Choices:
    """The project's own choices, but one measure and one rule for beta: the page needs no more of them."""
    raw = yaml.safe_load((ROOT / "config" / "specifications.yaml").read_text(encoding="utf-8"))
    few = {**raw, **{axis: raw[axis][:1] for axis in ("metric", "margin", "beta")}}
    return load_choices(Document("specifications.yaml", few, {(): 1}))


@lru_cache(maxsize=1)
def _tables() -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int], dict[str, int], str]:
    runs = runs_table()
    collinear = {card["name"]: card["collinear"] for card in cards()}
    plan = runs[[*AXES, *ARM, "beta", "seed"]]
    evidence = Evidence(plan, runs, registration(), STRATA, collinear)
    effects, summary = estimate(evidence), summarise(evidence)
    behind = runs_behind(effects, runs, registration())
    curves = specify(evidence, effects, choices())
    return effects, summary, runs["status"].value_counts().sort_index().to_dict(), behind, canonical(curves)


def example(*, verdicts: bool = True) -> dict[str, Any]:
    """The keyword arguments of `Published`, on made-up data."""
    effects, summary, statuses, behind, curves = _tables()
    study = {"name": "example", "title": "made-up example data, no model was trained", "verdicts": verdicts}
    provenance = {
        "study": study,
        "registration_sha256": registration().sha256,
        "lock_sha256": "ab" * 32,
        "code_sha256": {"train": "cd" * 32, "judge": "ef" * 32},
        "versions": {"l2audit": "0.1.0", "python": "3.11", "numpy": "2.0"},
        "datasets": cards(),
        "contaminations": table(ROOT, "contaminations"),
        "runs": {
            "total": sum(statuses.values()),
            "by_status": statuses,
            "architectures": {name: name for _, name in sorted(LOSSES)},
            "kinds": ["clean", *STRATA],
        },
    }
    judged = judge(effects, registration(), identities(), n_runs=behind)
    judged["registered"] = registration_status(registration().sha256, {registration().sha256: 40})
    return {
        "verdicts": judged,
        "effects": effects.copy(),
        "summary": summary.copy(),
        "identities": identities(),
        "provenance": provenance,
        "study": study,
        "oracles": oracles(),
        "specifications": json.loads(curves),
        "calibration": json.loads((ROOT / "report/published/study-1/calibration.json").read_text(encoding="utf-8")),
    }
