"""Intervals and detectable effects against scipy and the figures of the specification."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from judging import claim, effects, part, registration, spread, together
from l2audit.config.claims import Constants
from l2audit.effects.table import slope_of
from l2audit.judge.scores import scores
from l2audit.judge.statistics import (
    average,
    detectable_effect,
    detectable_factor,
    missed_share,
    share_beyond,
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


def settle(mean: float, sd: float, others: str = "", parts: int = 1) -> int:
    names = [f"p{number}" for number in range(parts)]
    rows = [effects(spread(mean, sd, 8), part=name, seeds=(-5, 5, -5, 5)) for name in names]
    settings = registration(claim(parts=[part(name) for name in names]), *(claim(one) for one in others))
    found: int = judge(together(*rows), settings)["claims"][0]["datasets_to_settle"]
    return found


@pytest.mark.parametrize(("mean", "sd", "rows"), [(2.0, 2.0, 4), (0.2, 2.0, 2), (1.4, 1.0, 1), (-1.5, 6.0, 3)])
def test_datasets_to_settle_are_those_of_the_noncentral_t(mean: float, sd: float, rows: int) -> None:
    k = settle(mean, sd, "abc"[: rows - 1])

    def power(k: int) -> float:
        return float(stats.nct.sf(stats.t.isf(0.05 / (2 * rows), k - 1), k - 1, abs(mean - 1) / sd * np.sqrt(k)))

    assert power(k) >= 0.90 > power(k - 1)


def test_datasets_to_settle_have_the_power_that_is_stated() -> None:
    k, rng = settle(2.0, 2.0, "abc"), np.random.default_rng(3)
    p = stats.ttest_1samp(rng.normal(2.0, 2.0, (20_000, k)), 1.0, axis=1, alternative="greater").pvalue
    assert np.mean(p <= 0.05 / 8) == pytest.approx(0.90, abs=0.015)


def test_a_conjunction_is_settled_by_all_of_its_parts_or_excluded_by_one() -> None:
    k, rng = settle(2.0, 2.0, parts=2), np.random.default_rng(4)
    assert k > settle(2.0, 2.0)
    p = stats.ttest_1samp(rng.normal(2.0, 2.0, (20_000, 2, k)), 1.0, axis=2, alternative="greater").pvalue
    assert 0.90 <= np.mean((p <= 0.05 / 2).all(axis=1)) < 0.92
    small = settle(0.0, 2.0, parts=2)
    p = stats.ttest_1samp(rng.normal(0.0, 2.0, (20_000, 2, small)), 1.0, axis=2, alternative="less").pvalue
    assert np.mean((2 * p <= 0.05 / 2).any(axis=1)) >= 0.90


def slow_share(scored: list[float], series: list[list[float]], draws: int = 40_000) -> dict[str, float]:
    """docs/statistics.md once more: dataset by dataset, with scipy.stats and another generator of random numbers."""
    k, mean, variance = len(scored), np.mean(scored), np.var(scored, ddof=1)
    own = [np.var(one, ddof=1) / len(one) for one in series]
    noise = np.mean(own)
    tau2 = max(0.0, variance - noise)
    squares = max(np.mean([v * v * (len(z) - 1) / (len(z) + 1) for v, z in zip(own, series, strict=True)]), noise**2)
    freedom = (k - 1) * (tau2 + noise) ** 2 / (tau2**2 + 2 * tau2 * noise + squares)
    fourth = stats.moment(scored, 4) / variance**2 - (k - 3) / (k - 1)
    freedom = max(2.0, min(freedom, 2 * k / fourth if fourth > 0 else np.inf, k - 1))
    noise_freedom = k * np.mean([len(z) - 1 for z in series]) * noise**2 / squares
    total = variance * freedom / stats.chi2.rvs(freedom, size=draws, random_state=1)
    drawn = noise * noise_freedom / stats.chi2.rvs(noise_freedom, size=draws, random_state=2)
    tau = np.sqrt(np.maximum(0.0, total - drawn))
    means = stats.norm.rvs(mean, np.sqrt(total / k), random_state=3)
    found = {}
    for name, sign in (("above", 1), ("below", -1)):
        with np.errstate(divide="ignore"):
            shares = stats.norm.sf((1 - sign * means) / tau)
            found[name] = float(stats.norm.sf((1 - sign * mean) / np.sqrt(tau2)))
        found[f"{name}_low"], found[f"{name}_high"] = np.quantile(shares, [0.025, 0.975])
    return found


@pytest.mark.parametrize(("mean", "tau", "k"), [(0.0, 2.5, 45), (3.0, 1.0, 20), (0.0, 0.0, 30), (-6.0, 5.0, 11)])
def test_the_share_of_datasets_beyond_delta_is_that_of_a_second_computation(mean: float, tau: float, k: int) -> None:
    rng = np.random.default_rng(k)
    size = rng.uniform(0.5, 3.0, (k, 1))
    series = mean + tau * rng.standard_normal((k, 1)) + size * rng.standard_normal((k, 5))
    series[3, 4] = series[7, 2] = np.nan
    scored = np.nanmean(series, axis=1)
    found = share_beyond(scored, series)._asdict()
    slow = slow_share(list(scored), [[v for v in one if np.isfinite(v)] for one in series])
    assert {key: float(value) for key, value in found.items()} == pytest.approx(slow, abs=0.025)
    assert found["above"] == pytest.approx(slow["above"]) and found["below"] == pytest.approx(slow["below"])


def test_the_share_of_many_rows_is_that_of_each_and_needs_no_order() -> None:
    rng = np.random.default_rng(8)
    series = rng.normal(rng.normal(0, 2, (6, 12, 1)), 1.0, (6, 12, 5))
    series[2, 9:] = np.nan
    together_ = share_beyond(series.mean(axis=-1), series)
    alone = [share_beyond(one.mean(axis=-1), one) for one in series]
    turned = share_beyond(series[:, ::-1].mean(axis=-1), series[:, ::-1])
    for row, one in enumerate(alone):
        assert [value[row] for value in together_] == pytest.approx([float(value) for value in one], nan_ok=True)
    assert np.allclose(together_, turned)


def test_shares_where_datasets_do_not_differ() -> None:
    def share(value: float, seeds: tuple[float, ...] = (0.0, 0.0)) -> list[float]:
        series = np.array([[value + shift for shift in seeds]] * 8)
        return [float(one) for one in share_beyond(series.mean(axis=-1), series)]

    assert share(2.0) == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert share(1.0)[0] == 0.5
    noisy = share(0.0, (-3.0, 3.0))
    assert noisy[:2] == [0.0, 0.0] and noisy[3:5] == [0.0, 0.0]
    assert np.isnan(share_beyond(np.array([1.0, 2.0]), np.zeros((2, 3)))).all()


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
