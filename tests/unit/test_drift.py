"""The comparison of two processors: differences that are planted in a table of effects are found again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tools import drift

from l2audit.config.claims import Registration, load

CLAIMS = Path(__file__).parents[2] / "config" / "claims.yaml"
K, SEEDS = 6, 2


@pytest.fixture(scope="module")
def registration() -> Registration:
    """Claim c alone: weights get smaller, judged per family."""
    whole = load(CLAIMS)
    return replace(whole, claims=(whole["c"],))


def effects(theta: np.ndarray) -> pd.DataFrame:
    """theta (K, SEEDS) of linear models on clean rows."""
    rows = [
        {"claim": "c", "part": "c1", "role": "study", "dataset": f"d{k}", "task": "classification", "stratum": "all"}
        | {"arm": "linear", "level": "clean", "seed": seed, "beta": 0.1, "theta": theta[k, seed]}
        | {"ok": True, "reason": "", "active": True, "slope": 0.0}
        for k in range(K)
        for seed in range(SEEDS)
    ]
    return pd.DataFrame(rows)


def test_differences_are_those_of_scores_in_multiples_of_delta(registration: Registration) -> None:
    random = np.random.default_rng(0)
    theta, moved = random.normal(1, 0.1, (K, SEEDS)), random.normal(0, 0.02, (K, SEEDS))
    found = drift.compared(effects(theta), effects(theta + moved), registration)
    scores = moved.mean(axis=1) / registration["c"].parts[0].delta["classification"]
    (one,) = found["claims"]
    assert (one["claim"], one["rows"], one["datasets"]) == ("c", 1, K)
    assert one["sd"] == pytest.approx(scores.std(ddof=1), rel=1e-3)
    assert one["largest"] == pytest.approx(np.abs(scores).max(), rel=1e-3)
    assert one["distance"] == pytest.approx(2 * scores.std(ddof=1) / np.sqrt(K), rel=1e-3)
    assert found["verdicts"]["judged"] > 0
    assert found["verdicts"]["changed"] == []
    assert f"further than {one['distance']:.2g} delta from its boundary" in drift.text(found)


def test_a_verdict_that_changes_is_named(registration: Registration) -> None:
    theta = np.random.default_rng(1).normal(1, 0.01, (K, SEEDS))
    found = drift.compared(effects(theta), effects(-theta), registration)
    assert {"row": "c linear", "verdicts": ["supported", "refuted (reversed)"]} in found["verdicts"]["changed"]
    assert "  c linear: supported / refuted (reversed)" in drift.text(found)


def test_equal_numbers_say_nothing_of_other_processors(registration: Registration) -> None:
    table = effects(np.ones((K, SEEDS)))
    assert "nothing can be said" in drift.text(drift.compared(table, table, registration))


def test_a_part_has_all_levels_and_betas_of_its_study_and_fewer_seeds() -> None:
    shards, strata = drift.part_of("default", drift.DATASETS, drift.ARMS, 2)
    assert {(one.dataset, one.arm) for one in shards} == {(name, arm) for name in drift.DATASETS for arm in drift.ARMS}
    assert all(one.seeds == (0, 1) for one in shards)
    whole, _ = drift.part_of("default", drift.DATASETS, drift.ARMS, 99)
    assert [one.betas for one in shards] == [one.betas for one in whole]
    assert [one.contaminations for one in shards] == [one.contaminations for one in whole]
    assert strata["vert"] == "target"
