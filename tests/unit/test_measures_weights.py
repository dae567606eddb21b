"""How weights and hidden units share the work: reference values, hand calculation, and what must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from l2audit.linear import fit_linear
from l2audit.measures import MEASURES, Evaluation, Hidden
from l2audit.measures.kernels import (
    ACCOUNTINGS,
    ALL,
    LIVE,
    LIVE_INPUTS,
    VANISHING,
    entries,
    gini,
    layer_norms,
)
from l2audit.measures.neurons import importances
from l2audit.models.penalties import read_penalty
from l2audit.models.problem import Problem
from measured import evaluation

MANY = 200_000


def of(name: str, runs: Evaluation) -> np.ndarray:
    return MEASURES[name].compute(runs)


GAUSSIAN = np.random.default_rng(1).standard_normal(MANY).astype(np.float32)
UNIFORM = np.random.default_rng(2).uniform(-1, 1, MANY).astype(np.float32)


@pytest.mark.parametrize(("values", "expected"), [(GAUSSIAN, np.sqrt(2) - 1), (UNIFORM, 1 / 3)])
def test_reference_distributions(values: np.ndarray, expected: float) -> None:
    assert gini(values) == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_all_equal_one_alone_and_nothing(scale: float) -> None:
    signs = np.array([1, -1] * 5, np.float32)
    assert gini(np.float32(scale) * signs) == pytest.approx(0.0, abs=1e-6)
    assert gini(np.float32(scale) * np.eye(10, dtype=np.float32)[3]) == pytest.approx(0.9, abs=1e-6)
    assert np.isnan(gini(np.zeros(10, np.float32)))
    assert np.isnan(gini(np.zeros(0, np.float32)))


def test_gini_is_the_mean_absolute_difference_over_twice_the_mean() -> None:
    values = np.abs(GAUSSIAN[:50].astype(float))
    expected = np.abs(values[:, None] - values[None]).mean() / (2 * values.mean())
    assert gini(GAUSSIAN[:50]) == pytest.approx(expected)


VALUES = st.lists(
    st.floats(-1e3, 1e3, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3), min_size=2, max_size=30
)


@settings(max_examples=60, deadline=None)
@given(VALUES, st.floats(1e-3, 1e3), st.randoms(use_true_random=False))
def test_scale_sign_and_order_do_not_matter(values: list[float], scale: float, random: object) -> None:
    one = np.array(values)
    other = scale * np.array(random.sample(values, len(values)))  # type: ignore[attr-defined]
    other[::2] *= -1
    assert gini(other) == pytest.approx(gini(one), rel=1e-9, abs=1e-9, nan_ok=True)


def test_norms() -> None:
    runs = replace(evaluation("regression"), kernels=[np.full((3, 2, 5), 2.0), np.ones((3, 5, 1))])
    assert np.allclose(layer_norms(runs), [[np.sqrt(40), np.sqrt(5)]] * 3)
    assert np.allclose(of("weight_norm", runs), np.sqrt(45))
    assert np.allclose(of("layer_spread", runs), np.log(8) / 4)  # two values: half their distance, of half of log 8
    assert np.allclose(of("layer_spread", replace(runs, kernels=[2 * runs.kernels[0], runs.kernels[0] * 2])), 0)


def test_a_single_kernel_has_no_spread_over_layers() -> None:
    assert np.isnan(of("layer_spread", evaluation("regression", units=()))).all()


def test_accountings_by_loops() -> None:
    runs = evaluation("classification", live=False)
    for model in range(3):
        for layer, kernel in enumerate(runs.kernels):
            counted: dict[str, list[float]] = {name: [] for name in ACCOUNTINGS}
            for i in range(kernel.shape[1]):
                for j in range(kernel.shape[2]):
                    value = kernel[model, i, j]
                    input_live = runs.live_inputs[model, i] if layer == 0 else True
                    unit_before = runs.hidden[layer - 1].live[model, i] if layer > 0 else True
                    unit_after = runs.hidden[layer].live[model, j] if layer < 2 else True
                    counted[ALL].append(value)
                    if input_live:
                        counted[LIVE_INPUTS].append(value)
                        if unit_before and unit_after:
                            counted[LIVE].append(value)
            for name in ACCOUNTINGS:
                assert entries(runs, model, layer, name).tolist() == counted[name], (model, layer, name)


@pytest.mark.parametrize("accounting", ACCOUNTINGS)
def test_measures_are_means_over_kernels(accounting: str) -> None:
    runs = evaluation("classification", live=False)
    expected = [np.mean([gini(entries(runs, model, layer, accounting)) for layer in range(3)]) for model in range(3)]
    assert np.allclose(of(f"gini_{accounting}", runs), expected)


def test_accountings_agree_where_all_is_live_and_a_dead_layer_has_none() -> None:
    runs = evaluation("classification")
    assert np.array_equal(of("gini_all", runs), of("gini_live", runs))
    dead = replace(runs.hidden[0], live=np.zeros_like(runs.hidden[0].live))
    assert np.isnan(of("gini_live", replace(runs, hidden=[dead, runs.hidden[1]]))).all()


def test_a_channel_behind_flatten_has_an_entry_a_pixel() -> None:
    runs = convolutional()
    live = entries(runs, 0, 1, LIVE)
    kernel = runs.kernels[1][0].reshape(4, 2, 5)  # pixels, channels, units
    assert live.tolist() == kernel[:, [1]].ravel().tolist()
    assert entries(runs, 0, 0, LIVE).tolist() == runs.kernels[0][0][..., 1].ravel().tolist()
    assert np.isnan(of("feature_gini", runs)).all()


def convolutional() -> Evaluation:
    """A convolution to two channels of 2 x 2 pixels, the first of them dead, flattened into five units, then one."""
    random = np.random.default_rng(3)
    shapes = [(3, 3, 1, 2), (8, 5), (5, 1)]
    alive = [np.array([[False, True]] * 3), np.ones((3, 5), bool)]
    hidden = [Hidden(one, np.ones(one.shape), np.ones(one.shape)) for one in alive]
    kernels = [random.standard_normal((3, *shape)).astype(np.float32) for shape in shapes]
    return replace(evaluation("regression"), kernels=kernels, hidden=hidden, live_inputs=np.ones((3, 1), bool))


def test_feature_gini_is_of_the_live_rows_of_the_first_kernel() -> None:
    runs = evaluation("classification", live=False)
    for model in range(3):
        norms = np.linalg.norm(runs.kernels[0][model].astype(float), axis=1)
        assert of("feature_gini", runs)[model] == pytest.approx(gini(norms[runs.live_inputs[model]]))


def shrunk(before: list[np.ndarray], after: list[np.ndarray]) -> Evaluation:
    """Kernels (inputs, outputs) at beta = 0, as model 0 and 1, and at a beta, as model 2."""
    kernels = [np.stack([w0, w0, w]) for w0, w in zip(before, after, strict=True)]
    live = np.ones((3, before[0].shape[0]), bool)
    return replace(evaluation("regression", units=()), kernels=kernels, live_inputs=live)


def selectivity(before: list[np.ndarray], after: list[np.ndarray]) -> float:
    found = of("selectivity", shrunk(before, after))
    assert np.isnan(found[:2]).all()  # at beta = 0
    return float(found[2])


def test_selectivity_by_hand() -> None:
    before, after = np.array([[1.0], [-10.0], [100.0]]), np.array([[1.0], [-5.0], [25.0]])
    assert selectivity([before], [after]) == pytest.approx(np.log10(2))  # halved with each factor of ten
    assert selectivity([after], [before]) == pytest.approx(-1 / np.log10(5) * np.log10(2))


SIZES = st.lists(st.floats(0.01, 100), min_size=2, max_size=8, unique=True).filter(
    lambda one: max(one) > 1.01 * min(one)
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(SIZES, min_size=1, max_size=3), st.floats(-2, 2), st.lists(st.floats(0.01, 100), min_size=6, max_size=6)
)
def test_selectivity_is_the_exponent_whatever_the_kernels_scales_and_signs(
    sizes: list[list[float]], exponent: float, scales: list[float]
) -> None:
    before = [scale * np.array([one]) for scale, one in zip(scales[:3], sizes, strict=False)]
    after = [-scale * w0 ** (1 - exponent) for scale, w0 in zip(scales[3:], before, strict=False)]
    assert selectivity(before, after) == pytest.approx(exponent, abs=1e-9)


def test_selectivity_is_the_slope_of_an_analysis_of_covariance() -> None:
    random = np.random.default_rng(4)
    shapes = [(6, 5), (5, 4), (4, 1)]
    before = [layer * random.standard_normal(shape) for layer, shape in enumerate(shapes, 1)]
    after = [w0 * random.uniform(0.1, 1, w0.shape) / layer**2 for layer, w0 in enumerate(before, 1)]
    size, ratio = (np.log(np.abs(np.concatenate([one.ravel() for one in part]))) for part in (before, after))
    groups = np.repeat(np.eye(3), [w0.size for w0 in before], axis=0)
    slope = sm.OLS(ratio - size, np.column_stack([size, groups])).fit().params[0]
    assert selectivity(before, after) == pytest.approx(-slope)


@pytest.mark.parametrize("beta", [0.1, 3.0])
def test_ridge_selects_by_curvature_and_not_by_size(beta: float) -> None:
    """Orthogonal features of curvature s shrink by s / (s + beta), all by one factor if s is 1."""
    random = np.random.default_rng(7)
    basis, _ = np.linalg.qr(np.column_stack([np.ones(64), random.standard_normal((64, 5))]))
    weights = np.array([0.3, -1.0, 2.0, 5.0, -20.0])
    for curvature in (np.ones(5), np.array([3.0, 0.5, 1.0, 2.0, 0.1])):
        X = (8 * basis[:, 1:] * np.sqrt(curvature)).astype(np.float32)
        problem = Problem(
            task="regression",
            outputs=1,
            X=X[None],
            y=(X @ weights)[None].astype(np.float32),
            data=np.zeros(3, np.int64),
            beta=np.array([0.0, beta, 10 * beta]),
            seed=np.zeros(3, np.int64),
            dataset="made up",
        )
        kernels = fit_linear(problem, "squared", read_penalty("l2")).kernels
        runs = replace(shrunk([kernels[0][0]], [kernels[0][1]]), kernels=kernels, unpenalised_run=np.array([-1, 0, 0]))
        expected = [
            -np.polyfit(np.log(np.abs(weights)), np.log(curvature / (curvature + one)), 1)[0]
            for one in (beta, 10 * beta)
        ]
        assert of("selectivity", runs)[1:] == pytest.approx(expected, abs=2e-6)


def test_selectivity_leaves_out_what_has_no_logarithm_and_what_no_input_feeds() -> None:
    before, after = np.array([[1.0], [10.0], [100.0]]), np.array([[1.0], [5.0], [25.0]])
    exponent = selectivity([before], [after])
    more = [(0.0, 3.0), (3.0, 0.0), (0.0, 0.0), (VANISHING / 2, 1.0)]
    padded = [np.concatenate([part, [[one[at]] for one in more]]) for at, part in enumerate((before, after))]
    assert selectivity(padded[:1], padded[1:]) == pytest.approx(exponent)
    runs = shrunk([np.concatenate([before, [[7.0]]])], [np.concatenate([after, [[7.0]]])])
    assert of("selectivity", runs)[2] != pytest.approx(exponent)
    dead = replace(runs, live_inputs=np.array([[True, True, True, False]] * 3))
    assert of("selectivity", dead)[2] == pytest.approx(exponent)


def test_selectivity_is_not_there_where_nothing_could_be_selected() -> None:
    one = np.array([[2.0], [2.0]])
    assert np.isnan(selectivity([one], [one * [[1.0], [0.5]]]))  # all alike
    assert np.isnan(selectivity([one[:1]], [one[:1] / 2]))  # a single weight
    assert np.isnan(selectivity([np.array([[1.0], [2.0]])], [np.zeros((2, 1))]))
    assert np.isnan(selectivity([np.array([[1.0], [2.0]])], [np.array([[1.0], [np.nan]])]))  # diverged, or its twin
    with np.errstate(invalid="ignore"):
        assert np.isnan(selectivity([np.array([[np.inf], [2.0]])], [np.array([[1.0], [1.0]])]))
    alone = replace(shrunk([one * [[1.0], [3.0]]], [one]), unpenalised_run=np.full(3, -1))
    assert np.isnan(of("selectivity", alone)).all()


def test_selectivity_of_unrelated_weights_is_one() -> None:
    """Regression to the mean, which docs/results.md warns of."""
    before, after = GAUSSIAN[:50_000, None], GAUSSIAN[50_000:100_000, None]
    assert selectivity([before], [after]) == pytest.approx(1, abs=0.02)


def test_importance_by_loops() -> None:
    for runs in (evaluation("classification"), convolutional()):
        for layer, hidden in enumerate(runs.hidden):
            units = hidden.live.shape[1]
            into, out = runs.kernels[layer].astype(float), runs.kernels[layer + 1].astype(float)
            for j in range(units):
                incoming = into[..., j].reshape(3, -1)
                outgoing = out[:, j::units].reshape(3, -1)
                expected = np.linalg.norm(incoming, axis=1) * np.linalg.norm(outgoing, axis=1)
                assert np.allclose(importances(runs, layer)[:, j], expected)


def test_effective_neurons_by_hand_and_under_rescaling() -> None:
    runs = evaluation("regression", units=(4,))
    first, second = runs.kernels[0].copy(), runs.kernels[1].copy()
    a = np.linalg.norm(first[0], axis=0) * np.abs(second[0, :, 0])
    assert of("effective_neurons", runs)[0] == pytest.approx(a.sum() ** 2 / (4 * (a**2).sum()), rel=1e-5)
    s = np.array([0.1, 1.0, 3.0, 50.0], np.float32)
    rescaled = replace(runs, kernels=[first * s, second / s[:, None]])
    assert np.allclose(of("effective_neurons", rescaled), of("effective_neurons", runs), rtol=1e-5)


def test_effective_neurons_is_a_mean_over_layers_between_one_over_width_and_one() -> None:
    runs = evaluation("regression", units=(4, 4))
    same = np.ones((3, 4, 4), np.float32)
    one = same * np.array([1, 0, 0, 0], np.float32)
    kernels = [runs.kernels[0] * 0 + 1, same, runs.kernels[2] * 0 + 1]
    assert np.allclose(of("effective_neurons", replace(runs, kernels=kernels)), 1.0)
    kernels[1] = one  # one unit of the second layer takes everything, all units of the first are alike
    assert np.allclose(of("effective_neurons", replace(runs, kernels=kernels)), (1 + 1 / 4) / 2)
    kernels[1] = 0 * same
    assert np.isnan(of("effective_neurons", replace(runs, kernels=kernels))).all()


def with_rises(*rises: float) -> Evaluation:
    runs = evaluation("regression", units=(len(rises) // 2, len(rises) - len(rises) // 2))
    halves = np.split(np.tile(np.array(rises, np.float32), (3, 1)), [len(rises) // 2], axis=1)
    return replace(runs, hidden=[replace(one, increase=half) for one, half in zip(runs.hidden, halves, strict=True)])


def test_ablation_share_of_the_top_tenth() -> None:
    assert np.allclose(of("ablation_share", with_rises(*[1.0] * 20)), 0.1)
    assert np.allclose(of("ablation_share", with_rises(3.0, *[0.0] * 18, 1.0)), 1.0)
    assert np.allclose(
        of("ablation_share", with_rises(6.0, 1.0, *[-5.0] * 9, 1.0)), 6 / 8
    )  # one of twelve; falls are 0
    assert np.isnan(of("ablation_share", with_rises(*[-1.0] * 20))).all()


def test_dead_fraction_counts_all_hidden_units() -> None:
    runs = evaluation("regression", units=(4, 8), live=False)
    assert np.allclose(of("dead_fraction", runs), 6 / 12)
    assert np.allclose(of("dead_fraction", evaluation("regression", units=(4, 8))), 0)


@pytest.mark.parametrize("name", ["effective_neurons", "ablation_share", "dead_fraction"])
def test_a_linear_model_has_no_hidden_units(name: str) -> None:
    assert np.isnan(of(name, evaluation("regression", units=()))).all()
