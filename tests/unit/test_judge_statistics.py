"""Intervals and detectable effects against scipy and the figures of the specification."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from judging import claim, effects, registration, spread
from l2audit.config.claims import Constants
from l2audit.effects.table import slope_of
from l2audit.judge.scores import scores
from l2audit.judge.statistics import (
    average,
    detectable_effect,
    detectable_factor,
    missed_share,
)
from l2audit.judge.verdicts import judge


@pytest.mark.parametrize(("k", "factor"), [(6, 2.74), (8, 2.00), (10, 1.65), (12, 1.43), (18, 1.08), (24, 0.90)])
def test_detectable_factor_is_that_of_the_specification(k: int, factor: float) -> None:
    assert detectable_factor(k, 0.05 / 18) == pytest.approx(factor, abs=0.006)


def test_detectable_effect_has_the_power_it_states() -> None:
    rng = np.random.default_rng(5)
    effect = detectable_effect(8, sd=2.0, rows=9)
    x = rng.normal(effect, 2.0, (20_000, 8))
    p = stats.ttest_1samp(x, 1.0, axis=1, alternative="greater").pvalue
    assert np.mean(p <= 0.05 / 18) == pytest.approx(0.90, abs=0.01)


@pytest.mark.parametrize(("k", "share"), [(6, 0.39), (10, 0.26), (12, 0.22), (18, 0.15)])
def test_missed_share_is_that_of_the_specification(k: int, share: float) -> None:
    assert missed_share(k) == pytest.approx(share, abs=0.005)


def test_intervals_are_those_of_scipy() -> None:
    x = np.array([1.0, 2.0, 4.0, 8.0])
    expected = stats.t.interval(0.95, 3, x.mean(), stats.sem(x))
    found = average(x)
    assert (found.k, found.mean, found.sd) == pytest.approx((4, x.mean(), x.std(ddof=1)))
    assert (found.ci_low, found.ci_high) == pytest.approx(expected)
    ahead = stats.t.interval(0.95, 3, x.mean(), x.std(ddof=1) * np.sqrt(1.25))
    assert (found.prediction_low, found.prediction_high) == pytest.approx(ahead)
    assert average(np.array([1.0, np.nan]))[:2] == (1, 1.0) and np.isnan(average(np.array([1.0, np.nan]))[2:]).all()
    assert average(np.array([]))[0] == 0 and np.isnan(average(np.array([]))[1:]).all()


def test_prediction_interval_covers_new_datasets() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(0, 1, (4000, 7))
    found = average(x[:, :6])
    inside = (found.prediction_low <= x[:, 6]) & (x[:, 6] <= found.prediction_high)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_complete_tables_take_a_short_cut_to_the_same_scores() -> None:
    u = np.random.default_rng(7).normal(0, 6, (3, 5, 2, 2, 3, 4))
    active = (u > -4).astype(float)
    planned = np.ones(u.shape[1:-1], dtype=bool)
    fast = scores(u, active, planned, Constants())
    gap = np.full((3, 1, 2, 2, 3, 4), np.nan)  # a dataset without any run forces the long way
    slow = scores(
        np.concatenate([u, gap], axis=1),
        np.concatenate([active, gap], axis=1),
        np.concatenate([planned, planned[:1]], axis=0),
        Constants(),
    )
    for name in ("raw", "clipped", "series", "active"):
        assert getattr(slow, name)[:, :5] == pytest.approx(getattr(fast, name)), name
    assert np.isnan(slow.raw[:, 5]).all()


def test_published_figures_are_plain_json_without_gaps() -> None:
    found = judge(effects([3.0] * 2), registration(claim("x"), claim("y")))
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found


def test_dataset_slopes_are_averaged_like_scores_and_change_no_verdict() -> None:
    rows = effects(spread(3, 1, 6))
    slopes = np.repeat([1.0, 2.0, 3.0, -1.0, 0.5, np.nan], len(rows) // 6) * 0.01
    plain, sloped = (judge(table, registration(claim()))["claims"][0] for table in (rows, rows.assign(slope=slopes)))
    found = sloped["parts"][0].pop("slope")
    expected = stats.t.interval(0.95, 4, np.mean([1, 2, 3, -1, 0.5]), stats.sem([1, 2, 3, -1, 0.5]))
    assert (found["mean"], found["ci_low"], found["ci_high"]) == pytest.approx((1.1, *expected))
    assert (found["n_datasets"], found["rising"], found["falling"]) == (5, 4, 1)
    assert plain["parts"][0].pop("slope")["n_datasets"] == 0
    assert plain == sloped


def test_slopes_of_columns() -> None:
    x = np.array([-3.0, -2.0, 0.0])
    y = np.array([[1.0, np.nan, np.nan], [2.0, 5.0, 1.0], [4.5, 1.0, np.nan]])
    found = slope_of(x, y)
    assert found[:2] == pytest.approx([np.polyfit(x, y[:, 0], 1)[0], -2.0])
    assert np.isnan(found[2])
