"""What a shard hands to measures: perturbed rows, clean runs, live inputs, and the same bits in any company."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from l2audit.contamination import fgsm_l2
from l2audit.data.arrays import Prepared
from l2audit.data.split import Sizes, split
from l2audit.measures import MEASURES, Part
from l2audit.models.penalties import read_penalty
from l2audit.models.problem import Fitted, Problem
from l2audit.plan import CLEAN, Contamination
from l2audit.runs import evaluate as under_test
from l2audit.runs.engines import assemble
from l2audit.runs.evaluate import (
    STRENGTH,
    ablation_rows,
    clean_runs,
    evaluate,
    live_inputs,
    perturb,
    steepest,
    unpenalised_runs,
)
from l2audit.runs.levels import Level, level_of, replicate_of
from made_up import problem
from untrained import fitted_of, given, linear, loss_rows, untrained


@pytest.mark.parametrize("name", ["smooth", "pooled"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_gradients_of_networks_by_finite_differences(name: str, task: str) -> None:
    on = given(name, task)
    fitted = untrained(name, on)
    assert_gradients(fitted, on, step=1e-2, rel=2e-3)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_gradients_of_linear_models_by_finite_differences(task: str) -> None:
    on = problem(task, rows=40, betas=(0.01, 0.1))
    assert_gradients(linear(on), on, step=1e-2, rel=2e-3)


def assert_gradients(fitted: Fitted, on: Problem, step: float, rel: float) -> None:
    """Mean norms, and that the rows moved are those that `fgsm_l2` moves along the differences."""
    test = Part(fitted.predict(on.X, on.data), on.y[on.data])
    found, moved = perturb(fitted, on.task, on.X, on.data, test)
    gradient = np.zeros((len(on.data), *on.X.shape[1:]))
    for feature in range(on.X.shape[2]):
        sides = []
        for sign in (1, -1):
            X = on.X.copy()
            X[:, :, feature] += sign * step
            outputs = fitted.predict(X, on.data)
            sides.append([loss_rows(one, y) for one, y in zip(outputs, test.y, strict=True)])
        gradient[:, :, feature] = (np.array(sides[0]) - np.array(sides[1])) / (2 * step)
    assert found == pytest.approx(np.linalg.norm(gradient, axis=2).mean(axis=1), rel=rel)
    length = STRENGTH * np.sqrt(on.X.shape[2])
    for model in (0, len(on.data) - 1):
        rows = fgsm_l2(on.X[on.data[model]], gradient[model], length).astype(np.float32)
        expected = fitted.predict(np.repeat(rows[None], len(on.X), axis=0), on.data)[model]
        far = np.linalg.norm(gradient[model], axis=1) > 1e-2  # elsewhere the differences have no direction
        assert np.abs(moved[model] - expected)[far].max() < 0.02 * np.abs(expected).max()


def test_a_step_of_the_stated_length_against_a_linear_model() -> None:
    on = problem("regression", rows=40)
    fitted = linear(on)
    test = Part(fitted.predict(on.X, on.data), on.y[on.data])
    gradient, moved = perturb(fitted, on.task, on.X, on.data, test)
    norms = np.linalg.norm(fitted.kernels[0][:, :, 0], axis=1)
    residual = test.outputs[:, :, 0] - test.y
    assert gradient == pytest.approx(norms * np.abs(residual).mean(axis=1), rel=1e-5)
    further = np.abs(moved[:, :, 0] - test.y) - np.abs(residual)
    assert np.allclose(further, STRENGTH * 3 * norms[:, None], rtol=1e-3, atol=1e-5)  # 3 = sqrt(9 features)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_steepest_is_the_gradient_of_the_loss_in_the_outputs(task: str) -> None:
    random = np.random.default_rng(5)
    outputs = random.normal(size=(20, 4 if task == "classification" else 1)).astype(np.float32)
    y = random.integers(0, 4, 20).astype(np.int32) if task == "classification" else outputs[::-1, 0].copy()
    towards, steepness = steepest(task, outputs, y)
    for k in range(outputs.shape[1]):
        h = np.zeros(outputs.shape[1])
        h[k] = 1e-5
        slope = (loss_rows64(outputs + h, y) - loss_rows64(outputs - h, y)) / 2e-5
        assert np.allclose(towards[:, k] * steepness, slope, atol=1e-6)


def loss_rows64(outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    return loss_rows(np.asarray(outputs, dtype=np.float64), y)


def test_a_confident_model_has_no_gradient_left_and_a_direction_still() -> None:
    outputs = np.array([[900.0, 0.0, 1.0]], np.float32)
    towards, steepness = steepest("classification", outputs, np.array([0], np.int32))
    assert steepness[0] < 1e-300
    assert np.allclose(towards, [[-1, 1 / (1 + np.e), np.e / (1 + np.e)]])


CAPS = Sizes(60, 40, 50)
COMPARES = {"prediction_shift", "prediction_shift_relative", "selectivity"}
"""Measures that look at a second run."""


def made_up(task: str) -> Prepared:
    random = np.random.default_rng(11)
    X = random.normal(size=(160, 9)) * np.arange(1, 10)
    signal = np.tanh(X[:, 0]) + 0.3 * X[:, 1] + random.normal(size=160)
    y = np.digitize(signal, [-0.5, 0.5]) if task == "classification" else signal
    return Prepared(name="made up", task=task, X=X, y=y, image=None)


def shard(task: str, scaling: str = "clean") -> tuple[Problem, list[Level]]:
    """Two seeds, clean and contaminated, at two betas."""
    prepared = made_up(task)
    kind = Contamination("sym", 0.2) if task == "classification" else Contamination("badlev", 0.1, 10.0)
    levels = [
        level_of("made up", seed, one, replicate, scaling)
        for seed, replicate in [(seed, replicate_of(prepared, seed, CAPS)) for seed in (0, 1)]
        for one in (CLEAN, kind)
    ]
    models = [(where, beta) for where in range(4) for beta in (0.0, 0.01)]
    return Problem(
        task=task,
        outputs=3 if task == "classification" else 1,
        X=np.stack([level.train.X for level in levels]).astype(np.float32),
        y=under_test.typed([level.train.y for level in levels], task),
        data=np.array([where for where, _ in models]),
        beta=np.array([beta for _, beta in models], np.float32),
        seed=np.array([levels[where].seed for where, _ in models]),
        dataset="made up",
    ), levels


def some(on: Problem, fitted: Fitted, chosen: list[int]) -> tuple[Fitted, Problem]:
    """Some of the models, as if nothing else had been fitted."""
    few = replace(on, data=on.data[chosen], beta=on.beta[chosen], seed=on.seed[chosen])
    if fitted.network is None:
        return linear(few), few
    return fitted_of(fitted.network, fitted.flat[chosen], fitted.moments[chosen]), few


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("name", ["linear", "relu", "normed"])
def test_a_runs_measures_do_not_depend_on_its_company(task: str, name: str) -> None:
    on, levels = shard(task)
    fitted = linear(on) if name == "linear" else untrained(name, on)
    whole = evaluate(fitted, on, levels)
    chosen = [7, 5, 6]  # the second seed at the second beta, contaminated and clean, and contaminated at the first beta
    apart = evaluate(*some(on, fitted, chosen), levels)
    alone = evaluate(*some(on, fitted, [7]), levels)
    for measure in MEASURES.names():
        together, few = MEASURES[measure].compute(whole), MEASURES[measure].compute(apart)
        assert together[[7]].tobytes() == few[:1].tobytes(), measure
        if measure not in COMPARES:
            assert together[chosen].tobytes() == few.tobytes(), measure
            assert together[[7]].tobytes() == MEASURES[measure].compute(alone).tobytes(), measure
    assert np.isfinite(MEASURES["selectivity"].compute(apart)[0])


@pytest.mark.parametrize("scaling", ["clean", "robust"])
def test_each_part_has_the_rows_of_its_level(scaling: str) -> None:
    on, levels = shard("regression", scaling)
    fitted = linear(on)
    found = evaluate(fitted, on, levels)
    for model, where in enumerate(on.data):
        level = levels[where]
        for part, rows in (
            (found.train, level.train),
            (found.validation, level.clean.validation),
            (found.validation_contaminated, level.validation),
            (found.test, level.clean.test),
        ):
            assert np.array_equal(part.y[model], rows.y.astype(np.float32))
            expected = rows.X @ fitted.kernels[0][model, :, 0] + fitted.biases[0][model, 0]
            assert part.outputs[model, :, 0] == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert np.array_equal(found.relabelled[model], level.train.relabelled)
        assert np.array_equal(found.test_noise.y[model], found.test_fgsm.y[model])


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_diverged_model_disturbs_no_other(task: str) -> None:
    on, levels = shard(task)
    fitted = untrained("normed", on)
    flat = fitted.flat.copy()
    flat[3] = np.nan
    flat[7, ::7] = np.inf
    with np.errstate(all="raise"):  # by no warning either
        broken = evaluate(fitted_of(fitted.network, flat, fitted.moments), on, levels)
    sound = evaluate(fitted, on, levels)
    kept = [model for model in range(8) if model not in (3, 7)]  # no other is compared with those two
    assert np.flatnonzero(broken.finite).tolist() == kept
    for name in MEASURES.names():
        with np.errstate(all="ignore"):
            found = MEASURES[name].compute(broken)
        assert found[kept].tobytes() == MEASURES[name].compute(sound)[kept].tobytes(), name
        assert np.isnan(found[[3, 7]]).all(), name


def test_statistics_that_overflowed_make_a_diverged_run_though_its_outputs_are_finite() -> None:
    """A variance that is infinite gives every row the same, finite outputs."""
    on = given("normed", "classification")
    network = untrained("normed", on).network
    flat = np.stack([network.initial(0)] * 4)
    moments = np.ones((4, 24), np.float32)  # 12 units' means and variances
    moments[2, 12:] = np.inf
    zeros = dict.fromkeys(("exposure", "train_loss"), np.zeros(4))
    fitted = assemble(network, on, read_penalty("l2"), {"flat": flat, "moments": moments, **zeros})
    assert np.isfinite(fitted.predict(on.X, on.data)).all()
    assert fitted.certificates["finite"].tolist() == [True, True, False, True]


def said_to_be_null_for(what: str) -> set[str]:
    """Measures whose formula says that they do not apply; a user reads the same words in docs/results.md."""
    return {name for name in MEASURES.names() if f"null for {what}" in MEASURES[name].formula}


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_what_applies_to_a_linear_model_and_a_network_is_there(task: str) -> None:
    on, levels = shard(task)
    absent = said_to_be_null_for(task) | ({"memorised_fraction"} if task == "regression" else set())
    networks = said_to_be_null_for("a linear model") | {"ablation_share", "layer_spread"}
    assert absent >= {"classification": {"test_mse"}, "regression": {"test_brier"}}[task]
    assert networks >= {"effective_neurons", "dead_fraction"}
    for fitted, without in ((linear(on), absent | networks), (untrained("relu", on), absent)):
        found = evaluate(fitted, on, levels)
        missing = {name for name in MEASURES.names() if np.isnan(MEASURES[name].compute(found)).all()}
        assert missing == without


def test_the_clean_run_is_the_same_seed_and_beta() -> None:
    on, levels = shard("classification")  # levels: seed 0 clean, seed 0 sym, seed 1 clean, seed 1 sym; two betas each
    assert clean_runs(on, levels).tolist() == [-1, -1, 0, 1, -1, -1, 4, 5]
    few = replace(on, data=on.data[2:], beta=on.beta[2:], seed=on.seed[2:])
    assert clean_runs(few, levels).tolist() == [-1, -1, -1, -1, 2, 3]


def test_the_unpenalised_run_is_the_same_seed_and_contamination() -> None:
    on, _ = shard("classification")
    assert unpenalised_runs(on).tolist() == [-1, 0, -1, 2, -1, 4, -1, 6]
    few = replace(on, data=on.data[3:], beta=on.beta[3:], seed=on.seed[3:])
    assert unpenalised_runs(few).tolist() == [-1, -1, 1, -1, 3]
    redrawn = replace(on, seed=np.arange(8))  # a placebo's
    assert unpenalised_runs(redrawn).tolist() == unpenalised_runs(on).tolist()


def test_a_contaminated_run_shifts_by_what_its_predictions_changed() -> None:
    on, levels = shard("regression")
    fitted = linear(on)
    found = MEASURES["prediction_shift"].compute(evaluate(fitted, on, levels))
    test = levels[0].clean.test
    f = [test.X @ fitted.kernels[0][model, :, 0] + fitted.biases[0][model, 0] for model in (0, 2)]
    assert found[2] == pytest.approx(np.mean((f[1] - f[0]) ** 2) / np.var(test.y), rel=1e-4)
    assert np.isnan(found[[0, 1, 4, 5]]).all()


def test_scaling_changes_no_least_squares_fit_and_so_no_shift() -> None:
    """At beta = 0 a linear model does not see how its rows were scaled, and a shift is told in units of the target."""
    found = []
    for scaling in ("clean", "robust"):
        on, levels = shard("regression", scaling)
        runs = evaluate(linear(on), on, levels)
        found.append([MEASURES[name].compute(runs)[[2, 6]] for name in ("prediction_shift", "test_risk_noise")])
    assert np.allclose(found[0], found[1], rtol=1e-3)


def targets_of_test_rows(seed: int) -> np.ndarray:
    """Those of the test rows of a seed as they stand in the file."""
    prepared = made_up("regression")
    return prepared.y[split(prepared.name, prepared.task, prepared.y, seed, CAPS).test]


@pytest.mark.parametrize("scaling", ["contaminated", "robust"])
def test_a_shift_under_any_scaling_is_that_of_predictions_in_units_of_the_file(scaling: str) -> None:
    """The clean run and the contaminated one are scaled by different rows: their outputs are no units to compare in."""
    on, levels = shard("regression", scaling)
    fitted = linear(on)
    runs = evaluate(fitted, on, levels)
    shift, relative = (MEASURES[name].compute(runs) for name in ("prediction_shift", "prediction_shift_relative"))
    for contaminated, clean in ((2, 0), (3, 1), (6, 4), (7, 5)):  # at beta = 0 and above, of both seeds
        values = {}
        for model in (contaminated, clean):
            level = levels[on.data[model]]
            # What the level's scaler made of the targets, from the test rows that all levels of a seed share.
            own, file = level.clean.test.y, targets_of_test_rows(level.seed)
            slope, base = np.polyfit(own, file, 1)
            assert slope * own + base == pytest.approx(file)
            kernel, bias = fitted.kernels[0][model, :, 0].astype(float), fitted.biases[0][model, 0]
            values[model] = slope * (level.clean.test.X @ kernel + bias) + base
        moved = np.mean((values[contaminated] - values[clean]) ** 2)
        assert shift[contaminated] == pytest.approx(moved / np.var(file), rel=1e-3)
        assert relative[contaminated] == pytest.approx(moved / np.var(values[clean]), rel=1e-3)
        outputs = runs.test.outputs[[contaminated, clean], :, 0].astype(float)
        as_they_are = np.mean((outputs[0] - outputs[1]) ** 2) / np.var(runs.test.y[clean])
        assert abs(as_they_are / shift[contaminated] - 1) > 0.05  # there was something to bring back


def test_noise_is_a_share_of_each_features_spread_and_the_same_at_every_level() -> None:
    _, levels = shard("regression")
    noisy = under_test.noisy("made up", levels)
    assert np.array_equal(noisy[0], noisy[1])
    moved = (noisy[0] - levels[0].clean.test.X).std(axis=0)
    assert moved == pytest.approx(STRENGTH * levels[0].clean.reference.spread, rel=0.35)
    assert not np.allclose(noisy[0] - levels[0].clean.test.X, noisy[2] - levels[2].clean.test.X)


def with_features(columns: dict[str, np.ndarray], hit: dict[str, np.ndarray], image: bool) -> list[bool]:
    """Which of the columns are live, standardised by their clean values; `hit` replaces some in the rows fitted."""
    _, levels = shard("regression")
    clean = np.stack(list(columns.values()), axis=1)
    fitted_rows = np.stack([hit.get(name, value) for name, value in columns.items()], axis=1)
    spread = np.where(clean.std(axis=0) > 0, clean.std(axis=0), 1)
    scaled, seen = (clean - clean.mean(axis=0)) / spread, (fitted_rows - clean.mean(axis=0)) / spread
    level = replace(
        levels[0],
        train=replace(levels[0].train, X=seen),
        clean=replace(levels[0].clean, train=replace(levels[0].clean.train, X=scaled)),
    )
    on = replace(problem("regression", features=len(columns)), image=(1, len(columns)) if image else None)
    fitted = Fitted([np.zeros((1, len(columns), 1), np.float32)], [], {}, lambda X, which: X)
    return live_inputs(fitted, on, [level])[0].tolist()


def test_live_inputs() -> None:
    rows = np.arange(400)
    columns = {
        "constant": np.zeros(400),
        "one row in a hundred": (rows % 100 == 0).astype(float),  # variance .0099 of a range of 1
        "one row in twenty": (rows % 20 == 0).astype(float),  # variance .0475
        "many values": np.sin(rows),
    }
    assert with_features(columns, {}, image=False) == [False, True, True, True]
    assert with_features(columns, {}, image=True) == [False, False, True, True]
    moved = {"constant": (rows % 10 == 0) * 3.0, "many values": np.where(rows % 100, np.sin(rows), 1e3)}
    assert with_features(columns, moved, image=False) == [True, True, True, True]
    assert with_features(columns, moved, image=True) == [True, False, True, True]


def test_inputs_of_a_convolution_are_channels() -> None:
    on = given("pooled", "regression")
    assert live_inputs(untrained("pooled", on), on, [None, None]).tolist() == [[True], [True]]  # type: ignore[list-item]


def test_rows_for_silenced_units_are_spread_evenly() -> None:
    assert ablation_rows(40).tolist() == list(range(40))
    chosen = ablation_rows(400)
    assert len(chosen) == 128 and chosen[0] == 0 and chosen[-1] == 399
    assert set(np.diff(chosen)) <= {3, 4}
