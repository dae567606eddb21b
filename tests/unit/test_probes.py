"""Hidden units of fitted networks, against Keras: what silencing costs, which are dead, what normalisation does."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import plain_keras
from l2audit.measures import MEASURES, Evaluation, Part
from l2audit.models.architectures import Architecture
from l2audit.models.problem import Fitted, Problem
from l2audit.networks.probes import gains, hidden_layers
from l2audit.networks.program import moments_of, tensors
from untrained import LAYERS, fitted_of, given, loss_rows, untrained


def keras_twin(fitted: Fitted, model: int) -> keras.Model:
    """The same network in Keras."""
    network = fitted.network
    twin = plain_keras.keras_model(LAYERS[network.name], network.inputs, network.shapes[-1][-1])
    parts = np.split(fitted.flat[model], np.cumsum(network.sizes)[:-1])
    order = sorted(range(len(parts)), key=lambda at: (network.parameters[at].layer, at))
    for variable, at in zip(twin.trainable_variables, order, strict=True):
        variable.assign(parts[at].reshape(network.parameters[at].shape))
    offset = 0
    for layer in twin.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for variable in (layer.moving_mean, layer.moving_variance):
                size = variable.shape[0]
                variable.assign(fitted.moments[model][offset : offset + size])
                offset += size
    return twin


def run(x: np.ndarray, layers: list[keras.layers.Layer]) -> np.ndarray:
    for layer in layers:
        x = layer(x, training=False) if isinstance(layer, keras.layers.BatchNormalization) else layer(x)
    return np.asarray(x)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_units_silenced_one_at_a_time_by_keras(name: str, task: str) -> None:
    on = given(name, task)
    fitted = untrained(name, on)
    found = hidden_layers(fitted, on, on.X, on.y, on.data)
    model = 1
    x, y = on.X[on.data[model]].reshape(-1, *fitted.network.inputs), on.y[on.data[model]]
    layers = keras_twin(fitted, model).layers
    intact = loss_rows(run(x, layers), y).mean()
    ends = [at + 1 for at, one in enumerate(layers) if isinstance(one, keras.layers.ReLU | keras.layers.Activation)]
    assert len(found) == len(ends)
    for hidden, end in zip(found, ends, strict=True):
        activation = run(x, layers[:end])
        for unit in range(activation.shape[-1]):
            without = activation.copy()
            without[..., unit] = 0
            rise = loss_rows(run(without, layers[end:]), y).mean() - intact
            assert hidden.increase[model, unit] == pytest.approx(rise, rel=1e-3, abs=2e-6)
    total = np.concatenate([one.increase[model] for one in found])
    assert np.abs(total).max() > 1e-3  # there was something to see


@pytest.mark.parametrize(
    ("name", "vector", "value"),
    [("relu", "bias", -50.0), ("smooth", "bias", 50.0), ("smooth", "bias", -50.0), ("normed-images", "shift", -50.0)],
)
def test_a_unit_that_never_acts_is_dead_and_its_loss_is_nothing(name: str, vector: str, value: float) -> None:
    on = given(name, "regression")
    fitted = untrained(name, on)
    network, flat = fitted.network, fitted.flat.copy()
    first = next(at for at, one in enumerate(network.parameters) if one.name == vector)
    kernel = network.parameters[0].size
    start = sum(network.sizes[:first])
    if name == "smooth":  # tanh of a constant, dead at 1 as at -1
        flat[0, :kernel].reshape(9, -1)[:, 0] = 0
    flat[0, start] = value
    found = hidden_layers(fitted_of(network, flat, fitted.moments), on, on.X, on.y, on.data)
    intact = hidden_layers(fitted, on, on.X, on.y, on.data)
    assert not found[0].live[0, 0]
    assert intact[0].live[0, 0]
    assert np.array_equal(found[0].live[1:], intact[0].live[1:])
    if name != "smooth":
        assert abs(found[0].increase[0, 0]) < 1e-6


def test_live_is_what_some_row_says() -> None:
    on = given("relu", "regression")
    fitted = untrained("relu", on)
    found = hidden_layers(fitted, on, on.X, on.y, on.data)
    for model in range(len(on.data)):
        layers = keras_twin(fitted, model).layers
        for hidden, end in zip(found, (2, 4), strict=True):
            assert np.array_equal(hidden.live[model], (run(on.X[on.data[model]], layers[:end]) > 0).any(axis=0))


def test_gains_fold_normalisations_into_the_kernel() -> None:
    on = given("normed", "regression")
    fitted = untrained("normed", on)
    twin = keras_twin(fitted, 0)
    first, second = gains(fitted.network, fitted.flat[0], fitted.moments[0])
    norm = twin.layers[1]
    assert np.allclose(first, norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + 1e-5), rtol=1e-5)
    assert np.allclose(second, twin.layers[4].gamma.numpy())
    plain = untrained("relu", given("relu", "regression"))
    assert all((one == 1).all() for one in gains(plain.network, plain.flat[0], plain.moments[0]))


def test_importance_behind_batch_norm_does_not_change_with_the_scale_of_the_kernel() -> None:
    """Which changes no output either: x10 in the kernel and the bias is x10 in the mean and the SD."""
    on = given("normed", "regression")
    fitted = untrained("normed", on)
    network, flat = fitted.network, fitted.flat.copy()
    bias = sum(network.sizes[: next(at for at, one in enumerate(network.parameters) if one.name == "bias")])
    flat[:, : network.sizes[0]] *= 10
    flat[:, bias : bias + 12] *= 10
    moments = np.stack(
        [
            moments_of(network, tensors(network, one), on.X[data]).numpy()
            for one, data in zip(flat, on.data, strict=True)
        ]
    )
    measures = [
        seen(one, on, hidden_layers(one, on, on.X, on.y, on.data))
        for one in (fitted, fitted_of(network, flat, moments))
    ]
    assert np.allclose(*measures, rtol=1e-3)


def seen(fitted: Fitted, on: Problem, hidden: list) -> np.ndarray:
    part = Part(np.zeros((len(on.data), 1, 1), np.float32), np.zeros((len(on.data), 1), np.float32))
    whole = Evaluation(
        task=on.task,
        finite_fit=np.ones(len(on.data), bool),
        **dict.fromkeys(("train", "validation", "validation_contaminated", "test", "test_noise", "test_fgsm"), part),
        relabelled=np.zeros((1, 1), bool),
        clean_run=np.zeros(1, int),
        unpenalised_run=np.zeros(1, int),
        input_gradient=np.zeros(1),
        kernels=fitted.kernels,
        live_inputs=np.ones((len(on.data), 9), bool),
        hidden=hidden,
    )
    return MEASURES["effective_neurons"].compute(whole)


def test_a_scale_behind_a_flattening_leaves_no_importance() -> None:
    network = Architecture("late", ["conv 2", "relu", "flatten", "batchnorm"]).network(64, 1, (8, 8))
    assert np.isnan(gains(network, network.initial(0), np.ones(256, np.float32))[0]).all()
