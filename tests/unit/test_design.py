"""The plan of a study: what is trained, in which jobs, and that neither depends on the order of a list."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from l2audit.config.load import load
from l2audit.config.study import Arm, Config, Contamination, Controls, Schedule, Study
from l2audit.data.split import Sizes
from l2audit.pipeline.fingerprints import code_files
from l2audit.pipeline.minutes import COMPILE_SECONDS, expected_seconds, shard_seconds
from l2audit.plan import MOST_WORK, Job, Run, Shard, jobs_of, plan, planned, restored_plan, stored_plan, work

LEVELS = {
    "classification": (Contamination("sym", 0.1), Contamination("sym", 0.2)),
    "regression": (Contamination("badlev", 0.1, 10), Contamination("vert", 0.1, 10)),
}
LOSSES = {"classification": ("cross_entropy",), "regression": ("huber", "squared")}


def arm(architecture: str, **changes: Any) -> Arm:
    primary = Arm(architecture, architecture, "l2", "adam", "clean", (0.0, 0.1), LOSSES)
    return replace(primary, **changes)


def config(**changes: Any) -> Config:
    study = Study(
        name="tiny",
        title="A study",
        verdicts=False,
        datasets=("digits", "iris", "diabetes"),
        controls=Controls(("planted",), ("linear",), ("badlev@0.1,10",)),
        architectures={
            "linear": arm("linear", betas=(0.0, 0.1, 1.0)),
            "mlp": arm("mlp", losses={**LOSSES, "regression": ("squared",)}),
            "conv": arm("conv", datasets=("digits",), levels=("sym@0.2",)),
        },
        further={},
        contaminations=LEVELS,
        seeds=4,
        rows={"train": 100, "validation": 100, "test": 100},
        training={"learning_rate": 0.01, "steps": 1000, "batch": 32},
    )
    tasks = {"digits": "classification", "iris": "classification", "diabetes": "regression", "planted": "regression"}
    layers = {"linear": [], "mlp": ["dense 64", "relu"], "conv": ["conv 16", "relu", "flatten"]}
    images = {"digits": {"image": [8, 8]}}
    return Config(
        root=Path(),
        file="config/studies/tiny.yaml",
        study=replace(study, **changes),
        datasets={name: {"task": task, **images.get(name, {})} for name, task in tasks.items()},
        architectures={name: {"layers": one} for name, one in layers.items()},
        contaminations={},
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
    runs = Counter(ids(plan(config())))
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


DATA, SIZES = "d" * 64, Sizes(75, 37, 38)


def ids(shards: list[Shard]) -> list[str]:
    """The ids of all runs of `shards`, in order."""
    return [shard.run_id(run, DATA, SIZES) for shard in shards for run in shard.runs()]


NETWORK = Shard(
    shard_id="iris.mlp-32.0",
    dataset="iris",
    arm="mlp-32",
    primary=True,
    architecture="mlp-32",
    losses=("cross_entropy",),
    penalty="l2",
    betas=(0.0, 0.1),
    optimizer="adam",
    scaling="clean",
    contaminations=(Contamination("sym", 0.2),),
    seeds=(0,),
    task="classification",
    role="study",
    layers=("dense 32", "relu"),
    rows=Sizes(100, 100, 100),
    schedule=Schedule(0.01, 20, 16),
)
RUN = Run("iris", "mlp-32", "cross_entropy", "l2", 0.1, "adam", "clean", Contamination("vert", 0.1, 10), 3)


def test_the_id_of_a_run_depends_on_every_axis() -> None:
    others = [
        replace(RUN, dataset="wine"),
        replace(RUN, architecture="mlp"),
        replace(RUN, loss="huber"),
        replace(RUN, penalty="l1"),
        replace(RUN, beta=0.2),
        replace(RUN, optimizer="sgd"),
        replace(RUN, scaling="robust"),
        replace(RUN, contamination=Contamination("badlev", 0.1, 10)),
        replace(RUN, contamination=Contamination("vert", 0.2, 10)),
        replace(RUN, contamination=Contamination("vert", 0.1, 5)),
        replace(RUN, seed=4),
    ]
    assert len({NETWORK.run_id(one, DATA, SIZES) for one in [RUN, *others]}) == len(RUN.axes) + 1


def test_the_id_of_a_run_depends_on_the_data_the_rows_the_layers_and_the_schedule() -> None:
    found = [
        NETWORK.run_id(RUN, DATA, SIZES),
        NETWORK.run_id(RUN, "e" * 64, SIZES),
        *(NETWORK.run_id(RUN, DATA, replace(SIZES, **{part: 20})) for part in ("train", "validation", "test")),
        replace(NETWORK, layers=("dense 32", "tanh")).run_id(RUN, DATA, SIZES),
        *(
            replace(NETWORK, schedule=schedule).run_id(RUN, DATA, SIZES)
            for schedule in (None, Schedule(0.02, 20, 16), Schedule(0.01, 30, 16), Schedule(0.01, 20, 32))
        ),
    ]
    assert len(set(found)) == len(found)


def test_the_id_of_a_run_depends_on_nothing_that_moves_no_number_of_it() -> None:
    same = [
        replace(NETWORK, shard_id="iris.other.1", arm="other", primary=False, role="control"),
        replace(NETWORK, betas=(0.0, 0.1, 1.0), seeds=(0, 3), losses=("cross_entropy", "x"), contaminations=()),
        replace(NETWORK, rows=Sizes(400, 400, 1000)),  # a cap that does not bite
    ]
    assert {one.run_id(RUN, DATA, SIZES) for one in [NETWORK, *same]} == {NETWORK.run_id(RUN, DATA, SIZES)}
    whole = [replace(NETWORK, schedule=Schedule(0.01, 20, batch)) for batch in (75, 76, 1000)]
    assert len({one.run_id(RUN, DATA, SIZES) for one in whole}) == 1  # every step takes all rows


def test_the_id_of_a_run_is_frozen() -> None:
    """Results name their runs by it: a change here makes all stored results unreadable."""
    assert NETWORK.run_id(RUN, DATA, SIZES) == "b214734f9e7e093a"


def test_whole_numbers_and_floats_name_the_same_run() -> None:
    same = replace(RUN, beta=1.0, contamination=Contamination("vert", 0.1, 10.0))
    whole = replace(RUN, beta=1, contamination=Contamination("vert", 0.1, 10))
    assert NETWORK.run_id(same, DATA, SIZES) == NETWORK.run_id(whole, DATA, SIZES)


def test_unequal_levels_have_unequal_names() -> None:
    rates = [0.2, 0.2000001, 0.20000000000000004, 1e-7, 1e-5, 0.5]
    names = {
        Contamination(kind, rate, size).level for kind in ("a", "b") for rate in rates for size in (10, 10.0000001)
    }
    assert len(names) == 2 * len(rates) * 2
    assert Contamination("vert", 0.2, 10.0).level == "vert@0.2,10"


def test_linear_models_are_solved_exactly() -> None:
    assert {shard.arm: shard.optimizer for shard in plan(config())} == {
        "linear": "exact",
        "mlp": "adam",
        "conv": "adam",
    }


FURTHER = {
    "as-printed": arm("mlp", name="as-printed", penalty="l2 except output", datasets=("iris",), levels=("sym@0.2",)),
    "robust": arm("linear", name="robust", optimizer="adam", scaling="robust", levels=(), seeds=2),
}


def test_arms_are_trained_beside_the_primary_ones() -> None:
    primary = {shard.shard_id: shard for shard in plan(config())}
    both = {shard.shard_id: shard for shard in plan(config(further=FURTHER))}
    assert {name: both[name] for name in primary} == primary
    assert set(both) - set(primary) == {
        "iris.as-printed.0",
        "diabetes.robust.0",
        "digits.robust.0",
        "iris.robust.0",
    }
    printed = both["iris.as-printed.0"]
    assert (printed.arm, printed.architecture, printed.penalty) == ("as-printed", "mlp", "l2 except output")
    assert (printed.primary, printed.optimizer, printed.scaling) == (False, "adam", "clean")
    assert [one.level for one in printed.contaminations] == ["clean", "sym@0.2"]
    robust = both["diabetes.robust.0"]
    assert (robust.optimizer, robust.scaling, robust.seeds) == ("exact", "robust", (0, 1))
    assert [one.level for one in robust.contaminations] == ["clean"]
    assert all(shard.primary for shard in primary.values())


def test_runs_of_an_arm_differ_from_the_primary_ones_in_its_own_axes_alone() -> None:
    runs = {(row["arm"], row["dataset"]): row for row in planned(plan(config(further=FURTHER)))}
    changed = {
        axis
        for axis, value in runs["robust", "iris"].items()
        if value != runs["linear", "iris"][axis] and axis not in ("seed", "beta", "level", "kind", "rate", "magnitude")
    }
    assert changed == {"arm", "primary", "scaling"}


def test_no_run_is_planned_twice_with_arms() -> None:
    runs = Counter(ids(plan(config(further=FURTHER))))
    assert set(runs.values()) == {1}


def test_a_larger_network_is_expected_to_take_longer() -> None:
    wide = config(further={"wide": arm("mlp", name="wide", penalty="none")})
    wider = replace(wide, architectures={**wide.architectures, "mlp": {"layers": ["dense 640", "relu"]}})
    one, other = (
        next(shard_seconds(each, shard) for shard in plan(each) if shard.shard_id == "iris.wide.0")
        for each in (wide, wider)
    )
    assert other - COMPILE_SECONDS == pytest.approx(10 * (one - COMPILE_SECONDS))


def test_a_larger_image_is_expected_to_take_longer() -> None:
    def seconds(side: int) -> float:
        base = config()
        images = {**base.datasets, "digits": {"task": "classification", "image": [side, side]}}
        each = replace(base, datasets=images)
        return sum(shard_seconds(each, shard) - COMPILE_SECONDS for shard in plan(each) if shard.arm == "conv")

    assert seconds(8) == pytest.approx(4 * seconds(4))
    assert seconds(24) == pytest.approx(4 * seconds(12))  # trained by another engine


def test_a_linear_model_of_more_columns_is_expected_to_take_longer_and_l1_longer_still() -> None:
    l1 = arm("linear", name="l1", penalty="l1 with biases", betas=(0.0, 0.1, 1.0))
    unused = arm("linear", name="unused", penalty="placebo", betas=(0.0, 0.1, 1.0))

    def seconds(columns: int) -> dict[str, float]:
        each = config(further={"l1": l1, "unused": unused})
        each = replace(
            each, datasets={**each.datasets, "diabetes": {"task": "regression", "facts": {"columns": columns}}}
        )
        return {one.arm: shard_seconds(each, one) for one in plan(each) if one.dataset == "diabetes"}

    few, many = seconds(10), seconds(50)
    assert all(0 < few[name] < many[name] for name in ("linear", "l1", "unused"))
    assert few["linear"] == few["unused"] < few["l1"]
    assert many["linear"] == many["unused"] < many["l1"]


def test_a_long_shard_is_split_by_seed_and_by_nothing_else() -> None:
    long = config(training={"learning_rate": 0.01, "steps": 40_000, "batch": 32})
    parts = [shard for shard in plan(long) if shard.architecture == "conv"]
    assert len(parts) > 1
    assert sorted(seed for shard in parts for seed in shard.seeds) == [0, 1, 2, 3]
    whole = {replace(shard, shard_id="", seeds=()) for shard in parts}
    assert len(whole) == 1
    single = [shard for shard in plan(config()) if shard.architecture == "conv"]
    assert {run for shard in parts for run in shard.runs()} == {run for shard in single for run in shard.runs()}


def test_shards_stay_near_the_work_aimed_at() -> None:
    long = config(training={"learning_rate": 0.01, "steps": 40_000, "batch": 32}, seeds=20)
    for shard in plan(long):
        total = shard.size * work(long, long.study.arms[shard.arm], shard.dataset)
        assert len(shard.seeds) == 1 or total < 2 * MOST_WORK


def test_a_better_guess_of_minutes_changes_no_plan_and_trains_nothing_again() -> None:
    """Guesses stand in a module that no job which makes a result can reach."""
    root = Path(__file__).parents[2]
    guesses = root / "src/l2audit/pipeline/minutes.py"
    makers = {path.stem for path in (root / "scripts").glob("*.py")}
    assert guesses.exists()
    assert "train" in makers
    assert not [name for name in makers if guesses in code_files(root, name)]


@pytest.mark.parametrize("seeds", [2, 3, 7, 10])
def test_seeds_are_split_evenly(seeds: int) -> None:
    long = config(training={"learning_rate": 0.01, "steps": 20_000, "batch": 32}, seeds=seeds)
    parts = [shard.seeds for shard in plan(long) if shard.architecture == "conv"]
    assert [seed for part in parts for seed in part] == list(range(seeds))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_job_has_shards_of_one_dataset_and_stays_near_the_work_aimed_at() -> None:
    long = config(training={"learning_rate": 0.01, "steps": 3_000, "batch": 32}, seeds=8)
    jobs = jobs_of(long)
    assert [shard for job in jobs.values() for shard in job.shards] == plan(long)
    assert len({job.dataset for job in jobs.values()}) < len(jobs) < len(plan(long))
    for name, job in jobs.items():
        assert (name, {shard.dataset for shard in job.shards}) == (job.job_id, {job.dataset})
        efforts = [shard.size * work(long, long.study.arms[shard.arm], shard.dataset) for shard in job.shards]
        assert len(efforts) == 1 or sum(efforts) <= MOST_WORK
        assert Job.from_json(job.to_json()) == job


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(stored_plan(config()), encoding="utf-8")
    shards, strata = restored_plan(path)
    assert shards == plan(config())
    assert strata == {kind: entry["stratum"] for kind, entry in config().contaminations.items()}


def test_a_shard_survives_its_json() -> None:
    for shard in plan(config()):
        assert Shard.from_json(json.loads(shard.to_json())) == shard


def test_clean_comes_first_and_levels_are_sorted() -> None:
    levels = [
        one.level
        for one in next(shard for shard in plan(config()) if shard.shard_id == "diabetes.linear.0").contaminations
    ]
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
        sum(expected_seconds(one, job) for job in jobs_of(one).values())
        for one in (config(training={"learning_rate": 0.1, "steps": steps, "batch": 8}) for steps in (10, 100, 1000))
    ]
    assert all(cheap < dear for cheap, dear in pairwise(costs))


def test_the_studies_train_an_architecture_at_one_learning_rate() -> None:
    """A rate that was found too high for an architecture in one study is too high in the others."""
    rates = defaultdict[str, set[float]](set)
    for name in ("quick", "default", "full"):
        study = load(Path(__file__).parents[2], name).study
        for arm in study.architectures:
            rates[arm].add(study.schedule(arm).learning_rate)
    assert {"conv5", "mlp-adam", "mlp-sgd"} <= rates.keys()
    assert {arm: found for arm, found in rates.items() if len(found) > 1} == {}
