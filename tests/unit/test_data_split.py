"""Splits and scaling: disjoint, stratified, deterministic, and blind to test rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.robust.scale import mad

from l2audit.contamination import Reference, Rows, contaminate
from l2audit.data.split import MAD_TO_SD, PARTS, SCALINGS, Scaler, Sizes, allocate, sizes_for, split
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


@given(matrices, st.sampled_from(SCALINGS), st.floats(0.01, 100), st.floats(-50, 50))
def test_a_scaling_does_not_depend_on_origin_and_unit(X: np.ndarray, how: str, unit: float, origin: float) -> None:
    """So it may be fitted on rows that were standardised before, and give what it would have given on the raw ones."""
    there = unit * X + origin
    expected = Scaler.fit(X, X[:, 0], how)
    found = Scaler.fit(there, there[:, 0], how)
    assert np.allclose(found.features(there), expected.features(X), atol=1e-8)
    assert np.allclose(found.target(there[:, 0]), expected.target(X[:, 0]), atol=1e-8)


@given(matrices)
def test_the_robust_scaling_is_median_and_mad(X: np.ndarray) -> None:
    """Against an implementation that is not ours."""
    scaler = Scaler.fit(X, X[:, 1], "robust")
    assert np.array_equal(scaler.mean, np.median(X, axis=0))
    assert np.allclose(scaler.scale, mad(X, center=np.median, axis=0), rtol=1e-5)
    assert (scaler.y_mean, scaler.y_scale) == (scaler.mean[1], scaler.scale[1])
    assert np.allclose(scaler.scale, MAD_TO_SD * np.median(np.abs(X - scaler.mean), axis=0))


def test_outliers_move_the_mean_and_sd_but_hardly_the_median_and_mad() -> None:
    clean = np.random.Generator(np.random.PCG64(1)).normal(size=(400, 1))
    dirty = clean.copy()
    dirty[:40] += 30
    assert Scaler.fit(dirty, how="contaminated").scale[0] > 8
    assert abs(Scaler.fit(dirty, how="robust").scale[0] - 1) < 0.25
    assert abs(Scaler.fit(dirty, how="robust").mean[0]) < 0.25


def test_where_more_than_half_are_equal_the_robust_scaling_falls_back_on_the_sd() -> None:
    rare = np.repeat([0.0, 1.0], [95, 5])
    scaler = Scaler.fit(np.column_stack([rare, np.full(100, 0.1)]), rare, "robust")
    assert scaler.mean.tolist() == [0, 0.1]
    assert scaler.scale == pytest.approx([rare.std(), 1])
    assert (scaler.y_mean, scaler.y_scale) == (0, pytest.approx(rare.std()))


def test_an_unknown_scaling_is_refused() -> None:
    with pytest.raises(ValueError, match="'robuts' is no scaling"):
        Scaler.fit(np.eye(3), how="robuts")


def training_bytes(X: np.ndarray, y: np.ndarray, task: str, seed: int, kind: str, how: str) -> bytes:
    """All that training may see of a dataset, by way of every step between prepared arrays and a model."""
    rows = split("d", task, y, seed, Sizes(24, 12, 12)).train
    classes = 3 if task == "classification" else None
    first = Scaler.fit(X[rows], None if classes else y[rows])
    train = Rows(first.features(X[rows]), y[rows] if classes else first.target(y[rows]), classes)
    magnitude = 10.0 if kind in ("vert", "badlev") else 0.0
    hit = contaminate(
        train, Reference(train), kind=kind, rate=0.25, magnitude=magnitude, dataset="d", seed=seed, part="train"
    )
    second = Scaler.fit(hit.X, None if classes else hit.y, how)
    pieces = [*vars(first).values(), hit.X, hit.y, hit.mask, *vars(second).values(), second.features(hit.X)]
    return b"".join(np.asarray(piece).tobytes() for piece in pieces)


@pytest.mark.parametrize("how", SCALINGS)
@pytest.mark.parametrize(
    ("task", "kind"),
    [
        *[("classification", kind) for kind in ("clean", "sym", "badlev_class")],
        *[("regression", kind) for kind in ("clean", "vert", "badlev")],
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_test_rows_touch_neither_scaler_nor_contamination(how: str, task: str, kind: str, seed: int) -> None:
    """No byte of what is trained on changes when the rows outside the training part do; it does when those inside do.

    The labels stay in classification, because the split is stratified by them.
    """
    rng = np.random.Generator(np.random.PCG64(7))
    X = rng.normal(3, 5, size=(60, 4))
    y = rng.integers(0, 3, size=60) if task == "classification" else X @ np.ones(4) + rng.normal(size=60)
    train = split("d", task, y, seed, Sizes(24, 12, 12)).train
    before = training_bytes(X, y, task, seed, kind, how)
    others = np.setdiff1d(np.arange(60), train)
    spoiled, spoiled_y = X.copy(), y.copy()
    spoiled[others] = 1e9
    if task == "regression":
        spoiled_y[others] = -1e9
    assert training_bytes(spoiled, spoiled_y, task, seed, kind, how) == before
    spoiled[train[0]] += 1
    assert training_bytes(spoiled, spoiled_y, task, seed, kind, how) != before


def test_a_constant_column_is_divided_by_1() -> None:
    X = np.column_stack([np.full(10, 0.1), np.arange(10.0), np.full(10, 1e8)])
    scaled = Scaler.fit(X).features(X + np.array([1, 0, 1]))
    assert np.allclose(scaled[:, [0, 2]], 1)


def test_the_target_is_scaled_for_regression_only() -> None:
    X, y = np.arange(8.0)[:, None], np.arange(8.0) * 10
    assert np.isclose(Scaler.fit(X, y).target(y).std(), 1)
    assert np.array_equal(Scaler.fit(X).target(y), y)
