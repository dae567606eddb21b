"""The benchmark's arithmetic, its conversation with the contenders, and that its page shows what was measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from benchmarks import figures, study
from benchmarks.__main__ import BEGIN, END, PAGE, THROUGHPUT, assembled, with_tables
from benchmarks.measure import FULL, QUICK, SIDES, take_turns
from benchmarks.processes import Contender, job_environment, plain_environment, teams
from benchmarks.workload import cross_entropy, digits, flop_of_step, mlp, network_of
from l2audit.errors import UserError
from l2audit.pipeline.jobs import WALL, note_wall

PROMISED = {
    "keras_ratio",
    "sklearn_ratio",
    "jax_ratio",
    "sgemm_share_64",
    "sgemm_share_256",
    "conv5_keras_ratio",
    "pipeline_overhead",
    "default_study_minutes",
    "default_study_models",
    "machine",
}
SPEEDS = {"ours": 50.0, "keras": 0.2, "sklearn": 2.5, "jax": 40.0}


def turns(*rates: float, **more: float) -> list[dict[str, float]]:
    return [{"rate": rate, "loss": 0.01, **more} for rate in rates]


def made_up() -> dict[str, Any]:
    """Results of rounds in which every contender has its round number in it."""
    rounds: figures.Rounds = {"sgemm": [{"gflops": 100.0}, {"gflops": 200.0}], "ours.sgd": turns(100.0, 100.0)}
    for optimizer in figures.OPTIMIZERS:
        for name, speed in SPEEDS.items():
            more = {"compiled_rate": 2 * speed} if name == "keras" else {}
            rounds[f"{name}.{optimizer}"] = turns(speed, speed, **more)
    wide = {"sgemm": rounds["sgemm"], **{f"ours.{one}": turns(4.0, 4.0) for one in ("momentum", "adam", "sgd")}}
    conv = {
        side: {
            "sgemm": [{"gflops": 100.0}],
            "ours.momentum": turns(6.0),
            "keras.momentum": turns(0.5, compiled_rate=1.0),
        }
        for side in SIDES
    }
    cost = [
        {
            "models": 10**power,
            "milliseconds_a_model": 5.0 - power,
            "milliseconds_a_model_with_start": 9.0,
            "peak_memory_mb": 500.0,
        }
        for power in (2, 3)
    ]
    return {
        **assembled(replace(FULL, rounds=2), {"rounds": rounds}, wide, conv, cost),
        "default_study_minutes": 9.0,
        "default_study_models": 12_000,
        "pipeline_overhead": 1.3,
        "machine": {"processor": "made up", "cores": 2, "vector_instructions": ["avx2"], "versions": {"numpy": "2"}},
        "notes": {"jax_ratio": "a note"},
        "quick": False,
    }


def test_ratios_and_shares_are_medians_of_ratios_within_a_round() -> None:
    results = made_up()
    assert results["keras_ratio"] == 250
    assert results["keras_compiled_ratio"] == 125
    assert results["sklearn_ratio"] == 20
    assert results["jax_ratio"] == 1.25
    flop = 6 * 64 * (64 * 64 + 64 * 64 + 64 * 10) * 800
    expected = [50 * flop / 100e9, 50 * flop / 200e9]
    assert results["sgemm_share_64"] == pytest.approx(np.mean(expected))
    assert results["spread"]["sgemm_share_64"] == pytest.approx([expected[1], expected[0]])
    assert results["conv5_keras_ratio"] == [6, 6, 6]
    assert results["adam"]["profile"]["time_over_sgd_64_adam"] == 2
    assert results["adam"]["profile"]["time_over_sgd_256_momentum"] == 1


published = pytest.mark.skipif(not THROUGHPUT.exists(), reason="no full `make bench` has been published")


@published
def test_results_have_every_key_that_was_promised() -> None:
    assert set(made_up()) >= PROMISED
    assert set(json.loads(THROUGHPUT.read_text(encoding="utf-8"))) >= PROMISED


@published
def test_the_page_shows_what_was_measured() -> None:
    page = PAGE.read_text(encoding="utf-8")
    text = THROUGHPUT.read_text(encoding="utf-8")
    results = json.loads(text)
    assert page == with_tables(page, results)
    assert text == figures.to_json(figures.rounded(results))
    assert page.count(BEGIN) == page.count(END) == 1


@published
def test_the_published_figures_are_those_of_a_full_run() -> None:
    assert json.loads(THROUGHPUT.read_text(encoding="utf-8"))["quick"] is False


def test_the_tables_tell_every_target_and_whether_it_is_met() -> None:
    text = figures.markdown(made_up())
    for target in figures.TARGETS:
        assert target.text in text
    assert "| 250 | 250 to 250 | met |" in text
    assert "| ≤ 1.2 | 1.3 |  | **not met** |" in text
    assert "`jax_ratio`: a note" in text


def test_what_was_not_measured_is_called_so_and_never_met() -> None:
    results = {**made_up(), "jax_ratio": None}
    assert "| ≥ 1.1 | not measured |" in figures.markdown(results)
    assert "not measured" in figures.verdicts(results)
    assert not any(target.met(None) for target in figures.TARGETS)


def test_a_target_is_lost_where_it_was_met_and_is_missed_by_more_than_a_fifth() -> None:
    published = made_up()
    assert figures.lost(published, published) == []
    assert figures.lost(published, {**published, "keras_ratio": 161.0}) == []
    (told,) = figures.lost(published, {**published, "keras_ratio": 159.0})
    assert "≥ 200 was met (250), now 159" in told
    assert figures.lost(published, {**published, "default_study_minutes": 11.9}) == []
    assert len(figures.lost(published, {**published, "default_study_minutes": 12.1})) == 1
    assert figures.lost(published, {**published, "pipeline_overhead": 9.0}) == []  # it was not met before either
    assert figures.lost(published, {**published, "jax_ratio": None}) == []


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=6))
def test_growth_is_at_most_one_exactly_where_costs_never_rise(costs: list[float]) -> None:
    falls = all(later <= min(costs[:at]) for at, later in enumerate(costs[1:], 1))
    assert (figures.growth(costs) <= 1) == falls


def test_operations_are_counted_by_hand() -> None:
    dense = flop_of_step(network_of(mlp(64), 8))
    assert dense["convention"] == 6 * 64 * 8832
    assert dense["convention"] - dense["needed"] == 2 * 64 * 64 * 64
    layers = ["conv 4", "relu", "conv 8 stride 2", "flatten"]
    products = 8 * 8 * 9 * 1 * 4 + 4 * 4 * 9 * 4 * 8 + 4 * 4 * 8 * 10
    assert flop_of_step(network_of(layers, 8))["convention"] == 6 * 64 * products


@pytest.mark.parametrize("side", SIDES)
def test_every_contender_gets_the_same_digits(side: int) -> None:
    X, y = digits(side)
    assert X.shape == (1024, side * side)
    assert X.dtype == np.float32
    assert 0 <= X.min() < X.max() <= 1
    assert np.array_equal(np.unique(y), np.arange(10))


def test_cross_entropy_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    logits, y = rng.normal(scale=5, size=(40, 10)), np.arange(40) % 10
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert cross_entropy(logits, y) == pytest.approx(log_loss(y, probabilities))


def test_contenders_take_turns() -> None:
    order: list[str] = []

    def turn(name: str) -> dict[str, float]:
        order.append(name)
        return {"rate": float(len(order))}

    said: list[str] = []
    found = take_turns({"a": lambda: turn("a"), "b": lambda: turn("b")}, 2, said.append)
    assert order == ["a", "b", "a", "b"]
    assert found == {"a": [{"rate": 1.0}, {"rate": 3.0}], "b": [{"rate": 2.0}, {"rate": 4.0}]}
    assert len(said) == 4


def test_a_team_answers_and_tells_why_it_ended(tmp_path: Path) -> None:
    contender = Contender("sklearn_mlp", job_environment(), count=2)
    with teams(tmp_path, sklearn=contender) as crew:
        answer = crew["sklearn"].ask("train", width=4, optimizer="momentum", models=1, passes=2)
        assert len(answer.replies) == 2
        assert answer.replies[0]["loss"] == answer.replies[1]["loss"] == answer.mean("loss")
        assert answer.seconds >= max(answer.replies[0]["seconds"])
        with pytest.raises(UserError, match="KeyError: 'dance'"):
            crew["sklearn"].ask("dance")
    assert all(process.poll() is not None for process in crew["sklearn"].processes)


def test_contenders_are_not_told_how_many_threads_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS"):
        monkeypatch.setenv(name, "1")
        assert name not in plain_environment()


def test_a_contender_without_this_project_can_read_the_workload() -> None:
    absent = "; ".join(f"sys.modules[{name!r}] = None" for name in ("l2audit", "scipy", "sklearn", "tensorflow"))
    code = f"import sys; {absent}; import benchmarks.contenders.serving, benchmarks.workload"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PAGE.parents[1], env=plain_environment())


def benchmark(folder: Path, shard: str, seconds: float, at: float) -> Path:
    path = folder / f"{shard}.tsv"
    path.write_text(f"s\th:m:s\n{seconds}\t0:00:01\n", encoding="utf-8")
    os.utime(path, (at, at))
    return path


def test_the_wall_is_noted_only_of_a_run_that_trained_everything(tmp_path: Path) -> None:
    wall = tmp_path / WALL
    now = 2_000_000_000.0
    old, new = benchmark(tmp_path, "a", 30.0, now - 10), benchmark(tmp_path, "b", 12.5, now + 10)
    note_wall(wall, now, 2, [old, new])
    note_wall(wall, now, 2, [new, tmp_path / "c.tsv"])
    assert not wall.exists()
    note_wall(wall, now - 20, 2, [old, new])
    noted = json.loads(wall.read_text(encoding="utf-8"))
    assert (noted["cores"], noted["jobs"], noted["training_seconds"]) == (2, 2, 42.5)


def test_the_default_study_is_read_from_its_results(tmp_path: Path) -> None:
    figures_before, why = study.figures_of(tmp_path)
    assert set(figures_before.values()) == {None}
    assert WALL in str(why)
    for number, seconds in enumerate(("100.000", "140.000")):
        log = tmp_path / "logs" / "train" / f"a.b.{number}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"2026-01-01 10:00:00,000 trained 3 models in {seconds} s\nmore\n", encoding="utf-8")
    wall = {"cores": 2, "jobs": 2, "seconds": 150.0, "training_seconds": 250.0}
    (tmp_path / WALL).write_text(json.dumps(wall), encoding="utf-8")
    found, why = study.figures_of(tmp_path)
    assert why is None
    assert found == {
        "default_study_cores": 2,
        "default_study_minutes": 2.5,
        "default_study_models": 6,
        "pipeline_overhead": 1.2,
        "pipeline_overhead_inside": 1.25,
    }


def test_a_quick_run_measures_the_same_things_with_less_of_each() -> None:
    for name, value in vars(QUICK).items():
        full = getattr(FULL, name)
        assert len(value) <= len(full) if name.endswith(("chunks", "cost_models")) else value <= full
