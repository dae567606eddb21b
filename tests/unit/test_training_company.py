"""A run's numbers do not depend on what is trained beside it: to the last bit."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

from l2audit.config.study import Schedule
from l2audit.models.architectures import Architecture
from l2audit.models.penalties import Penalty
from l2audit.models.problem import Fitted, Problem
from l2audit.networks.stacked import chunk_of
from l2audit.runs.engines import fit
from made_up import problem

L2 = Penalty("l2")

MLP = Architecture("mlp-64-64", ["dense 64", "relu", "dense 64", "relu"])
CONV = Architecture("small-conv", ["conv 4 stride 2", "relu", "flatten", "dense 8", "relu"])
SCHEDULE = Schedule(0.02, 40, 32)
CHUNK = 8
DIVERGING = 3  # the training set that is not finite


@cache
def whole() -> Problem:
    """Twelve models on four training sets, one of which makes its models diverge."""
    one = problem("classification", rows=100, features=64, outputs=10)
    X = one.X.copy()
    X[DIVERGING, 5, 7] = np.inf
    return dataclasses.replace(one, X=X)


def some(of: Problem, models: list[int]) -> Problem:
    """The problem of some of the models, its training sets numbered anew."""
    sets, data = np.unique(of.data[models], return_inverse=True)
    return dataclasses.replace(of, X=of.X[sets], y=of.y[sets], data=data, beta=of.beta[models], seed=of.seed[models])


@cache
def trained(models: tuple[int, ...]) -> Fitted:
    return fit(some(whole(), list(models)), MLP, "cross_entropy", L2, "adam", SCHEDULE, CHUNK)


def assert_same_bits(one: Fitted, other: Fitted, at: list[tuple[int, int]]) -> None:
    """Model a of `one` is model b of `other`, for each (a, b)."""
    for a, b in at:
        for mine, theirs in zip([*one.kernels, *one.biases], [*other.kernels, *other.biases], strict=True):
            assert mine[a].tobytes() == theirs[b].tobytes()
        assert one.certificates.keys() == other.certificates.keys()
        for name in one.certificates:
            assert one.certificates[name][a].tobytes() == other.certificates[name][b].tobytes(), name


ALL = tuple(range(12))


@pytest.mark.parametrize("models", [(0,), (5,), (11,), (7, 1), (2, 3, 5, 7, 8, 9, 10)])
def test_alone_or_with_others(models: tuple[int, ...]) -> None:
    assert_same_bits(trained(ALL), trained(models), [(model, at) for at, model in enumerate(models)])


def test_in_reversed_order_and_so_in_other_chunks() -> None:
    assert_same_bits(trained(ALL), trained(ALL[::-1]), [(model, 11 - model) for model in ALL])


def test_a_diverging_model_is_told_and_disturbs_no_neighbour() -> None:
    diverging = whole().data == DIVERGING
    assert np.array_equal(trained(ALL).certificates["finite"], ~diverging)
    healthy = tuple(np.flatnonzero(~diverging))
    assert np.isfinite(trained(ALL).certificates["train_loss"][list(healthy)]).all()
    assert_same_bits(trained(ALL), trained(healthy), [(model, at) for at, model in enumerate(healthy)])


def test_again() -> None:
    again = fit(whole(), MLP, "cross_entropy", L2, "adam", SCHEDULE, CHUNK)
    assert_same_bits(trained(ALL), again, [(model, model) for model in ALL])


def test_predictions_do_not_depend_on_the_company_either() -> None:
    test_rows = np.random.default_rng(1).normal(size=(2, 30, 64)).astype(np.float32)
    together = trained(ALL).predict(test_rows, np.arange(12) % 2)
    alone = trained((5,)).predict(test_rows, np.array([1]))
    assert together.shape == (12, 30, 10)
    assert together[5].tobytes() == alone[0].tobytes()


@pytest.mark.parametrize("side", [8, 11])  # as one program, and one by one
def test_networks_on_images(side: int) -> None:
    images = problem("classification", rows=50, features=side**2, outputs=3, image=(side, side))
    together = fit(images, CONV, "cross_entropy", L2, "adam", SCHEDULE)
    models = [7, 2]
    apart = fit(some(images, models), CONV, "cross_entropy", L2, "adam", SCHEDULE)
    assert_same_bits(together, apart, [(model, at) for at, model in enumerate(models)])


def test_layers_that_look_across_a_batch_do_not_look_across_models() -> None:
    normed = Architecture("normed", ["dense 12", "batchnorm", "relu", "dense 8", "layernorm", "gelu"])
    given = problem("regression", rows=50, features=6)
    together = fit(given, normed, "huber", Penalty("l1"), "momentum", SCHEDULE)
    apart = fit(some(given, [10, 3]), normed, "huber", Penalty("l1"), "momentum", SCHEDULE)
    assert_same_bits(together, apart, [(10, 0), (3, 1)])
    assert together.moments.shape == (12, 2 * 12)
    rows = np.random.default_rng(2).normal(size=(1, 30, 6)).astype(np.float32)
    whole, half = (together.predict(rows[:, :n], np.zeros(12, int)) for n in (30, 15))
    np.testing.assert_allclose(whole[:, :15], half, rtol=1e-5, atol=1e-5)  # moments are those of training rows


def test_a_chunk_fits_the_cache_and_does_not_depend_on_how_many_there_are() -> None:
    assert chunk_of(MLP.network(64, 10), 64) == 16
    assert chunk_of(Architecture("wide", ["dense 256", "relu", "dense 256", "relu"]).network(64, 10), 64) == 4
    assert chunk_of(Architecture("huge", ["dense 4096", "relu", "dense 4096"]).network(64, 10), 64) == 2
    by_default = fit(some(whole(), [4]), MLP, "cross_entropy", L2, "adam", SCHEDULE)
    assert_same_bits(fit(some(whole(), [4, 0]), MLP, "cross_entropy", L2, "adam", SCHEDULE), by_default, [(0, 0)])


def test_never_a_program_for_one_model() -> None:
    with pytest.raises(ValueError, match="use 2 or more"):
        fit(some(whole(), [0]), MLP, "cross_entropy", L2, "adam", SCHEDULE, 1)


def test_the_loss_after_half_the_steps_is_that_of_a_schedule_of_half_the_steps() -> None:
    given = whole()
    halved = fit(given, MLP, "cross_entropy", L2, "adam", dataclasses.replace(SCHEDULE, steps=20), CHUNK)
    told = trained(ALL).certificates["train_loss_half"]
    asked = (given.beta == 0) & (given.seed == 0)
    assert asked.any()
    assert np.array_equal(np.isfinite(told), asked)
    np.testing.assert_allclose(told[asked], halved.certificates["train_loss"][asked], rtol=1e-4)
    assert (told[asked] > trained(ALL).certificates["train_loss"][asked]).all()
