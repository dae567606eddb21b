"""Intervals, detectable effects and bootstraps against scipy and the figures of the specification."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from judging import claim, effects, registration, spread
from l2audit.config.claims import Constants
from l2audit.effects.table import slope_of
from l2audit.judge.bootstrap import intervals
from l2audit.judge.scores import _complete, scores
from l2audit.judge.statistics import (
    detectable_effect,
    detectable_factor,
    missed_share,
    prediction_interval,
    t_interval,
)
from l2audit.judge.verdicts import judge
from l2audit.seeds import generator


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
    assert t_interval(4, x.mean(), x.std(ddof=1)) == pytest.approx(expected)
    ahead = stats.t.interval(0.95, 3, x.mean(), x.std(ddof=1) * np.sqrt(1.25))
    assert prediction_interval(4, x.mean(), x.std(ddof=1)) == pytest.approx(ahead)
    assert np.isnan(t_interval(1, 1.0, np.nan)).all()


def test_prediction_interval_covers_new_datasets() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(0, 1, (4000, 7))
    ends = [prediction_interval(7, row[:6].mean(), row[:6].std(ddof=1)) for row in x]
    inside = [low <= row[6] <= high for row, (low, high) in zip(x, ends, strict=True)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


class TestBootstrap:
    def test_fixed_datasets_vary_with_seeds_alone(self) -> None:
        series = np.broadcast_to(np.array(spread(0, 3, 8))[:, None, None], (8, 1, 10)).copy()
        fixed, both = intervals(series, 10.0, np.random.default_rng(0))
        assert fixed == pytest.approx((0.0, 0.0), abs=1e-12)
        assert both[0] < -1 < 1 < both[1]

    def test_fixed_datasets_agree_with_the_standard_error_over_seeds(self) -> None:
        rng = np.random.default_rng(1)
        series = rng.normal(2.0, 1.0, (20, 1, 40))
        (low, high), _ = intervals(series, 10.0, np.random.default_rng(2), 4000)
        se = np.sqrt((series[:, 0].var(axis=1) / 40).sum()) / 20
        assert (high - low) / (2 * 1.96) == pytest.approx(se, rel=0.05)
        assert (low + high) / 2 == pytest.approx(series.mean(), abs=se / 4)

    def test_strata_are_drawn_with_their_seed_and_clipped_one_by_one(self) -> None:
        noise = np.random.default_rng(3).normal(0, 1, (6, 1, 12))
        opposite = np.concatenate([2 + noise, 2 - noise], axis=1)
        fixed, _ = intervals(opposite, 10.0, np.random.default_rng(4))
        assert fixed == pytest.approx((2.0, 2.0))
        clipped, _ = intervals(np.concatenate([30 + noise, noise * 0], axis=1), 10.0, np.random.default_rng(4))
        assert clipped == pytest.approx((5.0, 5.0))

    def test_missing_seeds_strata_and_datasets(self) -> None:
        series = np.full((4, 2, 5), 3.0)
        series[0] = np.nan  # no seed
        series[1, 1] = np.nan  # one stratum
        series[2, :, 3:] = np.nan  # two seeds less
        fixed, both = intervals(series, 10.0, np.random.default_rng(0))
        assert (fixed, both) == (pytest.approx((3.0, 3.0)), pytest.approx((3.0, 3.0)))
        assert np.isnan(intervals(np.full((3, 1, 4), np.nan), 10.0, np.random.default_rng(0))).all()
        assert np.isnan(intervals(np.zeros((0, 1, 0)), 10.0, np.random.default_rng(0))).all()

    def test_draws_depend_on_claim_part_and_stratum_alone(self) -> None:
        first, second = (generator("bootstrap", "x", "p", "all").random(3) for _ in range(2))
        assert (first == second).all()
        rows = effects(spread(2, 1, 6))
        lone = judge(rows, registration(claim("x")))["claims"][0]["parts"][0]
        beside = judge(rows, registration(claim("a"), claim("x")))["claims"][1]["parts"][0]
        key = "bootstrap_two_level"
        assert lone[key] == beside[key]
        assert lone[key][0] < 2 < lone[key][1]


def test_complete_tables_take_a_short_cut_to_the_same_scores() -> None:
    u = np.random.default_rng(7).normal(0, 6, (3, 5, 2, 2, 3, 4))
    active = (u > -4).astype(float)
    planned = np.ones(u.shape[1:-1], dtype=bool)
    fast = _complete(u, active, Constants())
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
