"""Each contamination kind and each perturbation of test rows against its formula and an independent computation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from l2audit import contamination
from l2audit.contamination import MAD_TO_SD, Contaminated, Reference, Rows, contaminate, fgsm_l2
from l2audit.seeds import generator

LEVERAGE_KINDS = ("badlev", "badlev_pc1", "badlev_last", "goodlev")


def regression(n: int = 400, p: int = 5, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, p)) @ random.standard_normal((p, p)) + 1.0
    return Rows(X, X @ random.standard_normal(p) + random.standard_normal(n), None)


def classification(n: int = 400, classes: int = 3, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    return Rows(random.standard_normal((n, 5)), random.integers(0, classes, n), classes)


def hit(rows: Rows, kind: str, rate: float, magnitude: float = 0.0, part: str = "train", seed: int = 0) -> Contaminated:
    reference = Reference(rows)
    return contaminate(rows, reference, kind=kind, rate=rate, magnitude=magnitude, dataset="d", seed=seed, part=part)


def scale_of(rows: Rows) -> float:
    return MAD_TO_SD * float(np.median(np.abs(rows.y - np.median(rows.y))))


def shared_direction(kind: str, p: int, seed: int = 0) -> np.ndarray:
    drawn = generator("contamination", "d", seed, kind, "shared").standard_normal(p)
    return drawn / np.linalg.norm(drawn)


def test_symmetric_noise_is_uniform_over_the_other_classes() -> None:
    rows = classification(20_000, classes=5)
    got = hit(rows, "sym", 0.9)
    assert np.array_equal(got.relabelled, got.mask)
    table = np.array([[((rows.y == a) & (got.y == b) & got.mask).sum() for b in range(5)] for a in range(5)])
    assert np.trace(table) == 0
    for old in range(5):
        assert stats.chisquare(np.delete(table[old], old)).pvalue > 0.01


def test_pair_noise_takes_each_class_for_the_next() -> None:
    rows = classification(classes=4)
    got = hit(rows, "pair", 0.45)
    following = {0: 1, 1: 2, 2: 3, 3: 0}
    assert [following[old] for old in rows.y[got.mask]] == got.y[got.mask].tolist()
    two = classification(classes=2)
    assert np.array_equal(hit(two, "pair", 1.0).y, hit(two, "sym", 1.0).y)


def test_vertical_outliers_move_by_robust_scales_of_the_clean_target() -> None:
    rows = regression()
    got = hit(rows, "vert", 0.2, 7.0)
    assert np.allclose((got.y - rows.y)[got.mask], 7.0 * scale_of(rows))


def test_two_sided_outliers_go_up_and_down_alike() -> None:
    rows = regression(20_000)
    got = hit(rows, "vert2", 0.5, 7.0)
    moves = (got.y - rows.y)[got.mask] / scale_of(rows)
    assert np.allclose(np.abs(moves), 7.0)
    assert stats.binomtest(int((moves > 0).sum()), moves.size).pvalue > 0.01
    assert moves.mean() == pytest.approx(0, abs=4 * 7.0 / np.sqrt(moves.size))
    assert moves.var() == pytest.approx(49, rel=0.01)


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_a_shift_hits_the_rows_beyond_a_quantile_of_a_shared_direction(rate: float, part: str) -> None:
    rows = regression()
    got = hit(rows, "shift", rate, 5.0, part)
    along = rows.X @ shared_direction("shift", 5)
    assert np.array_equal(got.mask, along > np.quantile(along, 1 - rate))
    assert np.allclose((got.y - rows.y)[got.mask], 5.0 * scale_of(rows))


def test_a_shift_among_equal_rows_breaks_ties_at_random() -> None:
    rows = Rows(np.ones((50, 2)), np.arange(50.0), None)
    masks = [hit(rows, "shift", 0.2, 5.0, seed=seed).mask for seed in range(5)]
    assert all(mask.sum() == 10 for mask in masks)
    assert len({mask.tobytes() for mask in masks}) == 5


@pytest.mark.parametrize("nu", [1.5, 2.0, 3.0])
def test_heavy_tailed_noise_is_student_with_its_mad_set(nu: float) -> None:
    rows = regression(20_000)
    noise = (hit(rows, "student", 1.0, nu).y - rows.y) / scale_of(rows)
    factor = 0.3 / stats.t.ppf(0.75, nu)
    assert stats.kstest(noise, stats.t(nu, scale=factor).cdf).pvalue > 0.01
    assert np.median(np.abs(noise - np.median(noise))) == pytest.approx(0.3, rel=0.03)
    drawn = generator("contamination", "d", 0, "student", "train")
    drawn.permutation(20_000)
    assert np.allclose(noise, factor * drawn.standard_t(nu, 20_000), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", LEVERAGE_KINDS)
def test_a_leverage_cluster_has_its_mean_and_spread(kind: str) -> None:
    rows = regression(4000)
    got = hit(rows, kind, 0.5, 10.0)
    cluster, spread = got.X[got.mask], rows.X.std(axis=0)
    away = cluster.mean(axis=0) - rows.X.mean(axis=0)
    wobble = 0.1 * spread / np.sqrt(len(cluster))
    values, vectors = np.linalg.eigh(np.cov(rows.X.T))
    oblique = shared_direction(kind, 5)
    expected = {"badlev_pc1": vectors[:, -1], "badlev_last": vectors[:, 0]}.get(kind, oblique)
    length = 3 * np.sqrt((spread**2).sum())
    sign = np.sign(away @ expected) if kind.startswith("badlev_") else 1.0
    assert (np.abs(away - length * sign * expected) < 4.5 * wobble).all()
    assert np.allclose(cluster.std(axis=0), 0.1 * spread, rtol=0.1)
    assert values[0] < values[-1]


@pytest.mark.parametrize("kind", LEVERAGE_KINDS)
def test_the_target_of_a_leverage_point_lies_off_the_surface_by_the_magnitude(kind: str) -> None:
    rows = regression()
    got = hit(rows, kind, 0.3, 10.0)
    off = got.y[got.mask] - Reference(rows).surface(got.X[got.mask])[:, 0]
    assert np.allclose(off, 0.0 if kind == "goodlev" else -10.0 * scale_of(rows), atol=1e-9)


def test_components_are_those_of_an_eigendecomposition_and_null_directions_are_left_out() -> None:
    rows = regression()
    singular = Rows(np.column_stack([rows.X, rows.X[:, 0] - rows.X[:, 1], np.ones(len(rows.y))]), rows.y, None)
    found = Reference(singular).components
    values, vectors = np.linalg.eigh(np.cov(singular.X.T))
    kept = vectors[:, values > 1e-10 * values[-1]].T[::-1]
    assert found.shape == kept.shape == (5, 7)
    assert np.allclose(np.abs((found * kept).sum(axis=1)), 1.0)
    assert np.allclose(found @ found.T, np.eye(5))
    assert all(row[np.abs(row).argmax()] > 0 for row in found)


def test_the_sign_of_a_component_does_not_hang_on_the_order_of_rows() -> None:
    rows = regression()
    turned = Rows(rows.X[::-1].copy(), rows.y[::-1].copy(), None)
    assert np.allclose(Reference(rows).components, Reference(turned).components)


def test_training_and_validation_share_the_direction_of_leverage_but_not_the_rows() -> None:
    rows = regression()
    train, validation = (hit(rows, "badlev", 0.5, 10.0, part) for part in ("train", "validation"))
    centres = [got.X[got.mask].mean(axis=0) - rows.X.mean(axis=0) for got in (train, validation)]
    assert np.linalg.norm(centres[0] - centres[1]) < 0.1 * np.linalg.norm(centres[0])
    assert not np.array_equal(train.mask, validation.mask)


def test_class_leverage_takes_the_class_ranked_last() -> None:
    rows = classification()
    got = hit(rows, "badlev_class", 0.5)
    scores = Reference(rows).surface(got.X[got.mask])
    assert np.array_equal(got.y[got.mask], scores.argmin(axis=1))


def test_cells_are_set_ten_sds_from_their_mean_each_as_likely_as_any_other() -> None:
    rows = regression(4000)
    got = hit(rows, "cell", 0.1)
    cells = got.X != rows.X
    far = np.broadcast_to(rows.X.mean(axis=0) + 10 * rows.X.std(axis=0), rows.X.shape)
    assert np.allclose(got.X[cells], far[cells])
    assert stats.chisquare(cells.sum(axis=0)).pvalue > 0.01
    assert np.bincount(cells.sum(axis=1), minlength=6) == pytest.approx(
        4000 * stats.binom(5, 0.1).pmf(np.arange(6)), abs=4 * np.sqrt(4000 * 0.25)
    )
    assert cells.any(axis=1).mean() == pytest.approx(1 - 0.9**5, abs=0.02)


def test_a_hit_in_a_constant_column_changes_nothing() -> None:
    rows = Rows(np.zeros((20, 3)), np.arange(20.0), None)
    assert np.array_equal(hit(rows, "cell", 0.5).X, rows.X)


def test_surface_is_ridge_with_lambda_of_least_gcv() -> None:
    rows = regression(50)
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


# Perturbed test rows.


def noise(X: np.ndarray, strength: float, seed: int = 0, dataset: str = "d") -> np.ndarray:
    spread = np.linspace(0.5, 2.0, X.shape[1])
    return contamination.test_noise(X, strength, spread=spread, dataset=dataset, seed=seed) - X


def test_test_noise_has_the_spread_of_each_feature() -> None:
    X = regression(20_000, 4).X
    before = X.tobytes()
    added = noise(X, 0.3)
    assert X.tobytes() == before
    assert added.shape == X.shape
    for feature, spread in zip(added.T, np.linspace(0.5, 2.0, 4), strict=True):
        assert stats.kstest(feature, stats.norm(0, 0.3 * spread).cdf).pvalue > 0.01


def test_test_noise_is_the_same_draw_at_every_strength_and_another_for_every_dataset_and_seed() -> None:
    X = np.zeros((50, 4))
    assert np.allclose(3 * noise(X, 0.1), noise(X, 0.3))
    assert not noise(X, 0.0).any()
    assert not np.isclose(noise(X, 0.1), noise(X, 0.1, seed=1)).any()
    assert not np.isclose(noise(X, 0.1), noise(X, 0.1, dataset="e")).any()


def test_an_fgsm_step_has_its_length_and_one_block_a_model() -> None:
    random = np.random.default_rng(0)
    X, gradient = random.standard_normal((30, 4)), random.standard_normal((7, 30, 4))
    moved = fgsm_l2(X, gradient, 0.3)
    assert moved.shape == (7, 30, 4)
    assert np.allclose(np.linalg.norm(moved - X, axis=2), 0.3, rtol=0, atol=1e-14)
    assert np.allclose(np.cross((moved - X)[:, :, :3], gradient[:, :, :3]), 0)
    assert ((moved - X) * gradient >= 0).all()
    assert np.array_equal(moved[3], fgsm_l2(X, gradient[3], 0.3))


def test_fgsm_reaches_the_closed_form_on_linear_models() -> None:
    random = np.random.default_rng(1)
    X, w, b = random.standard_normal((40, 6)), random.standard_normal(6), 0.4
    y = random.standard_normal(40)
    residual = X @ w + b - y
    moved = fgsm_l2(X, residual[:, None] * w, 0.5)
    squared = 0.5 * (moved @ w + b - y) ** 2
    assert np.allclose(squared, 0.5 * (np.abs(residual) + 0.5 * np.linalg.norm(w)) ** 2, rtol=1e-12)
    label = np.sign(y)
    margin = label * (X @ w + b)
    gradient = -(label / (1 + np.exp(margin)))[:, None] * w
    logistic = np.log1p(np.exp(-label * (fgsm_l2(X, gradient, 0.5) @ w + b)))
    assert np.allclose(logistic, np.log1p(np.exp(-(margin - 0.5 * np.linalg.norm(w)))), rtol=1e-12)


def test_fgsm_steps_along_a_gradient_whose_squares_vanish_and_stays_where_there_is_none() -> None:
    gradient = np.array([[3e-30, 4e-30], [0.0, 0.0]], dtype=np.float32)
    X = np.ones((2, 2), dtype=np.float32)
    moved = fgsm_l2(X, gradient, 0.5)
    assert moved.dtype == np.float32
    assert np.allclose(moved, [[1.3, 1.4], [1.0, 1.0]])
    assert gradient[0, 0] == np.float32(3e-30)
