"""Losses, penalties, optimizers: each against its formula in numpy or an independent library."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import huber as scipy_huber
from scipy.special import logsumexp

from l2audit.linear.huber import residual_scale as linear_residual_scale
from l2audit.models.losses import LOSSES, residual_scale
from l2audit.models.optimizers import OPTIMIZERS, Adam, Momentum, cosine
from l2audit.models.penalties import WORDS, Penalty, read_penalty

RNG = np.random.default_rng(0)


def test_cross_entropy_is_its_formula() -> None:
    outputs = (5 * RNG.normal(size=(3, 7, 4))).astype(np.float32)
    labels = RNG.integers(0, 4, size=(3, 7)).astype(np.int32)
    expected = logsumexp(outputs, axis=-1) - np.take_along_axis(outputs, labels[..., None], -1)[..., 0]
    obtained = LOSSES["cross_entropy"].rows(tf.constant(outputs), tf.constant(labels), tf.ones(3))
    np.testing.assert_allclose(obtained, expected, rtol=1e-5, atol=1e-6)


def test_squared_is_half_the_squared_residual() -> None:
    outputs = RNG.normal(size=(3, 7, 1)).astype(np.float32)
    targets = RNG.normal(size=(3, 7)).astype(np.float32)
    obtained = LOSSES["squared"].rows(tf.constant(outputs), tf.constant(targets), tf.ones(3))
    np.testing.assert_allclose(obtained, 0.5 * (targets - outputs[..., 0]) ** 2, rtol=1e-6)


def test_robust_losses_are_their_formulas() -> None:
    outputs, targets = RNG.normal(size=(3, 70, 1)).astype(np.float32), RNG.normal(size=(3, 70)).astype(np.float32)
    residual, scale = targets - outputs[..., 0], np.array([0.2, 1, 3], np.float32)
    given = tf.constant(outputs), tf.constant(targets), tf.constant(scale)
    np.testing.assert_allclose(LOSSES["absolute"].rows(*given), np.abs(residual), rtol=1e-6)
    delta = 1.345 * scale[:, None]
    np.testing.assert_allclose(LOSSES["huber"].rows(*given), scipy_huber(delta, residual), rtol=1e-5, atol=1e-6)
    assert [name for name in LOSSES.names() if LOSSES[name].scaled] == ["huber"]


@given(rows=st.integers(1, 9), spread=st.floats(1e-6, 10))
def test_the_residual_scale_is_the_one_of_the_linear_solver(rows: int, spread: float) -> None:
    residual = (spread * np.random.default_rng(rows).normal(size=(2, rows))).astype(np.float32)
    obtained = residual_scale(tf.zeros((2, rows, 1)), tf.constant(residual))
    np.testing.assert_allclose(obtained, np.maximum(linear_residual_scale(residual), 1e-3), rtol=1e-5)


def test_penalties_are_read() -> None:
    assert read_penalty("l2") == Penalty("l2")
    assert read_penalty("l1 except output with biases") == Penalty("l1", ("output",), True)
    assert read_penalty("decay except 1 3").covers(4) == (False, True, False, True)
    assert read_penalty("l2 except output").covers(3) == (True, True, False)
    assert read_penalty("none").covers(2) == read_penalty("placebo").covers(2) == (False, False)
    with pytest.raises(ValueError, match="there is no kernel 3: the network has 2"):
        read_penalty("l2 except 3").covers(2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is not a penalty"),
        ("l3", "use one of l2, l1"),
        ("l2 output", "write `l2 except output`"),
        ("l2 except", "write `l2 except output`"),
        ("l2 except first", "neither `output` nor the number"),
        ("l2 except 0", "neither `output` nor the number"),
        ("l2 with bias", "is not understood"),
    ],
)
def test_a_faulty_penalty_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_penalty(text)


@given(
    st.text(max_size=12) | st.lists(st.sampled_from([*WORDS, "except", "output", "with", "biases", "2"])).map(" ".join)
)
def test_any_text_is_a_penalty_or_refused(text: str) -> None:
    try:
        assert len(read_penalty(text).covers(4)) == 4
    except ValueError as error:
        assert str(error)


def test_adam_takes_the_steps_of_keras() -> None:
    ours = Adam()
    theirs = keras.optimizers.Adam(0.01, beta_1=ours.beta1, beta_2=ours.beta2, epsilon=ours.epsilon)
    start = RNG.normal(size=6).astype(np.float32)
    variable, parameters = tf.Variable(start), tf.constant(start)
    state = ours.start(parameters)
    for t in range(20):
        gradient = tf.constant(RNG.normal(size=6).astype(np.float32))
        theirs.apply_gradients([(gradient, variable)])
        direction, state = ours.step(gradient, state, tf.constant(float(t)))
        parameters -= 0.01 * direction
    np.testing.assert_allclose(parameters, variable.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_gradient_descent_takes_the_steps_of_keras(decay: float) -> None:
    ours, theirs = Momentum(decay), keras.optimizers.SGD(0.01, momentum=decay)
    start = RNG.normal(size=6).astype(np.float32)
    variable, parameters, state = tf.Variable(start), tf.constant(start), ours.start(tf.constant(start))
    for t in range(20):
        gradient = tf.constant(RNG.normal(size=6).astype(np.float32))
        theirs.apply_gradients([(gradient, variable)])
        direction, state = ours.step(gradient, state, tf.constant(float(t)))
        parameters -= 0.01 * direction
    np.testing.assert_allclose(parameters, variable.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_the_gain_is_what_a_constant_gradient_becomes(name: str) -> None:
    optimizer, gradient = OPTIMIZERS[name], tf.constant(RNG.normal(size=6).astype(np.float32))
    state = optimizer.start(gradient)
    for t in range(300):
        direction, state = optimizer.step(gradient, state, tf.constant(float(t)))
    np.testing.assert_allclose(direction, optimizer.gain(state, tf.constant(299.0)) * gradient, rtol=1e-4)


def test_least_gain_is_at_most_the_mean_of_the_entries_own() -> None:
    adam, t = Adam(), tf.constant(3.0)
    seconds = [RNG.exponential(size=(5, 50)).astype(np.float32), 9 * RNG.exponential(size=(5, 4, 6)).astype(np.float32)]
    states = [(None, tf.constant(one)) for one in seconds]
    own = np.concatenate([adam.gain(state, t).numpy().reshape(5, -1) for state in states], axis=1)
    least = adam.least_gain(states, t, [(-1,), (-2, -1)]).numpy()
    pooled = np.concatenate([one.reshape(5, -1) for one in seconds], axis=1).mean(axis=1)
    np.testing.assert_allclose(least, 1 / np.sqrt(pooled / (1 - adam.beta2**4)), rtol=1e-5)
    assert (least < own.mean(axis=1)).all()


def test_cosine_goes_from_the_rate_to_zero() -> None:
    rates = [float(cosine(0.4, tf.constant(float(t)), 100)) for t in range(101)]
    assert rates[0] == pytest.approx(0.4)
    assert rates[50] == pytest.approx(0.2)
    assert rates[100] == pytest.approx(0, abs=1e-7)
    assert rates == sorted(rates, reverse=True)
