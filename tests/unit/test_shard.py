"""One shard, trained for real on tiny data: scalings, placebos, columns, and predictions that can be scored anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.study import TRAINED
from l2audit.config.study import CLEAN, Contamination, Schedule
from l2audit.contamination import contaminate
from l2audit.data.arrays import Prepared
from l2audit.data.split import Sizes
from l2audit.effects.grid import Grid, Thresholds
from l2audit.errors import DamagedFile
from l2audit.files import sha256_of
from l2audit.measures import Part
from l2audit.plan import Shard
from l2audit.runs import shard as under_test
from l2audit.runs.kept import Trained
from l2audit.runs.levels import level_of, replicate_of
from l2audit.runs.predictions import LOWEST, Predictions, predictions_of, predictions_table, rescored
from l2audit.runs.results import COLUMNS
from l2audit.runs.shard import train_shard, training_seed

CAPS = Sizes(40, 30, 30)
SCHEDULE = Schedule(0.01, 20, 16)
DATA = "d" * 64
ORIGIN = {"code_sha256": "c", "data_sha256": DATA}
LAYERS = {"linear": [], "mlp": ["dense 8", "relu"]}
KINDS = {"classification": Contamination("sym", 0.2), "regression": Contamination("badlev", 0.2, 10)}
LOSSES = {"classification": ("cross_entropy",), "regression": ("huber", "squared")}


@cache
def prepared(task: str) -> Prepared:
    random = np.random.default_rng(5)
    X = random.normal(size=(120, 4)) * [1, 10, 0.1, 3] + [0, 5, -1, 2]
    score = X @ [1.0, 0.2, 3.0, -0.5] + random.normal(size=120)
    classes = np.digitize(score, np.quantile(score, [0.3, 0.7]))
    return Prepared("toy", task, X, classes if task == "classification" else 50 + 7 * score)


def shard_of(task: str, architecture: str = "linear", **changes: Any) -> Shard:
    whole = Shard(
        shard_id=f"toy.{architecture}.0",
        dataset="toy",
        arm=architecture,
        primary=True,
        architecture=architecture,
        losses=LOSSES[task] if architecture == "linear" else LOSSES[task][-1:],
        penalty="l2",
        betas=(0.0, 0.01, 0.1),
        optimizer="adam" if LAYERS[architecture] else "exact",
        scaling="clean",
        contaminations=(CLEAN, KINDS[task]),
        seeds=(0, 1, 2),
        task=task,
        role="study",
        layers=tuple(LAYERS[architecture]),
        rows=CAPS,
        schedule=SCHEDULE if LAYERS[architecture] else None,
    )
    return replace(whole, **changes)


@cache
def trained(shard: Shard) -> Trained:
    return train_shard(shard, prepared(shard.task), ORIGIN)


def by_id(shard: Shard) -> dict[str, Mapping[str, Any]]:
    """The axes of every run by its id; no cap of CAPS leaves the 120 rows of `prepared` more than it."""
    return {shard.run_id(run, DATA, CAPS): run.axes for run in shard.runs()}


def runs(shard: Shard) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    rows = trained(shard).runs.to_pylist()
    return {(row["loss"], row["beta"], row["level"], row["seed"]): row for row in rows}


TASKS = pytest.mark.parametrize("task", sorted(KINDS))
SCALED = pytest.mark.parametrize("scaling", ["contaminated", "robust"])


@TASKS
def test_every_planned_run_is_a_row_with_its_axes(task: str) -> None:
    shard = shard_of(task, scaling="robust", penalty="l2 with biases")
    rows = trained(shard).runs.to_pylist()
    assert {row["run_id"] for row in rows} == set(by_id(shard))
    assert len(rows) == shard.size
    axes = by_id(shard)
    assert all({axis: row[axis] for axis in axes[row["run_id"]]} == axes[row["run_id"]] for row in rows)
    assert trained(shard).runs.column_names == [column.name for column in COLUMNS]
    assert {row["train_loss_half"] for row in rows} == {None}  # exact solvers have no schedule


@TASKS
def test_a_runs_numbers_do_not_depend_on_its_shard(task: str) -> None:
    whole = runs(shard_of(task, scaling="robust"))
    part = runs(shard_of(task, scaling="robust", seeds=(2,), betas=(0.0, 0.1)))
    for key, row in part.items():
        assert row == whole[key]


# --- scaling -------------------------------------------------------------------------------------------------------


@TASKS
def test_clean_scaling_leaves_the_rows_as_they_were_contaminated(task: str) -> None:
    replicate = replicate_of(prepared(task), 1, CAPS)
    level = level_of("toy", 1, KINDS[task], replicate, "clean")
    hit = contaminate(
        replicate.train,
        replicate.reference,
        kind=KINDS[task].kind,
        rate=KINDS[task].rate,
        magnitude=KINDS[task].magnitude,
        dataset="toy",
        seed=1,
        part="train",
    )
    assert level.clean is replicate
    np.testing.assert_array_equal(level.train.X, hit.X)
    np.testing.assert_array_equal(level.train.y, hit.y)


@TASKS
@SCALED
def test_every_row_of_a_level_is_rescaled_by_its_contaminated_training_rows(task: str, scaling: str) -> None:
    """By hand: centre and spread of the contaminated training rows, in the clean scaling, taken from all rows."""
    replicate = replicate_of(prepared(task), 1, CAPS)
    before, after = (level_of("toy", 1, KINDS[task], replicate, how) for how in ("clean", scaling))

    def moved(values: np.ndarray, by: np.ndarray) -> np.ndarray:
        if scaling == "contaminated":
            return (values - by.mean(axis=0)) / by.std(axis=0)
        centre = np.median(by, axis=0)
        return (values - centre) / (1.4826 * np.median(np.abs(by - centre), axis=0))

    pairs = [
        (before.train, after.train),
        (before.validation, after.validation),
        (before.clean.train, after.clean.train),
        (before.clean.validation, after.clean.validation),
        (before.clean.test, after.clean.test),
    ]
    for old, new in pairs:
        np.testing.assert_allclose(new.X, moved(old.X, before.train.X), rtol=1e-10, atol=1e-12)
        expected = old.y if task == "classification" else moved(old.y, before.train.y)
        np.testing.assert_allclose(new.y, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(after.train.mask, before.train.mask)
    np.testing.assert_array_equal(after.train.relabelled, before.train.relabelled)
    np.testing.assert_array_equal(after.clean.reference.rows.X, after.clean.train.X)


@SCALED
def test_scaling_does_not_matter_to_least_squares_and_does_to_ridge(scaling: str) -> None:
    """At beta = 0 predictions are equivariant, so nRMSE on clean test rows stays; a penalty depends on the units."""
    clean, scaled = runs(shard_of("regression")), runs(shard_of("regression", scaling=scaling))
    for level in ("clean", "badlev@0.2,10"):
        one, other = (found["squared", 0.0, level, 0]["test_risk"] for found in (clean, scaled))
        assert other == pytest.approx(one, rel=1e-5)
    one, other = (found["squared", 0.1, "badlev@0.2,10", 0]["test_risk"] for found in (clean, scaled))
    assert abs(other - one) > 1e-3


def test_scaling_by_contaminated_rows_is_scaling_by_clean_ones_where_nothing_is_contaminated() -> None:
    clean, scaled = runs(shard_of("regression")), runs(shard_of("regression", scaling="contaminated"))
    for key, row in clean.items():
        if row["level"] == "clean":
            assert scaled[key]["test_risk"] == pytest.approx(row["test_risk"], rel=1e-5)


# --- placebo -------------------------------------------------------------------------------------------------------


def test_a_placebo_is_drawn_afresh_for_each_seed_and_beta_and_nothing_else_is() -> None:
    drawn = {training_seed("placebo", seed, beta) for seed in range(10) for beta in (0.0, 0.001, 0.01)}
    assert len(drawn) == 30
    assert all(0 <= one < 2**63 for one in drawn)
    assert not drawn & set(range(10))
    assert training_seed("placebo", 3, 0.01) == training_seed("placebo", 3, 0.01)
    assert {training_seed(word, 3, beta) for word in ("l2", "l1", "decay", "none") for beta in (0.0, 0.1)} == {3}


def test_the_draw_of_a_placebo_is_frozen() -> None:
    """It keys initial weights: another hash would change every placebo run while its run_id stayed."""
    assert training_seed("placebo", 0, 0.0) == 106156408089843058


PLACEBO = shard_of("classification", "mlp", penalty="placebo", betas=(0.0, 0.01), seeds=(0, 1))


def test_a_placebo_network_starts_elsewhere_at_every_beta_on_the_same_rows() -> None:
    found = runs(PLACEBO)
    assert {row["run_id"] for row in found.values()} == set(by_id(PLACEBO))
    assert len({row["weight_norm"] for row in found.values() if row["level"] == "clean"}) == 4
    predictions = trained(PLACEBO).predictions
    ids, given = predictions["run_id"].to_pylist(), np.array(predictions["target"].to_pylist())
    for seed in PLACEBO.seeds:
        rows = [row for row in found.values() if row["seed"] == seed]
        targets = given[[ids.index(row["run_id"]) for row in rows]]
        assert (targets == targets[0]).all()


# --- divergence ----------------------------------------------------------------------------------------------------

STEEP = Schedule(0.5, 30, 16)
"""With plain gradient descent, weights under a penalty above 2 / 0.5 grow at every step."""
DIVERGING = shard_of("classification", "mlp", optimizer="sgd", betas=(0.0, 0.001, 1e3), seeds=(0,), schedule=STEEP)


@cache
def diverged() -> Trained:
    return train_shard(DIVERGING, prepared("classification"), ORIGIN)


def test_a_run_that_diverged_has_axes_and_a_reason_and_nothing_else() -> None:
    rows = diverged().runs.to_pylist()
    assert {(row["beta"], row["status"]) for row in rows} == {(0.0, "ok"), (0.001, "ok"), (1e3, "diverged")}
    numbers = [column.name for column in COLUMNS if column.null]
    for row in rows:
        if row["status"] == "diverged":
            assert row["reason"] == "a weight, the training loss or an output is not finite"
            assert {row[name] for name in numbers} == {None}
        else:
            assert row["reason"] == "" and None not in [
                row["validation_risk"],
                row["layer_norms"],
                row["gradient_ratio"],
            ]


def test_a_run_that_diverged_is_never_the_best() -> None:
    runs = diverged().runs.to_pandas()
    found = Grid.of("classification", "cross_entropy", runs, runs, Thresholds(0.05, 0.05, np.inf, 0.1, 1.0))
    assert (found.levels, list(found.betas)) == (["clean", "sym@0.2"], list(DIVERGING.betas))
    assert found.best("clean").tolist() == found.best("sym@0.2").tolist() == [1]
    assert found.band[:, 0].tolist() == [False, True, False]


@pytest.mark.parametrize("part", ["test_fgsm", "validation", "finite_fit"])
@TASKS
def test_one_bad_output_anywhere_makes_a_run_a_diverged_one(
    task: str, part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The clean run at beta = 0 of seed 1 is spoilt: what rests on it goes with it, and the predictions say so."""
    shard = shard_of(task, losses=LOSSES[task][-1:])
    original = under_test.evaluate

    def spoilt(*given: Any) -> Any:
        found = original(*given)
        at = len(shard.betas)  # behind all betas of seed 0
        if part == "finite_fit":
            return replace(found, finite_fit=np.arange(len(found.finite_fit)) != at)
        outputs = getattr(found, part).outputs.copy()
        outputs[at, 0, 0] = np.inf
        return replace(found, **{part: Part(outputs, getattr(found, part).y)})

    sound = {row["run_id"]: row for row in train(shard).runs.to_pylist()}
    monkeypatch.setattr(under_test, "evaluate", spoilt)
    broken = train(shard)
    broken.write(tmp_path / "r.parquet", tmp_path / "p.parquet")
    scores = rescored(tmp_path / "p.parquet")
    rows = {row["run_id"]: row for row in broken.runs.to_pylist()}
    (lost,) = [row for row in rows.values() if row["status"] != "ok"]
    assert (lost["beta"], lost["level"], lost["seed"]) == (0.0, "clean", 1)
    assert {lost[column.name] for column in COLUMNS if column.null} == {None}
    for run_id, risk, loss in zip(scores["run_id"], scores["test_risk"], scores["test_loss"], strict=True):
        row = rows[run_id]
        if row is lost:
            assert np.isnan([risk, loss]).all()
            continue
        assert risk == row["test_risk"] and loss == pytest.approx(row["test_loss"], rel=2**-11)
        gone = set()
        if row["seed"] == 1 and row["beta"] == 0:  # contaminated: the shifts rest on the clean run
            gone = {"prediction_shift", "prediction_shift_relative"}
        elif row["seed"] == 1 and row["level"] == "clean":
            gone = {"selectivity"}
        assert row == {**sound[run_id], **dict.fromkeys(gone)}


def train(shard: Shard) -> Trained:
    return train_shard(shard, prepared(shard.task), ORIGIN)


# --- predictions ---------------------------------------------------------------------------------------------------


def written(shard: Shard, path: Path) -> Path:
    trained(shard).write(path.with_suffix(".runs"), path)
    return path


@pytest.mark.parametrize(
    "shard",
    [shard_of("classification"), shard_of("regression", scaling="robust"), PLACEBO],
    ids=lambda one: one.shard_id,
)
def test_stored_predictions_give_the_columns_again(shard: Shard, tmp_path: Path) -> None:
    found = rescored(written(shard, tmp_path / "p.parquet"))
    columns = {row["run_id"]: row for row in trained(shard).runs.to_pylist()}
    assert sorted(columns) == found["run_id"].tolist()
    for run_id, risk, loss in zip(found["run_id"], found["test_risk"], found["test_loss"], strict=True):
        assert risk == columns[run_id]["test_risk"]
        assert loss == pytest.approx(
            columns[run_id]["test_loss"], rel=0 if shard.task == "regression" else 2**-11, abs=0
        )


def test_stored_predictions_are_the_same_bytes_whatever_the_order(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    pieces: list[Predictions] = [
        {"run_id": np.array(ids), "status": np.array(["ok", "ok"]), "target": draw.normal(size=(2, 3)).astype("f4")}
        for ids in (["d", "a"], ["c", "b"])
    ]
    backwards = [{name: values[::-1] for name, values in piece.items()} for piece in pieces[::-1]]
    assert predictions_table(pieces)["run_id"].to_pylist() == ["a", "b", "c", "d"]
    assert predictions_table(pieces).equals(predictions_table(backwards))


def test_the_same_shard_trained_twice_gives_the_same_bytes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shard = shard_of("classification", seeds=(0,))
    files = []
    with caplog.at_level("INFO"):
        for name in ("1", "2"):
            once = train(shard)
            once.write(tmp_path / f"{name}.runs", tmp_path / f"{name}.predictions")
            files.append([sha256_of(tmp_path / f"{name}.{kind}") for kind in ("runs", "predictions")])
    assert files[0] == files[1]
    assert [models for models, _ in TRAINED.findall(caplog.text)] == [str(shard.size)] * 2  # where the time is told


def test_damaged_predictions_are_noticed(tmp_path: Path) -> None:
    path = written(shard_of("classification"), tmp_path / "p.parquet")
    whole = path.read_bytes()
    for content in (b"", whole[:-1], whole[: len(whole) // 2], whole[:500] + bytes([whole[500] ^ 1]) + whole[501:]):
        path.write_bytes(content)
        with pytest.raises(DamagedFile, match="delete it and run the same command again"):
            rescored(path)


def test_classes_take_one_byte_and_chances_two(tmp_path: Path) -> None:
    types = pq.read_schema(written(shard_of("classification"), tmp_path / "p.parquet"))
    assert {name: str(types.field(name).type.value_type) for name in types.names[2:]} == {
        "target": "uint8",
        "predicted": "uint8",
        "log_probability": "halffloat",
    }


@pytest.mark.parametrize(("classes", "kept"), [(2, np.uint8), (256, np.uint8), (257, np.uint16)])
def test_classes_take_the_smallest_type_that_holds_them(classes: int, kept: type) -> None:
    outputs = np.zeros((1, 2, classes), np.float32)
    outputs[0, :, -1] = [1e6, np.nan]
    found = predictions_of("classification", Part(outputs, np.zeros((1, 2), np.int32)), ["r"], np.array([False]))
    assert found["status"].tolist() == ["diverged"]
    assert found["predicted"].dtype == found["target"].dtype == kept
    assert found["predicted"][0, 0] == classes - 1
    assert found["log_probability"][0, 0] == LOWEST  # not minus infinity
    assert np.isnan(found["log_probability"][0, 1])  # of a diverged model
