"""Synthetic sources against what is known about the distributions they draw from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, norm
from sklearn.datasets import make_friedman1
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, LogisticRegression

from l2audit.data.entries import read_entry
from l2audit.data.prepare import condition_number
from l2audit.data.synthetic import friedman1_mean, generate, generators
from l2audit.errors import UserError

BASICS = {"task": "regression", "licence": "CC0-1.0", "citation": "-", "description": "A test."}


def draw(source: str, name: str = "drawn", **parameters: float) -> tuple[np.ndarray, np.ndarray]:
    table = generate(read_entry(name, BASICS | {"source": f"synthetic:{source}", "parameters": parameters}))
    assert isinstance(table, pd.DataFrame)
    return table.drop(columns="target").to_numpy(), table["target"].to_numpy()


def test_overlapping_gaussians_have_the_stated_bayes_error() -> None:
    X, y = draw("overlapping_gaussians", rows=20_000, columns=4, classes=2, distance=2.0)
    error = 1 - LinearDiscriminantAnalysis().fit(X, y).score(X, y)
    assert abs(error - norm.cdf(-1)) < 0.01
    X, y = draw("overlapping_gaussians", rows=20_000, columns=6, classes=3, distance=3.0)
    means = np.stack([X[y == k].mean(axis=0) for k in range(3)])
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.linalg.norm(means[a] - means[b]) - 3) < 0.1


def test_sparse_logits_have_a_sparse_truth_of_the_stated_size() -> None:
    X, y = draw("sparse_logits", rows=30_000, columns=10, active=3, correlation=0.5, signal=2.0)
    model = LogisticRegression(C=np.inf, max_iter=1000).fit(X, y)
    active = np.abs(model.coef_[0]) > 0.3
    assert np.flatnonzero(active).tolist() == [0, 4, 9]
    assert np.allclose(model.coef_[0][~active], 0, atol=0.1)
    assert abs(model.decision_function(X).std() - 2) < 0.1
    assert np.allclose(np.corrcoef(X.T)[0, 1:3], [0.5, 0.25], atol=0.03)


def test_waveform_means_are_mixtures_of_triangles() -> None:
    X, y = draw("waveform", rows=20_000)
    m = np.arange(1, 22)
    h1, h2, h3 = (np.maximum(6 - np.abs(m - centre), 0) for centre in (11, 15, 7))
    for k, (one, other) in enumerate([(h1, h2), (h1, h3), (h2, h3)]):
        assert np.allclose(X[y == k].mean(axis=0), (one + other) / 2, atol=0.1)
    assert np.isclose(X[:, 0].std(), 1, atol=0.02)  # no wave reaches the first point: noise alone


def test_hastie_classes_are_split_by_the_sphere() -> None:
    X, y = draw("hastie", rows=20_000)
    assert np.array_equal(y, (X**2).sum(axis=1) > 9.341818)
    assert abs(y.mean() - 0.5) < 0.02


def test_friedman1_is_scikit_learns() -> None:
    X, y = make_friedman1(100, n_features=7, noise=0.0, random_state=0)
    assert np.allclose(friedman1_mean(X), y)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_friedman1_features_are_uniform_and_the_noise_as_stated(correlation: float) -> None:
    X, y = draw("friedman1", rows=5000, columns=6, noise=0.5, correlation=correlation)
    for column in X.T:
        assert kstest(column, "uniform").pvalue > 1e-4
    assert abs((y - friedman1_mean(X)).std() - 0.5) < 0.02
    assert (np.corrcoef(X.T)[0, 1] > 0.8) == (correlation > 0)


def test_linear_signal_has_variance_1_and_the_noise_is_as_stated() -> None:
    X, y = draw("linear", rows=20_000, columns=12, noise=0.7, correlation=0.8)
    fitted = LinearRegression().fit(X, y)
    assert abs(fitted.predict(X).var() - 1) < 0.05
    assert abs((y - fitted.predict(X)).std() - 0.7) < 0.02
    assert abs(condition_number(X) / np.linalg.cond(0.8 ** np.abs(np.subtract.outer(range(12), range(12)))) - 1) < 0.1
    X, y = draw("linear", rows=20_000, columns=12, noise=0.0, correlation=0.0)
    assert np.isclose(np.linalg.norm(LinearRegression().fit(X, y).coef_), 1, atol=1e-4)


def test_near_null_directions_are_as_many_and_as_weak_as_stated() -> None:
    X, _ = draw("near_null_linear", rows=20_000, columns=10, noise=1.0, weak=2, condition=500)
    values = np.linalg.eigvalsh(np.corrcoef(X.T))
    assert (values < 0.02).sum() == 2
    assert values[2] > 0.3
    X, _ = draw("near_null_linear", rows=20_000, columns=10, noise=1.0, weak=0, condition=1)
    assert condition_number(X) < 1.2


def test_a_draw_depends_on_name_and_parameters_alone() -> None:
    X, _ = draw("hastie", rows=50)
    assert np.array_equal(X, draw("hastie", rows=50)[0])
    assert not np.array_equal(X, draw("hastie", name="another", rows=50)[0])


def test_values_are_rounded_so_that_no_library_leaves_its_mark() -> None:
    X, y = draw("linear", rows=50, columns=5, noise=1.0, correlation=0.9)
    assert np.array_equal(X, X.round(6))
    assert np.array_equal(y, y.round(6))


@pytest.mark.parametrize(
    ("source", "parameters", "told"),
    [
        ("lineer", {}, "did you mean 'linear'"),
        ("hastie", {}, "missing a required argument: 'rows'"),
        ("hastie", {"rows": 10, "colums": 3}, "unexpected keyword argument 'colums'"),
        (
            "linear",
            {"rows": 10, "columns": 3, "noise": 1, "correlation": 1.0},
            r"correlation 1.0 lies outside \[0, 1\)",
        ),
        ("overlapping_gaussians", {"rows": 9, "columns": 2, "classes": 3, "distance": 1}, "need at least 3 columns"),
        ("near_null_linear", {"rows": 9, "columns": 2, "noise": 1, "weak": 2, "condition": 9}, "weak 2 lies outside"),
    ],
)
def test_a_wrong_name_or_parameter_is_told(source: str, parameters: dict[str, float], told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        draw(source, **parameters)
    assert "config/datasets.yaml: drawn." in str(caught.value)


def test_every_generator_says_where_it_is_from() -> None:
    assert all(generators[name].__doc__ for name in generators)
