"""Local label flips: rows and labels against an independent computation, and whether they are local at all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2audit.contamination import NEIGHBOURHOOD, Contaminated, Reference, Rows, contaminate
from l2audit.errors import UserError
from l2audit.seeds import generator


def blobs(n: int, classes: int, seed: int, p: int = 3, step: float = 0.0) -> Rows:
    """Classes that overlap; with a `step` the features are whole numbers of steps, so that distances tie."""
    random = np.random.default_rng(seed)
    y = random.permutation(np.arange(n) % classes)
    X = random.standard_normal((classes, p))[y] + random.standard_normal((n, p))
    return Rows(np.round(X / step) * step if step else X, y, classes)


def hit(
    rows: Rows, rate: float, *, train: Rows | None = None, kind: str = "local", part: str = "train", seed: int = 0
) -> Contaminated:
    reference = Reference(train or rows)
    return contaminate(rows, reference, kind=kind, rate=rate, magnitude=0.0, dataset="d", seed=seed, part=part)


def by_hand(
    X: list[list[float]], y: list[int], train: list[list[float]], centres: list[int]
) -> tuple[list[int], list[int]]:
    """The order of the rows and the new label of every row, one row after the other in plain Python."""
    n = len(y)
    m = max(2, round(0.05 * n))

    def by_distance(place: list[float], candidates: list[int]) -> list[int]:
        squared = {i: sum((a - b) ** 2 for a, b in zip(place, X[i], strict=True)) for i in candidates}
        return sorted(candidates, key=lambda i: (squared[i], i))

    order: list[int] = []
    turn = 0
    while len(order) < n:
        centre = train[centres[turn % len(centres)]]
        order += by_distance(centre, [i for i in range(n) if i not in order])[:m]
        turn += 1

    labels = []
    for i in range(n):
        others = by_distance(X[i], [j for j in range(n) if j != i])
        seen = [y[j] for j in others[: m - 1] if y[j] != y[i]]
        if seen:
            most = max(seen.count(k) for k in seen)
            labels.append(next(k for k in seen if seen.count(k) == most))
        else:
            labels.append(next(y[j] for j in others if y[j] != y[i]))
    return order, labels


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(6, 70),
    trained=st.integers(4, 60),
    classes=st.integers(2, 5),
    seed=st.integers(0, 99),
    step=st.sampled_from([0.0, 0.5, 1.0, 8.0]),
    rate=st.floats(0.2, 1),
    part=st.sampled_from(["train", "validation"]),
)
def test_rows_and_labels_are_those_of_a_computation_by_hand(
    n: int, trained: int, classes: int, seed: int, step: float, rate: float, part: str
) -> None:
    """Ties of distance, rows that are equal, and more neighbourhoods than centres are among the examples."""
    train = blobs(trained, classes, seed + 1, step=step)
    rows = train if part == "train" else blobs(n, classes, seed, step=step)
    got = hit(rows, rate, train=train, part=part, seed=seed)
    centres = generator("contamination", "d", seed, "local", "shared").permutation(trained)
    order, labels = by_hand(rows.X.tolist(), rows.y.tolist(), train.X.tolist(), centres.tolist())
    chosen = order[: round(rate * len(rows.y))]
    assert np.flatnonzero(got.mask).tolist() == sorted(chosen)
    assert got.y.tolist() == [labels[i] if i in chosen else rows.y[i] for i in range(len(rows.y))]


def test_the_rule_on_a_line_that_can_be_checked_by_eye() -> None:
    """40 rows in a row, so m = 2: each takes the class of the row beside it, or of the nearest other one."""
    y = np.array([0] * 10 + [1] + [0] * 9 + [2] * 20)
    got = hit(Rows(np.arange(40.0)[:, None] ** 1.01, y, 4), 1.0)  # gaps grow, so the row before is the nearer one
    assert got.y.tolist() == [1] * 10 + [0] + [1] * 5 + [2] * 4 + [0] * 20


def test_a_tie_of_classes_goes_to_the_class_with_the_nearest_row() -> None:
    """60 rows, so m = 3: row 0 counts its two nearest, one row of class 2 and, farther, one of class 1."""
    X = np.concatenate([[0.0, 0.1, -0.2], 100.0 + np.arange(57)])[:, None]
    y = np.array([0, 2, 1] + [0] * 57)
    assert hit(Rows(X, y, 3), 1.0).y[0] == 2
    assert hit(Rows(X * [[-1.0]], y, 3), 1.0).y[0] == 2
    X[2] = -0.1  # now both rows are equally near: the lower row number
    assert hit(Rows(X, y, 3), 1.0).y[0] == 2
    assert hit(Rows(X, np.array([0, 1, 2] + [0] * 57), 3), 1.0).y[0] == 1


def test_a_row_is_in_its_own_neighbourhood_even_among_equal_rows() -> None:
    """60 equal rows, so m = 3: the last row counts itself and rows 0 and 1, not rows 0 to 2."""
    y = np.array([0, 1, 1] + [0] * 56 + [2])
    got = hit(Rows(np.zeros((60, 2)), y, 3), 1.0)
    assert got.y[59] == 0  # one row each of 0 and 1, and row 0 comes first; with row 2 it would be 1


@settings(max_examples=25)
@given(rate=st.floats(0.02, 1), n=st.integers(30, 200), classes=st.integers(2, 6))
def test_exactly_the_rate_is_relabelled_and_each_with_another_class(rate: float, n: int, classes: int) -> None:
    rows = blobs(n, classes, seed=n)
    got = hit(rows, rate)
    assert got.mask.sum() == round(rate * n)
    assert np.array_equal(got.y != rows.y, got.mask)
    assert np.array_equal(got.relabelled, got.mask)
    assert set(got.y) <= set(range(classes))
    assert got.X.tobytes() == rows.X.tobytes()


def test_levels_are_nested_at_every_rate() -> None:
    rows = blobs(240, 4, seed=0)
    levels = [hit(rows, rate) for rate in np.linspace(0.01, 1, 34)]
    for low, high in pairwise(levels):
        assert high.mask[low.mask].all()
        assert np.array_equal(low.y[low.mask], high.y[low.mask])


def test_whole_neighbourhoods_of_centres_are_hit_one_after_the_other() -> None:
    rows = blobs(200, 3, seed=0)
    m = round(NEIGHBOURHOOD * 200)
    first, second = generator("contamination", "d", 0, "local", "shared").permutation(200)[:2]
    one, two = hit(rows, 0.05).mask, hit(rows, 0.1).mask
    distance = np.linalg.norm(rows.X - rows.X[first], axis=1)
    assert one.sum() == m
    assert distance[one].max() < distance[~one].min()
    distance = np.linalg.norm(rows.X - rows.X[second], axis=1)
    assert distance[two & ~one].max() < distance[~two].min()


@pytest.mark.parametrize("seed", range(3))
def test_equal_rows_are_hit_alike_in_both_parts(seed: int) -> None:
    """Only the centres are drawn, and training and validation rows share the centres."""
    rows = blobs(300, 3, seed=0)
    one, two = (hit(rows, 0.2, part=part, seed=seed) for part in ("train", "validation"))
    assert np.array_equal(one.mask, two.mask)
    assert np.array_equal(one.y, two.y)
    one, two = (hit(rows, 0.2, part=part, seed=seed, kind="sym") for part in ("train", "validation"))
    assert (one.mask & two.mask).sum() < 0.5 * one.mask.sum()


def to_centres(rows: Rows, mask: np.ndarray, centres: np.ndarray) -> float:
    """Mean distance of the hit rows to the nearest of the centres."""
    gaps = np.linalg.norm(rows.X[mask][:, None] - centres[None], axis=2)
    return float(gaps.min(axis=1).mean())


def test_hit_rows_of_both_parts_lie_around_the_same_centres() -> None:
    train, validation = blobs(300, 3, seed=0), blobs(150, 3, seed=1)
    centres = train.X[generator("contamination", "d", 0, "local", "shared").permutation(300)[:2]]
    for rows, part in ((train, "train"), (validation, "validation")):
        local = hit(rows, 0.1, train=train, part=part).mask
        scattered = hit(rows, 0.1, train=train, part=part, kind="sym").mask
        assert to_centres(rows, local, centres) < 0.5 * to_centres(rows, scattered, centres)


def neighbours_hit(rows: Rows, mask: np.ndarray, k: int = 10) -> float:
    """Mean share of hit rows among the k nearest rows of a hit row."""
    gaps = np.linalg.norm(rows.X[:, None] - rows.X[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    nearest = gaps.argsort(axis=1)[:, :k]
    return float(mask[nearest][mask].mean())


def test_flips_are_concentrated_and_those_of_sym_are_not() -> None:
    rows = blobs(400, 3, seed=0)
    rate = 0.2
    share = {kind: np.mean([neighbours_hit(rows, hit(rows, rate, kind=kind, seed=seed).mask) for seed in range(10)])
             for kind in ("local", "sym")}  # fmt: skip
    assert share["local"] > 3 * rate
    assert share["sym"] == pytest.approx(rate, abs=0.03)


def test_with_two_classes_it_differs_from_sym_in_the_rows_alone() -> None:
    rows = blobs(300, 2, seed=0)
    local, scattered = hit(rows, 0.4), hit(rows, 0.4, kind="sym")
    both = local.mask & scattered.mask
    assert both.sum() > 20
    assert not np.array_equal(local.mask, scattered.mask)
    assert np.array_equal(local.y[both], scattered.y[both])
    assert np.array_equal(hit(rows, 1.0).y, hit(rows, 1.0, kind="sym").y)


def test_only_classes_of_the_part_are_given() -> None:
    rows = blobs(120, 3, seed=0)
    assert set(hit(Rows(rows.X, 2 * rows.y, 6), 1.0).y) == {0, 2, 4}


def test_rows_of_a_single_class_are_refused() -> None:
    rows = Rows(blobs(30, 2, seed=0).X, np.ones(30, dtype=np.int64), 2)
    with pytest.raises(UserError, match="all 30 rows of this part are of class 1"):
        hit(rows, 0.2)
    assert (hit(rows, 0.2, kind="sym").y == 0).sum() == 6  # `sym` needs no rows of the other class
