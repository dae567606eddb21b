"""Contract of every registered contamination kind, and each kind against its formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2audit.contamination import KINDS, MAD_TO_SD, Reference, Rows, contaminate

CLASSIFICATION = {"sym", "badlev_class"}


def rows_of(kind: str, n: int = 60, p: int = 5, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, p))
    if kind in CLASSIFICATION:
        return Rows(X, random.integers(0, 3, n), 3)
    return Rows(X, X @ random.standard_normal(p) + random.standard_normal(n), None)


def hit(kind: str, rate: float, *, n: int = 60, dataset: str = "d", seed: int = 0, magnitude: float = 10.0):
    rows = rows_of(kind, n)
    return rows, contaminate(
        rows, Reference(rows), kind=kind, rate=rate, magnitude=magnitude, dataset=dataset, seed=seed, part="train"
    )


@pytest.mark.parametrize("kind", KINDS.names())
@settings(max_examples=30, deadline=None)
@given(rate=st.floats(0, 0.99), n=st.integers(2, 80))
def test_exact_count_and_only_masked_rows_change(kind: str, rate: float, n: int) -> None:
    rows, got = hit(kind, rate, n=n)
    assert got.mask.sum() == round(rate * n)
    assert np.array_equal(got.X[~got.mask], rows.X[~got.mask])
    assert np.array_equal(got.y[~got.mask], rows.y[~got.mask])
    assert np.isfinite(got.X).all() and np.isfinite(got.y).all()
    assert got.X.shape == rows.X.shape and got.y.dtype == rows.y.dtype


@pytest.mark.parametrize("kind", KINDS.names())
def test_levels_are_nested_with_the_same_values(kind: str) -> None:
    _, low = hit(kind, 0.1)
    _, high = hit(kind, 0.4)
    assert low.mask[low.mask].all() and high.mask[low.mask].all()
    assert np.array_equal(low.X[low.mask], high.X[low.mask])
    assert np.array_equal(low.y[low.mask], high.y[low.mask])


@pytest.mark.parametrize("kind", KINDS.names())
def test_keyed_by_dataset_and_seed(kind: str) -> None:
    _, once = hit(kind, 0.3)
    _, again = hit(kind, 0.3)
    assert np.array_equal(once.mask, again.mask) and np.array_equal(once.y, again.y)
    assert not np.array_equal(once.mask, hit(kind, 0.3, seed=1)[1].mask)
    assert not np.array_equal(once.mask, hit(kind, 0.3, dataset="e")[1].mask)


@pytest.mark.parametrize("kind", KINDS.names())
def test_input_rows_are_never_written_to(kind: str) -> None:
    rows = rows_of(kind)
    before = rows.X.copy(), rows.y.copy()
    contaminate(rows, Reference(rows), kind=kind, rate=0.5, magnitude=10.0, dataset="d", seed=0, part="train")
    assert np.array_equal(before[0], rows.X) and np.array_equal(before[1], rows.y)


def test_symmetric_noise_never_keeps_a_label_and_reaches_every_other() -> None:
    rows, got = hit("sym", 0.9, n=900)
    changed = got.y[got.mask] != rows.y[got.mask]
    assert changed.all()
    shift = (got.y - rows.y)[got.mask] % 3
    assert abs((shift == 1).mean() - 0.5) < 0.06  # 810 draws of a fair coin: SD .018


def test_vertical_outliers_move_by_robust_scales_of_the_clean_target() -> None:
    rows, got = hit("vert", 0.2, magnitude=7.0)
    scale = MAD_TO_SD * np.median(np.abs(rows.y - np.median(rows.y)))
    assert np.allclose((got.y - rows.y)[got.mask], 7.0 * scale)
    assert np.array_equal(got.X, rows.X)


def test_leverage_cluster_lies_at_its_distance_and_off_the_surface() -> None:
    rows, got = hit("badlev", 0.5, n=400, magnitude=10.0)
    reference = Reference(rows)
    distance = np.linalg.norm(got.X[got.mask].mean(axis=0) - reference.centre)
    assert distance == pytest.approx(3 * np.sqrt((rows.X.std(axis=0) ** 2).sum()), rel=0.02)
    off = got.y[got.mask] - reference.surface(got.X[got.mask])[:, 0]
    assert np.allclose(off, -10.0 * reference.target_scale)


def test_good_leverage_lies_on_the_surface() -> None:
    rows, got = hit("badlev", 0.5, magnitude=0.0)
    assert np.allclose(got.y[got.mask], Reference(rows).surface(got.X[got.mask])[:, 0])


def test_training_and_validation_share_the_leverage_direction_but_not_the_rows() -> None:
    rows = rows_of("badlev", n=400)
    parts = {
        part: contaminate(
            rows, Reference(rows), kind="badlev", rate=0.5, magnitude=10.0, dataset="d", seed=0, part=part
        )
        for part in ("train", "validation")
    }
    centres = [got.X[got.mask].mean(axis=0) for got in parts.values()]
    assert np.linalg.norm(centres[0] - centres[1]) < 0.1 * np.linalg.norm(centres[0])
    assert not np.array_equal(parts["train"].mask, parts["validation"].mask)


def test_class_leverage_takes_the_class_ranked_last() -> None:
    rows, got = hit("badlev_class", 0.5)
    scores = Reference(rows).surface(got.X[got.mask])
    assert np.array_equal(got.y[got.mask], scores.argmin(axis=1))


def test_surface_is_ridge_with_lambda_of_least_gcv() -> None:
    rows = rows_of("vert", n=50)
    X, y = rows.X - rows.X.mean(axis=0), rows.y - rows.y.mean()
    n, p = X.shape

    def gcv(lam: float) -> tuple[float, np.ndarray]:
        inverse = np.linalg.inv(X.T @ X + lam * np.eye(p))
        w = inverse @ X.T @ y
        freedom = n - 1 - np.trace(X @ inverse @ X.T)
        return ((y - X @ w) ** 2).sum() / freedom**2, w

    best = min((gcv(n * b) for b in np.logspace(-6, 2, 65)), key=lambda found: found[0])[1]
    got = Reference(rows).surface(rows.X)[:, 0]
    assert np.allclose(got, rows.y.mean() + X @ best, atol=1e-9)


def test_scale_falls_back_to_the_sd_where_half_of_the_targets_are_equal() -> None:
    y = np.array([0.0] * 7 + [1.0, 2.0, 3.0])
    rows = Rows(np.zeros((10, 1)), y, None)
    assert Reference(rows).target_scale == pytest.approx(y.std())
