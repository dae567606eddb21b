"""Splits and scaling: disjoint, stratified, deterministic, and blind to test rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2audit.data.split import PARTS, Scaler, Sizes, allocate, sizes_for, split
from l2audit.errors import UserError

caps_of = st.builds(Sizes, *[st.integers(1, 80)] * 3)
labels_of = st.lists(st.integers(0, 4), min_size=8, max_size=200).map(np.array)
seeds = st.integers(0, 30)


@given(labels_of, seeds, caps_of, st.sampled_from(["classification", "regression"]))
def test_parts_share_no_row_and_have_the_announced_sizes(y: np.ndarray, seed: int, caps: Sizes, task: str) -> None:
    parts = split("d", task, y, seed, caps)
    sizes = sizes_for(len(y), caps)
    rows = np.concatenate([getattr(parts, part) for part in PARTS])
    assert len(set(rows.tolist())) == len(rows)
    assert rows.min() >= 0
    assert rows.max() < len(y)
    for part in PARTS:
        assert len(getattr(parts, part)) == getattr(sizes, part)


@given(labels_of, seeds, caps_of)
def test_a_class_with_room_and_rows_is_in_every_part(y: np.ndarray, seed: int, caps: Sizes) -> None:
    parts = split("d", "classification", y, seed, caps)
    classes, counts = np.unique(y, return_counts=True)
    sizes = sizes_for(len(y), caps)
    if counts.min() >= len(PARTS):
        for part in PARTS:
            if getattr(sizes, part) >= len(classes):
                assert set(y[getattr(parts, part)]) == set(classes.tolist())


@given(st.integers(1, 20), seeds, caps_of)
def test_equal_classes_are_split_equally(each: int, seed: int, caps: Sizes) -> None:
    y = np.repeat(np.arange(3), 4 * each)
    parts = split("d", "classification", y, seed, caps)
    for part in PARTS:
        counts = np.bincount(y[getattr(parts, part)], minlength=3)
        assert counts.max() - counts.min() <= 1


def test_shares_are_those_of_the_whole() -> None:
    y = np.repeat([0, 1, 2], [700, 200, 100])
    parts = split("d", "classification", y, 0, Sizes(100, 100, 100))
    for part in PARTS:
        assert np.bincount(y[getattr(parts, part)]).tolist() == [70, 20, 10]


def test_the_split_is_a_function_of_dataset_and_seed() -> None:
    y, caps = np.arange(100.0), Sizes(40, 20, 40)
    first = split("d", "regression", y, 3, caps)
    assert np.array_equal(first.train, split("d", "regression", -y, 3, caps).train)
    assert not np.array_equal(first.train, split("d", "regression", y, 4, caps).train)
    assert not np.array_equal(first.train, split("e", "regression", y, 3, caps).train)


def test_every_row_is_tested_at_some_seed() -> None:
    tested = {
        int(row) for seed in range(40) for row in split("d", "regression", np.zeros(60), seed, Sizes(30, 15, 15)).test
    }
    assert tested == set(range(60))


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (150, Sizes(75, 37, 38)),
        (178, Sizes(89, 44, 45)),
        (1797, Sizes(400, 400, 997)),
        (20190, Sizes(400, 400, 1000)),
    ],
)
def test_sizes_of_the_default_caps(n: int, expected: Sizes) -> None:
    assert sizes_for(n, Sizes(400, 400, 1000)) == expected


@pytest.mark.parametrize(("n", "caps"), [(3, Sizes(9, 9, 9)), (100, Sizes(9, 0, 9))])
def test_an_empty_part_is_refused(n: int, caps: Sizes) -> None:
    with pytest.raises(UserError, match="without rows"):
        sizes_for(n, caps)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_allocate_hands_out_exactly_what_was_asked(counts: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, sum(counts)))
    share = allocate(np.array(counts), size, reserve=data.draw(st.integers(0, 2)))
    assert share.sum() == size
    assert (share >= 0).all()
    assert (share <= counts).all()


matrices = st.integers(0, 1000).map(lambda seed: np.random.Generator(np.random.PCG64(seed)).normal(3, 5, size=(12, 4)))


@given(matrices)
def test_scaled_training_rows_have_mean_0_and_population_sd_1(X: np.ndarray) -> None:
    scaled = Scaler.fit(X).features(X)
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-12)
    assert np.allclose(scaled.std(axis=0), 1)


@given(matrices, st.integers(0, 5))
def test_test_rows_never_reach_the_scaler(X: np.ndarray, seed: int) -> None:
    y = X[:, 0] * 2
    rows = split("d", "regression", y, seed, Sizes(6, 3, 3))
    fitted = Scaler.fit(X[rows.train], y[rows.train])
    others = np.concatenate([rows.validation, rows.test])
    spoiled, spoiled_y = X.copy(), y.copy()
    spoiled[others], spoiled_y[others] = 1e9, -1e9
    again = split("d", "regression", spoiled_y, seed, Sizes(6, 3, 3))
    refitted = Scaler.fit(spoiled[again.train], spoiled_y[again.train])
    assert np.array_equal(fitted.mean, refitted.mean)
    assert np.array_equal(fitted.scale, refitted.scale)
    assert (fitted.y_mean, fitted.y_scale) == (refitted.y_mean, refitted.y_scale)


def test_a_constant_column_is_divided_by_1() -> None:
    X = np.column_stack([np.full(10, 0.1), np.arange(10.0), np.full(10, 1e8)])
    scaled = Scaler.fit(X).features(X + np.array([1, 0, 1]))
    assert np.allclose(scaled[:, [0, 2]], 1)


def test_the_target_is_scaled_for_regression_only() -> None:
    X, y = np.arange(8.0)[:, None], np.arange(8.0) * 10
    assert np.isclose(Scaler.fit(X, y).target(y).std(), 1)
    assert np.array_equal(Scaler.fit(X).target(y), y)
