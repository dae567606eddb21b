"""Losses, penalties, optimizers: each against its formula in numpy or an independent library."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp

from l2audit.models.losses import LOSSES
from l2audit.models.optimizers import OPTIMIZERS, Adam, cosine
from l2audit.models.penalties import PENALTIES

RNG = np.random.default_rng(0)


def test_cross_entropy_is_its_formula() -> None:
    outputs = (5 * RNG.normal(size=(3, 7, 4))).astype(np.float32)
    labels = RNG.integers(0, 4, size=(3, 7)).astype(np.int32)
    expected = logsumexp(outputs, axis=-1) - np.take_along_axis(outputs, labels[..., None], -1)[..., 0]
    obtained = LOSSES["cross_entropy"].rows(tf.constant(outputs), tf.constant(labels))
    np.testing.assert_allclose(obtained, expected, rtol=1e-5, atol=1e-6)


def test_squared_is_half_the_squared_residual() -> None:
    outputs = RNG.normal(size=(3, 7, 1)).astype(np.float32)
    targets = RNG.normal(size=(3, 7)).astype(np.float32)
    obtained = LOSSES["squared"].rows(tf.constant(outputs), tf.constant(targets))
    np.testing.assert_allclose(obtained, 0.5 * (targets - outputs[..., 0]) ** 2, rtol=1e-6)


def test_l2_is_tf_nn_l2_loss_of_each_model() -> None:
    kernels = RNG.normal(size=(3, 5, 4)).astype(np.float32)
    obtained = PENALTIES["l2"](tf.reshape(kernels, (3, 20)))
    np.testing.assert_allclose(obtained, [tf.nn.l2_loss(kernel) for kernel in kernels], rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_adam_takes_the_steps_of_keras(name: str) -> None:
    ours = OPTIMIZERS[name]
    theirs = keras.optimizers.Adam(0.01, beta_1=ours.beta1, beta_2=ours.beta2, epsilon=ours.epsilon)
    start = RNG.normal(size=6).astype(np.float32)
    variable, parameters = tf.Variable(start), tf.constant(start)
    moments = ours.start(parameters)
    for t in range(20):
        gradient = tf.constant(RNG.normal(size=6).astype(np.float32))
        theirs.apply_gradients([(gradient, variable)])
        parameters, moments = ours.step(parameters, gradient, moments, 0.01, tf.constant(float(t)))
    np.testing.assert_allclose(parameters, variable.numpy(), rtol=1e-5, atol=1e-6)


def test_effective_rate_is_what_adam_multiplies_a_gradient_by() -> None:
    adam = Adam()
    gradient = np.full((2, 4), 0.5, np.float32)
    gradient[:, 2:] = 100  # biases: not among the first two entries
    start = tf.zeros((2, 4))
    after, moments = adam.step(start, tf.constant(gradient), adam.start(start), 0.1, 0.0)
    rates = adam.effective_rate(moments, 2, 0.1, 0.0)
    np.testing.assert_allclose(rates, [0.1 / 0.5] * 2, rtol=1e-5)
    np.testing.assert_allclose(rates[:, None] * gradient[:, :2], -after[:, :2], rtol=1e-5)


def test_effective_rate_is_at_most_the_mean_of_the_entries_own() -> None:
    adam = Adam()
    second = RNG.exponential(size=(5, 50)).astype(np.float32)
    own = 1 / (np.sqrt(second / (1 - adam.beta2)) + adam.epsilon)
    rates = adam.effective_rate((tf.zeros((5, 50)), tf.constant(second)), 50, 1.0, 0.0)
    assert (rates.numpy() < own.mean(axis=1)).all()


def test_cosine_goes_from_the_rate_to_zero() -> None:
    rates = [float(cosine(0.4, tf.constant(float(t)), 100)) for t in range(101)]
    assert rates[0] == pytest.approx(0.4)
    assert rates[50] == pytest.approx(0.2)
    assert rates[100] == pytest.approx(0, abs=1e-7)
    assert rates == sorted(rates, reverse=True)
