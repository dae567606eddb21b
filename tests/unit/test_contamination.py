"""Contract of every registered contamination kind, a user's own included, over designs of every shape."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_digits, load_iris

from l2audit import contamination
from l2audit.contamination import (
    CLEAN,
    FEATURES,
    FEATURES_AND_LABELS,
    FEATURES_AND_TARGET,
    KINDS,
    LABELS,
    TARGET,
    Contaminated,
    Draws,
    Kind,
    Reference,
    Rows,
    contaminate,
    random_rows,
)
from l2audit.data.split import Scaler, Sizes, split
from l2audit.errors import UserError
from l2audit.seeds import generator

OWN = "own"
ENTRIES = yaml.safe_load((Path(__file__).parents[2] / "config/contaminations.yaml").read_text(encoding="utf-8"))
ENTRIES[OWN] = {"tasks": ["classification", "regression"], "rate": "rows", "levels": [{"rate": 0.1}]}
DESIGNS = {
    "classification": ("noise", "two_classes", "iris", "digits"),
    "regression": ("noise", "one_column", "singular", "wide", "diabetes"),
}
CASES = [(name, data) for name in sorted(ENTRIES) for task in ENTRIES[name]["tasks"] for data in DESIGNS[task]]
TASK = {(name, data): task for name in ENTRIES for task in ENTRIES[name]["tasks"] for data in DESIGNS[task]}


def mirrored(rows: Rows, reference: Reference, magnitude: float, draws: Draws):
    """A kind of a user's own: the features are mirrored in their centre, give or take a little."""
    return 2 * reference.centre - rows.X + 0.01 * draws.rows.standard_normal(rows.X.shape), rows.y


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(KINDS._items, OWN, Kind(mirrored, FEATURES, random_rows))
    yield


@lru_cache
def parts_of(data: str, task: str, n: int = 120) -> dict[str, Rows]:
    """Train, validation and test rows of a design, scaled as training does it."""
    draw = generator("test design", data)
    X = draw.standard_normal((2 * n, {"one_column": 1, "wide": 2 * n}.get(data, 5)))
    y = draw.integers(0, 2 if data == "two_classes" else 4, 2 * n)
    if task == "regression":
        y = X @ draw.standard_normal(X.shape[1]) + draw.standard_normal(2 * n)
    if data == "singular":
        X = np.column_stack([X, X[:, 0] - X[:, 1], np.ones(2 * n)])
    if data in ("iris", "digits", "diabetes"):
        loaded = {"iris": load_iris, "digits": load_digits, "diabetes": load_diabetes}[data]()
        X, y = loaded.data.astype(float), loaded.target
    y = y.astype(np.int64 if task == "classification" else np.float64)
    parts = split(data, task, y, 0, Sizes(n, n, n))
    classes = int(y.max()) + 1 if task == "classification" else None
    scaler = Scaler.fit(X[parts.train], None if classes else y[parts.train])

    def rows(index: np.ndarray) -> Rows:
        return Rows(scaler.features(X[index]), y[index] if classes else scaler.target(y[index]), classes)

    return {name: rows(getattr(parts, name)) for name in ("train", "validation", "test")}


def hit(
    kind: str, data: str, rate: float, *, part: str = "train", seed: int = 0, dataset: str = ""
) -> tuple[Rows, Contaminated]:
    parts = parts_of(data, TASK[kind, data])
    magnitude = ENTRIES[kind]["levels"][0].get("magnitude", 0.0)
    got = contaminate(
        parts[part],
        Reference(parts["train"]),
        kind=kind,
        rate=rate,
        magnitude=magnitude,
        dataset=dataset or data,
        seed=seed,
        part=part,
    )
    return parts[part], got


def changed(rows: Rows, got: Contaminated) -> np.ndarray:
    """Which cells of X and y changed, (n, p + 1)."""
    return np.column_stack([got.X != rows.X, got.y != rows.y])


def test_what_is_registered_is_what_is_described() -> None:
    assert sorted(ENTRIES) == KINDS.names()


@pytest.mark.parametrize(("kind", "data"), CASES)
@pytest.mark.parametrize("part", ["train", "validation"])
def test_shapes_types_and_values(kind: str, data: str, part: str) -> None:
    rows, got = hit(kind, data, 0.25, part=part)
    assert got.X.shape == rows.X.shape
    assert got.X.dtype == np.float64
    assert got.y.shape == rows.y.shape
    assert got.y.dtype == rows.y.dtype
    assert got.mask.shape == got.relabelled.shape == rows.y.shape
    assert got.mask.dtype == got.relabelled.dtype == bool
    assert np.isfinite(got.X).all()
    assert np.isfinite(got.y).all()
    if rows.classes:
        assert got.y.min() >= 0
        assert got.y.max() < rows.classes


@pytest.mark.parametrize(("kind", "data"), CASES)
def test_what_is_not_hit_keeps_its_bits(kind: str, data: str) -> None:
    rows, got = hit(kind, data, 0.25)
    assert got.X[~got.mask].tobytes() == rows.X[~got.mask].tobytes()
    assert got.y[~got.mask].tobytes() == rows.y[~got.mask].tobytes()
    touched = KINDS[kind].hits
    assert (touched in (FEATURES, FEATURES_AND_LABELS, FEATURES_AND_TARGET)) is not np.array_equal(got.X, rows.X)
    assert (touched != FEATURES) is not np.array_equal(got.y, rows.y)
    assert np.array_equal(got.relabelled, (got.y != rows.y) & (touched == LABELS))


@pytest.mark.parametrize(("kind", "data"), CASES)
def test_hits_fits_the_tasks(kind: str, data: str) -> None:
    fits = {
        "classification": {LABELS, FEATURES, FEATURES_AND_LABELS},
        "regression": {TARGET, FEATURES, FEATURES_AND_TARGET},
    }
    assert KINDS[kind].hits in fits[TASK[kind, data]]


@pytest.mark.parametrize("kind", sorted(ENTRIES))
@settings(max_examples=25)
@given(rate=st.floats(0.02, 1), n=st.integers(40, 90))
def test_counts_are_exact(kind: str, rate: float, n: int) -> None:
    parts = parts_of("noise", ENTRIES[kind]["tasks"][0], n)
    rows = parts["train"]
    got = contaminate(rows, Reference(rows), kind=kind, rate=rate, magnitude=3.0, dataset="d", seed=0, part="train")
    if ENTRIES[kind]["rate"] == "cells":
        assert (got.X != rows.X).sum() == round(rate * rows.X.size)
        assert np.array_equal(got.mask, (got.X != rows.X).any(axis=1))
    else:
        assert got.mask.sum() == round(rate * len(rows.y))


@pytest.mark.parametrize(("kind", "data"), CASES)
def test_levels_are_nested_with_the_same_values(kind: str, data: str) -> None:
    rows, low = hit(kind, data, 0.1)
    _, high = hit(kind, data, 0.4)
    assert high.mask[low.mask].all()
    moved = low.X != rows.X
    assert np.array_equal(low.X[moved], high.X[moved])
    assert np.array_equal(low.y[low.mask], high.y[low.mask])


@pytest.mark.parametrize(("kind", "data"), CASES)
def test_the_draw_depends_on_dataset_seed_and_part_alone(kind: str, data: str) -> None:
    _, once = hit(kind, data, 0.3)
    _, again = hit(kind, data, 0.3)
    assert once.X.tobytes() == again.X.tobytes()
    assert once.y.tobytes() == again.y.tobytes()
    assert np.array_equal(once.mask, again.mask)
    others = [{"seed": 1}, {"dataset": "e"}, {"part": "validation"}]
    # A single feature has but two directions, so where rows go by direction the same ones may well come back.
    if not (data == "one_column" and kind == "shift"):
        drawn = [changed(*hit(kind, data, 0.3, **other)).tobytes() for other in others]
        assert changed(*hit(kind, data, 0.3)).tobytes() not in drawn


@pytest.mark.parametrize(("kind", "data"), CASES)
def test_neither_the_input_nor_the_test_rows_are_written_to(kind: str, data: str) -> None:
    parts = parts_of(data, TASK[kind, data])
    before = [(rows.X.tobytes(), rows.y.tobytes()) for rows in parts.values()]
    for part in ("train", "validation"):
        _, got = hit(kind, data, 0.5, part=part)
        assert not np.shares_memory(got.X, parts["test"].X)
    assert before == [(rows.X.tobytes(), rows.y.tobytes()) for rows in parts.values()]


@pytest.mark.parametrize("kind", [name for name in sorted(ENTRIES) if name not in ("cell", "shift", "local")])
def test_rows_are_hit_in_the_order_of_the_first_permutation(kind: str) -> None:
    """The numbers that stored results were made from: nothing may be drawn before the order of the rows."""
    data = DESIGNS[ENTRIES[kind]["tasks"][0]][0]
    rows, got = hit(kind, data, 0.2)
    n = len(rows.y)
    first = generator("contamination", data, 0, kind, "train").permutation(n)[: round(0.2 * n)]
    assert sorted(first) == np.flatnonzero(got.mask).tolist()


@pytest.mark.parametrize("kind", [CLEAN, "sym"])
def test_clean_and_a_rate_of_zero_change_nothing(kind: str) -> None:
    rows = parts_of("iris", "classification")["train"]
    got = contaminate(rows, Reference(rows), kind=kind, rate=0.0, magnitude=0.0, dataset="d", seed=0, part="train")
    assert got.X is rows.X
    assert got.y is rows.y
    assert not got.mask.any()


@pytest.mark.parametrize("kind", sorted(ENTRIES))
def test_a_rate_that_hits_nothing_is_refused(kind: str) -> None:
    data = DESIGNS[ENTRIES[kind]["tasks"][0]][0]
    with pytest.raises(UserError, match=f"{kind} at rate 0.0001 hits none of the 120 train rows of {data}"):
        hit(kind, data, 0.0001)


def test_scale_falls_back_to_the_sd_where_half_of_the_targets_are_equal() -> None:
    y = np.array([0.0] * 7 + [1.0, 2.0, 3.0])
    rows = Rows(np.zeros((10, 1)), y, None)
    assert Reference(rows).target_scale == pytest.approx(y.std())


def test_test_noise_and_fgsm_are_no_training_kinds() -> None:
    assert not {"test", "test_noise", "fgsm", "fgsm_l2"} & set(KINDS)
    assert callable(contamination.test_noise)
    assert callable(contamination.fgsm_l2)
