"""The plan of a study: what is trained, in which jobs, and that neither depends on the order of a list."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from l2audit.config.study import ArchitectureUse, Config, Contamination, Controls, Study
from l2audit.design import SHARD_SECONDS, Run, Shard, expected_seconds, plan, planned, shards_by_id

LEVELS = {
    "classification": (Contamination("sym", 0.1), Contamination("sym", 0.2)),
    "regression": (Contamination("badlev", 0.1, 10), Contamination("vert", 0.1, 10)),
}
LOSSES = {"classification": ("cross_entropy",), "regression": ("huber", "squared")}


def config(**changes: Any) -> Config:
    study = Study(
        name="tiny",
        title="A study",
        verdicts=False,
        datasets=("digits", "iris", "diabetes"),
        controls=Controls(("planted",), ("linear",), ("badlev@0.1,10",)),
        architectures={
            "linear": ArchitectureUse("linear", (0.0, 0.1, 1.0), LOSSES),
            "mlp": ArchitectureUse("mlp", (0.0, 0.1), {**LOSSES, "regression": ("squared",)}),
            "conv": ArchitectureUse("conv", (0.0, 0.1), LOSSES, ("digits",), ("sym@0.2",)),
        },
        contaminations=LEVELS,
        seeds=4,
        penalty="l2",
        optimizer="adam",
        rows={"train": 100, "validation": 100, "test": 100},
        training={"learning_rate": 0.01, "steps": 1000, "batch": 32},
        models_per_program=8,
    )
    tasks = {"digits": "classification", "iris": "classification", "diabetes": "regression", "planted": "regression"}
    layers = {"linear": [], "mlp": ["dense 64", "relu"], "conv": ["conv 16", "relu"]}
    return Config(
        root=Path(),
        study=replace(study, **changes),
        datasets={name: {"task": task} for name, task in tasks.items()},
        architectures={name: {"layers": one} for name, one in layers.items()},
        contaminations={},
        claims={},
    )


def test_every_dataset_meets_every_architecture_that_is_not_restricted() -> None:
    assert [shard.shard_id for shard in plan(config())] == [
        "diabetes.linear.0",
        "diabetes.mlp.0",
        "digits.conv.0",
        "digits.linear.0",
        "digits.mlp.0",
        "iris.linear.0",
        "iris.mlp.0",
        "planted.linear.0",
    ]


def test_the_number_of_runs_is_the_product_of_the_axes() -> None:
    sizes = {shard.shard_id: shard.size for shard in plan(config())}
    assert sizes["diabetes.linear.0"] == 2 * 3 * 3 * 4  # losses, levels with clean, betas, seeds
    assert sizes["iris.mlp.0"] == 1 * 3 * 2 * 4
    assert sizes["digits.conv.0"] == 1 * 2 * 2 * 4  # clean and sym@0.2
    assert sizes["planted.linear.0"] == 2 * 2 * 3 * 4  # clean and the control's level
    for shard in plan(config()):
        assert len(list(shard.runs())) == shard.size


def test_no_run_is_planned_twice() -> None:
    runs = Counter(run.run_id for shard in plan(config()) for run in shard.runs())
    assert set(runs.values()) == {1}


def test_the_plan_does_not_depend_on_the_order_of_lists() -> None:
    base = config()
    shuffled = random.Random(1)
    for _ in range(5):
        names = list(base.study.architectures)
        shuffled.shuffle(names)
        datasets = list(base.study.datasets)
        shuffled.shuffle(datasets)
        other = config(
            datasets=tuple(datasets),
            architectures={name: base.study.architectures[name] for name in names},
            contaminations={task: tuple(reversed(levels)) for task, levels in reversed(LEVELS.items())},
        )
        assert plan(other) == plan(base)


def test_the_id_of_a_run_depends_on_every_axis() -> None:
    run = Run("iris", "linear", "squared", "l2", 0.1, "exact", Contamination("vert", 0.1, 10), 3)
    others = [
        replace(run, dataset="wine"),
        replace(run, architecture="mlp"),
        replace(run, loss="huber"),
        replace(run, penalty="l1"),
        replace(run, beta=0.2),
        replace(run, optimizer="adam"),
        replace(run, contamination=Contamination("badlev", 0.1, 10)),
        replace(run, contamination=Contamination("vert", 0.2, 10)),
        replace(run, contamination=Contamination("vert", 0.1, 5)),
        replace(run, seed=4),
    ]
    assert len({one.run_id for one in [run, *others]}) == len(run.axes) + 1


def test_the_id_of_a_run_is_frozen() -> None:
    """Results name their runs by it: a change here makes all stored results unreadable."""
    run = Run("iris", "linear", "cross_entropy", "l2", 0.001, "exact", Contamination("sym", 0.2), 0)
    assert run.run_id == "f3f40848cf04534c"


def test_whole_numbers_and_floats_name_the_same_run() -> None:
    one = Run("iris", "linear", "squared", "l2", 1.0, "exact", Contamination("vert", 0.1, 10.0), 3)
    assert replace(one, beta=1, contamination=Contamination("vert", 0.1, 10)).run_id == one.run_id


def test_linear_models_are_solved_exactly() -> None:
    assert {shard.architecture: shard.optimizer for shard in plan(config())} == {
        "linear": "exact",
        "mlp": "adam",
        "conv": "adam",
    }


def test_a_long_shard_is_split_by_seed_and_by_nothing_else() -> None:
    long = config(training={"learning_rate": 0.01, "steps": 40_000, "batch": 32})
    parts = [shard for shard in plan(long) if shard.architecture == "conv"]
    assert len(parts) > 1
    assert sorted(seed for shard in parts for seed in shard.seeds) == [0, 1, 2, 3]
    whole = {replace(shard, shard_id="", seeds=()) for shard in parts}
    assert len(whole) == 1
    single = [run for shard in plan(config()) if shard.architecture == "conv" for run in shard.runs()]
    assert {run.run_id for shard in parts for run in shard.runs()} == {run.run_id for run in single}


def test_shards_stay_near_the_time_aimed_at() -> None:
    long = config(training={"learning_rate": 0.01, "steps": 40_000, "batch": 32}, seeds=20)
    for shard in plan(long):
        assert len(shard.seeds) == 1 or expected_seconds(long, shard) < 2 * SHARD_SECONDS


@pytest.mark.parametrize("seeds", [2, 3, 7, 10])
def test_seeds_are_split_evenly(seeds: int) -> None:
    long = config(training={"learning_rate": 0.01, "steps": 20_000, "batch": 32}, seeds=seeds)
    parts = [shard.seeds for shard in plan(long) if shard.architecture == "conv"]
    assert [seed for part in parts for seed in part] == list(range(seeds))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_shard_survives_its_json() -> None:
    for shard in plan(config()):
        assert Shard.from_json(json.loads(shard.to_json())) == shard


def test_clean_comes_first_and_levels_are_sorted() -> None:
    levels = [one.level for one in shards_by_id(config())["diabetes.linear.0"].contaminations]
    assert levels == ["clean", "badlev@0.1,10", "vert@0.1,10"]


def test_planned_rows_carry_the_role_and_the_task() -> None:
    rows = list(planned(plan(config())))
    assert {(row["dataset"], row["role"], row["task"]) for row in rows} == {
        ("digits", "study", "classification"),
        ("iris", "study", "classification"),
        ("diabetes", "study", "regression"),
        ("planted", "control", "regression"),
    }
    assert len(rows) == sum(shard.size for shard in plan(config()))


def test_a_shard_costs_more_with_more_steps() -> None:
    costs = [
        sum(expected_seconds(one, shard) for shard in plan(one))
        for one in (config(training={"learning_rate": 0.1, "steps": steps, "batch": 8}) for steps in (10, 100, 1000))
    ]
    assert all(cheap < dear for cheap, dear in pairwise(costs))
