"""What is minimised: the penalty is in the very objective that trains, on every kernel and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from l2audit.config.study import Schedule
from l2audit.models.architectures import Architecture, Network
from l2audit.models.losses import LOSSES, Loss
from l2audit.models.optimizers import Adam
from l2audit.models.penalties import Penalty
from l2audit.networks.program import objective, program, tensors
from l2audit.networks.recipe import Recipe
from l2audit.runs.engines import fit
from made_up import problem

L2 = Penalty("l2")

MLP = Architecture("objective-mlp", ["dense 8", "relu", "dense 6", "relu"])
CONV = Architecture("objective-conv", ["conv 3", "relu", "conv 4 stride 2", "relu", "flatten", "dense 5", "relu"])
NO_LOSS = "no loss"
LOSSES.add(NO_LOSS, Loss("regression", lambda outputs, targets, scale: 0.0 * (outputs[..., 0] - targets)))


def network_of(architecture: Architecture) -> Network:
    return architecture.network(16, 1, (4, 4) if architecture is CONV else None)


def of_l2(network: Network) -> Recipe:
    return Recipe(network, "squared", L2, "adam", Schedule(0.01, 10, 4))


def parameters(network: Network, models: int) -> np.ndarray:
    """Kernels and biases drawn alike, so that a decaying bias would show."""
    return np.random.default_rng(0).normal(size=(models, sum(network.sizes))).astype(np.float32)


@pytest.mark.parametrize("architecture", [MLP, CONV], ids=lambda one: one.name)
def test_gradient_of_the_penalty_is_beta_w_on_kernels_and_zero_on_biases(architecture: Architecture) -> None:
    network, beta = network_of(architecture), 0.3
    flat = tf.constant(parameters(network, 1)[0])
    rows = tf.zeros((5, 16)), tf.zeros(5)
    gradients = []
    for strength in (beta, 0.0):
        with tf.GradientTape() as tape:
            tape.watch(flat)
            value = objective(of_l2(network), tensors(network, flat), *rows, tf.constant(strength))
        gradients.append(tape.gradient(value, flat).numpy())
    assert network.kernel_size < len(flat)
    expected = np.where(np.arange(len(flat)) < network.kernel_size, np.float32(beta) * flat.numpy(), 0)
    np.testing.assert_allclose(gradients[0] - gradients[1], expected, rtol=1e-5, atol=2e-5)


def test_the_objective_is_the_mean_loss_and_beta_times_half_the_squares() -> None:
    network = network_of(MLP)
    flat, rng = parameters(network, 3), np.random.default_rng(1)
    x, y = rng.normal(size=(3, 7, 16)).astype(np.float32), rng.normal(size=(3, 7)).astype(np.float32)
    beta = np.array([0, 0.1, 2], np.float32)
    obtained = objective(of_l2(network), tensors(network, tf.constant(flat)), *map(tf.constant, (x, y, beta)))
    for m in range(3):
        (kernels, biases), hidden = network.unpack(flat[m : m + 1].astype(np.float64)), x[m]
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            hidden = np.maximum(hidden @ kernel[0] + bias[0], 0)
        residual = (hidden @ kernels[-1][0] + biases[-1][0])[:, 0] - y[m]
        expected = 0.5 * np.mean(residual**2) + beta[m] * sum(0.5 * np.sum(one**2) for one in kernels)
        assert float(obtained[m]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("architecture", [MLP, CONV], ids=lambda one: one.name)
def test_without_data_loss_every_kernel_shrinks_as_predicted_and_no_bias_moves(architecture: Architecture) -> None:
    network, schedule, betas = network_of(architecture), Schedule(0.01, 25, 4), np.array([0.1, 3], np.float32)
    stacked = architecture is MLP
    flat = parameters(network, 2)
    run = program(Recipe(network, NO_LOSS, L2, "adam", schedule), 4, stacked=stacked)
    x, y, everything = np.zeros((4, 16), np.float32), np.zeros(4, np.float32), np.arange(4, dtype=np.int32)
    if stacked:
        rows = np.stack([everything] * 2)
        after = run(flat, x, y, rows, rows[None], betas, np.full(2, 25, np.float32))["flat"].numpy()
    else:
        after = np.stack(
            [
                run(one, x, y, everything, everything[None], beta, np.float32(25))["flat"].numpy()
                for one, beta in zip(flat, betas, strict=True)
            ]
        )
    for m, beta in enumerate(betas):
        expected = decayed(flat[m, : network.kernel_size].astype(np.float64), float(beta), schedule)
        np.testing.assert_allclose(after[m, : network.kernel_size], expected, rtol=1e-4, atol=1e-5)
        assert np.array_equal(after[m, network.kernel_size :], flat[m, network.kernel_size :])
    kernels, start = network.unpack(after)[0], network.unpack(flat)[0]
    for one, before in zip(kernels, start, strict=True):
        assert (np.abs(one).sum() < 0.95 * np.abs(before).sum()).all()


def decayed(w: np.ndarray, beta: float, schedule: Schedule) -> np.ndarray:
    """Adam on 0.5 beta w^2 alone, in float64 (Kingma and Ba 2015, algorithm 1)."""
    adam, first, second = Adam(), np.zeros_like(w), np.zeros_like(w)
    for t in range(schedule.steps):
        slope = beta * w
        first = adam.beta1 * first + (1 - adam.beta1) * slope
        second = adam.beta2 * second + (1 - adam.beta2) * slope**2
        rate = schedule.learning_rate / 2 * (1 + np.cos(np.pi * t / schedule.steps))
        unbiased = first / (1 - adam.beta1 ** (t + 1))
        w = w - rate * unbiased / (np.sqrt(second / (1 - adam.beta2 ** (t + 1))) + adam.epsilon)
    return w


@pytest.mark.parametrize("architecture", [MLP, CONV], ids=lambda one: one.name)
def test_beta_zero_is_no_penalty(architecture: Architecture) -> None:
    image = (4, 4) if architecture is CONV else None
    given = problem("regression", rows=20, features=16, seeds=1, betas=(0.0,), image=image)
    schedule = Schedule(0.01, 10, 8)
    with_zero = fit(given, architecture, "squared", L2, "adam", schedule, 2)
    without = fit(given, architecture, "squared", Penalty("none"), "adam", schedule, 2)
    for mine, theirs in zip([*with_zero.kernels, *with_zero.biases], [*without.kernels, *without.biases], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-7)
    assert (with_zero.certificates["decay_exposure"] == 0).all()
    assert (with_zero.certificates["gradient_ratio"] == 1).all()
