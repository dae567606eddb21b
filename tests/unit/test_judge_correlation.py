"""The exploratory rank correlation: right figures, one pair a dataset, and nothing but ranks among peers enters."""

from __future__ import annotations

import json
import math
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from judging import arm_plan, claim, drawn_runs, effects, fail, part, registration, together
from l2audit.config.claims import Registration
from l2audit.effects.evidence import Evidence
from l2audit.effects.table import estimate
from l2audit.judge.correlation import (
    CHANGES,
    NO_REASON,
    PEERS,
    cells,
    correlate,
    evenness_and_damage,
    interval,
    standings,
)
from l2audit.judge.verdicts import judge

K_MIN = 5
EVEN = part("d1", estimand="evenness", parameters={"measure": "gini_live_inputs"})
LESS = part("h3a", estimand="insensitivity")


def registered(architectures: tuple[str, ...] = ("linear",), strata: tuple[str, ...] = ()) -> Registration:
    own = {"architectures": list(architectures)}
    return registration(claim("d1", [EVEN], **own), claim("h3", [LESS], strata=list(strata), **own))


def table(even: list[float], less: list[float], **where: Any) -> pd.DataFrame:
    """The effects of both parts on as many datasets, in multiples of delta."""
    levels = {key: where.pop(key) for key in ("levels", "stratum") if key in where}
    return together(
        effects(even, name="d1", part="d1", levels=("clean",), **where),
        effects(less, name="h3", part="h3a", **levels, **where),
    )


def block(even: list[float], less: list[float], **axes: str) -> pd.DataFrame:
    """Cells of one arm, task, stratum and level, a dataset each."""
    place = {"arm": "linear", "task": "regression", "stratum": "target", "level": "a", **axes}
    names = [f"{place['task'][0]}{k:02d}" for k in range(len(even))]
    return pd.DataFrame({"dataset": names, **place, "evenness": even, "damage": less})


def overall(found: dict[str, Any]) -> dict[str, Any]:
    return found["rows"][0]


# Bonett's own example of an interval, R package statpsych, `ci.spear(.05, y, x)`.
PUBLISHED_Y = [21, 4, 9, 12, 35, 18, 10, 22, 24, 1, 6, 8, 13, 16, 19]
PUBLISHED_X = [67, 28, 30, 28, 52, 40, 25, 37, 44, 10, 14, 20, 28, 40, 51]


def test_ties_are_counted_as_by_hand() -> None:
    """Ranks 1, 2.5, 2.5, 4, 5 and 2, 1, 3.5, 3.5, 5; centred products 7.25, squares 9.5 and 9.5."""
    found = correlate(block([1, 2, 2, 4, 5], [2, 1, 3, 3, 5]), K_MIN)
    assert found["rho"] == pytest.approx(7.25 / 9.5, abs=1e-12)
    assert found["across_cells"] == pytest.approx(7.25 / 9.5, abs=1e-12)
    assert [one["evenness"] for one in found["datasets"]] == pytest.approx([-2 / 6, -0.5 / 6, -0.5 / 6, 1 / 6, 2 / 6])


def test_a_published_interval_is_reproduced() -> None:
    found = correlate(block(PUBLISHED_X, PUBLISHED_Y), K_MIN)
    got = (found["rho"], found["ci_low"], found["ci_high"])
    assert got == pytest.approx((0.8699639, 0.5840951, 0.9638297), abs=5e-8)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=5, max_size=12))
def test_of_one_block_it_is_spearmans(pairs: list[tuple[int, int]]) -> None:
    even, less = ([float(value) for value in values] for values in zip(*pairs, strict=True))
    found = correlate(block(even, less), K_MIN)["rho"]
    if len(set(even)) == 1 or len(set(less)) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(stats.spearmanr(even, less).statistic, abs=1e-9)


VALUES = st.lists(st.integers(-3, 3), min_size=14, max_size=14)


@settings(max_examples=30)
@given(VALUES, VALUES, st.randoms(use_true_random=False))
def test_only_order_among_peers_matters(even: list[int], less: list[int], random: Any) -> None:
    """Each block may be stretched by a monotone function of its own, and rows may come in any order."""
    blocks = [
        block(even[:8], less[:8], level="mild"),
        block(even[2:8], less[8:], level="harsh"),
        block(even[8:], less[8:], task="classification", stratum="label"),
    ]
    stretched = [
        one.assign(**{name: np.exp(power * one[name]) * 10.0**power + power for name in CHANGES})
        for power, one in zip((1, 2, 3), blocks, strict=True)
    ]
    order = random.sample(range(20), 20)
    plain = correlate(together(*blocks), K_MIN)
    again = correlate(together(*stretched).iloc[order], K_MIN)
    for key in ("rho", "ci_low", "ci_high", "n_datasets", "datasets"):
        assert again[key] == plain[key] or (math.isnan(again[key]) and math.isnan(plain[key]))


def slowly(rows: list[dict[str, Any]]) -> tuple[int, float]:
    """Datasets and rho by loops over plain lists: a second implementation of what the docstrings say."""
    relative: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        peers = [one for one in rows if all(one[axis] == row[axis] for axis in PEERS)]
        if len(peers) > 1:
            ranks = (
                sum(one[name] < row[name] for one in peers) + (sum(one[name] == row[name] for one in peers) + 1) / 2
                for name in CHANGES
            )
            even, less = (rank / (len(peers) + 1) for rank in ranks)
            relative.setdefault((row["task"], row["dataset"]), []).append((even, less))
    means = {key: [fmean(values) for values in zip(*pairs, strict=True)] for key, pairs in relative.items()}
    centred = []
    for (task, _), pair in means.items():
        own = [other for (theirs, _), other in means.items() if theirs == task]
        centred.append([pair[i] - fmean(other[i] for other in own) for i in (0, 1)])
    xx, yy, xy = (sum(one[i] * one[j] for one in centred) for i, j in ((0, 0), (1, 1), (0, 1)))
    return len(means), xy / math.sqrt(xx * yy) if min(xx, yy) > 1e-9 else math.nan


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.booleans()), min_size=40, max_size=40))
def test_a_slow_second_implementation_agrees_where_cells_are_missing(drawn: list[tuple[int, int, bool]]) -> None:
    places = [(task, arm, level) for task in ("a", "b") for arm in ("linear", "net") for level in ("mild", "harsh")]
    blocks = [
        block([float(even) for even, _, _ in own], [float(less) for _, less, _ in own], task=t, arm=a, level=lv)
        for (t, a, lv), own in zip(places, (drawn[k : k + 5] for k in range(0, 40, 5)), strict=True)
    ]
    kept = together(*blocks)[[there for _, _, there in drawn]]
    found, (k, rho) = correlate(kept, k_min=2), slowly(kept.to_dict("records"))
    assert found["n_datasets"] == k
    assert found["rho"] == pytest.approx(rho, abs=1e-9, nan_ok=True)


def test_tasks_and_levels_that_differ_make_no_correlation() -> None:
    """Regression is both more even and less damaged, and falls within; in one heap of cells the two would rise."""
    even, less = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [6.0, 5.0, 4.0, 3.0, 1.0, 2.0]
    shifted = block([value + 100 for value in even], [value + 100 for value in less], task="classification")
    found = correlate(together(block(even, less), shifted), K_MIN)
    assert found["n_datasets"] == 12
    assert found["across_cells"] > 0.4
    assert found["rho"] == pytest.approx(stats.spearmanr(even, less).statistic)


def test_a_dataset_is_not_credited_with_the_levels_that_it_lacks() -> None:
    """Ten times the change at the harsh level, which the last dataset has not: it stays where the mild one puts it."""
    mild = block([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], level="mild")
    harsh = block([1, 2, 3, 4], [10, 20, 30, 40], level="harsh")
    assert correlate(together(mild, harsh), K_MIN)["rho"] == pytest.approx(1)
    means = together(mild, harsh).groupby("dataset")[CHANGES].mean()
    assert stats.spearmanr(means["evenness"], means["damage"]).statistic == pytest.approx(0.0)


def test_many_cells_of_a_dataset_are_one_pair() -> None:
    even, less = [1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 3.0, 2.0, 5.0, 4.0]
    once = correlate(block(even, less), K_MIN)
    often = correlate(together(*(block(even, less, level=f"level {k}") for k in range(9))), K_MIN)
    assert often["n_cells"] == 45 and often["n_datasets"] == 5
    for key in ("rho", "ci_low", "ci_high"):
        assert often[key] == pytest.approx(once[key])


def test_a_cell_without_a_peer_ranks_nowhere() -> None:
    lone = block([9.0], [9.0], task="classification")
    assert list(standings(together(block([1, 2], [1, 2]), lone))["dataset"]) == ["r00", "r01"]


def test_a_further_task_costs_a_degree_of_freedom() -> None:
    half = math.atanh(interval(0.0, 12)[1]) / stats.norm.ppf(0.975)
    assert half == pytest.approx(1 / math.sqrt(9))
    assert interval(0.3, 12, tasks=2) == interval(0.3, 11)


@pytest.mark.parametrize(
    ("rho", "k", "tasks"), [(1.0, 8, 1), (-1.0, 20, 2), (math.nan, 8, 1), (0.2, 3, 1), (0.2, 4, 2)]
)
def test_what_has_no_interval_gets_none(rho: float, k: int, tasks: int) -> None:
    assert all(math.isnan(end) for end in interval(rho, k, tasks))


@pytest.mark.parametrize("r", [0.0, 0.6])
def test_the_interval_keeps_its_level_over_datasets_of_two_tasks(r: float) -> None:
    """1,500 studies of ten datasets of each task; the truth is Spearman's correlation of a normal distribution."""
    draw = np.random.default_rng(5)
    truth = 6 / math.pi * math.asin(r / 2)
    z = draw.standard_normal((1500, 2, 10, 2))
    x, y = (stats.rankdata(one, axis=-1) - 5.5 for one in (z[..., 0], r * z[..., 0] + math.sqrt(1 - r**2) * z[..., 1]))
    rho = (x * y).sum(axis=(1, 2)) / np.sqrt((x**2).sum(axis=(1, 2)) * (y**2).sum(axis=(1, 2)))
    covered = [low <= truth <= high for low, high in (interval(float(one), 20, 2) for one in rho)]
    assert 0.93 < np.mean(covered) < 0.98


SCORES = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
SWAPPED = [0.0, 1.0, 3.0, 2.0, 4.0, 5.0]


@pytest.mark.parametrize(("sign", "word"), [(1, "more"), (-1, "less")])
def test_the_sentence_says_which_way(sign: int, word: str) -> None:
    found = evenness_and_damage(table(SCORES, [sign * one for one in SWAPPED]), registered())
    row = overall(found)
    assert min(sign * row[key] for key in ("rho", "ci_low", "ci_high")) > 0
    assert f"tended to take away {word} of the damage" in found["sentence"]
    assert found["sentence"].startswith("Over 6 datasets the rank correlation is ")
    assert found["sentence"].endswith(NO_REASON)


def test_an_interval_that_includes_zero_leaves_it_open() -> None:
    found = evenness_and_damage(table(SCORES, [2.0, 5.0, 0.0, 3.0, 1.0, 4.0]), registered())
    assert overall(found)["ci_low"] < 0 < overall(found)["ci_high"]
    assert "whether the two go together is open" in found["sentence"] and found["sentence"].endswith(NO_REASON)


def test_positive_is_where_gini_falls_and_damage_falls() -> None:
    """From runs: on dataset k the penalty takes k hundredths off the Gini index, and k tenths off the damage."""
    names = [f"d{k}" for k in range(6)]
    plan = arm_plan(datasets=names, betas=(0.0, 0.1), seeds=(0,))
    runs = drawn_runs(plan)
    k, penalised = runs["dataset"].str[1:].astype(int), runs["beta"] > 0
    runs["gini_live_inputs"] = 0.5 - 0.01 * k * penalised
    runs["test_risk"] = 1.0 + (runs["level"] != "clean") * (2.0 - 0.1 * k * penalised)
    own = {"architectures": ["net"]}
    settled = registration(claim("d1", [EVEN], **own), claim("h3", [LESS], **own))
    found = estimate(Evidence(plan, runs, settled, {"vert": "target"}, dict.fromkeys(names, False)))
    assert overall(evenness_and_damage(found, settled))["rho"] == pytest.approx(1)
    risen = runs.assign(gini_live_inputs=0.5 + 0.01 * k * penalised)
    found = estimate(Evidence(plan, risen, settled, {"vert": "target"}, dict.fromkeys(names, False)))
    assert overall(evenness_and_damage(found, settled))["rho"] == pytest.approx(-1)


def test_fewer_than_five_datasets_give_no_figure() -> None:
    found = evenness_and_damage(table(SCORES[:4], SWAPPED[:4]), registered())
    row = overall(found)
    assert row["n_datasets"] == 4
    assert all(math.isnan(row[key]) for key in ("rho", "ci_low", "ci_high", "across_cells"))
    assert found["sentence"] == "There is no figure: 4 datasets can be ranked, and it takes 5."


def test_a_change_that_is_the_same_everywhere_gives_no_figure() -> None:
    found = evenness_and_damage(table([1.0] * 6, SCORES), registered())
    assert math.isnan(overall(found)["rho"])
    assert found["sentence"] == "There is no figure: one of the two changes is the same on all 6 datasets."


def test_without_the_two_claims_there_is_nothing() -> None:
    both = table(SCORES, SWAPPED)
    assert evenness_and_damage(both, registration(claim("d1", [EVEN]))) == {}
    other = registration(claim("d1", [EVEN]), claim("h3", [part("h3a", estimand="sensitivity")]))
    assert evenness_and_damage(both, other) == {}


def values(even: pd.Series[float], less: pd.Series[float]) -> pd.DataFrame:
    """Two parts of one cell, a seed each."""
    place = {"dataset": "one", "arm": "linear", "task": "regression", "stratum": "target", "level": "a"}
    first, second = (
        pd.DataFrame({**place, "seed": range(len(one)), "theta": one.to_numpy(float)}) for one in (even, less)
    )
    return cells(first, second, seed_share=0.5)


def test_both_means_are_over_the_seeds_that_are_usable_in_both() -> None:
    gone = math.nan
    found = values(pd.Series([1, 2, gone, 4]), pd.Series([10, gone, 30, 50]))
    assert found[CHANGES].to_numpy().tolist() == [[2.5, 30.0]]
    assert values(pd.Series([1, gone, gone, 4]), pd.Series([10, gone, 30, gone])).empty


def test_effects_that_are_not_ok_are_left_out_whatever_stands_there() -> None:
    whole = table(SCORES, SWAPPED, seeds=(0.0,) * 5)
    bad = (whole["seed"] == 3) & (whole["claim"] == "h3")
    spoilt = whole.assign(theta=whole["theta"].mask(bad, 99.0), ok=~bad)
    without = whole[whole["seed"] != 3]
    assert evenness_and_damage(spoilt, registered()) == evenness_and_damage(without, registered())
    lost = fail(whole, (whole["claim"] == "d1") & (whole["dataset"] == "d00") & (whole["seed"] < 2))
    assert overall(evenness_and_damage(lost, registered()))["n_datasets"] == 5  # 3 of 5 seeds: below 80 %


def test_the_last_bit_of_a_mean_breaks_no_tie() -> None:
    found = evenness_and_damage(table([0.1 + 0.2, 0.3, 1.0, 2.0, 3.0], SCORES[:5], seeds=(0.0,)), registered())
    first, second = overall(found)["datasets"][:2]
    assert first["evenness"] == second["evenness"] and first["damage"] < second["damage"]


def test_planted_designs_of_controls_are_left_out() -> None:
    both = table(SCORES, SWAPPED)
    planted = both.assign(role="control", dataset="planted " + both["dataset"])
    assert evenness_and_damage(together(both, planted), registered()) == evenness_and_damage(both, registered())


def test_rows_are_of_the_registered_arms_and_strata_and_all_of_them_first() -> None:
    arms, strata = ("linear", "net"), ("label", "target")
    own = [table(SCORES, SWAPPED, arms=arms, stratum=stratum) for stratum in strata]
    further = table(SCORES, SCORES[::-1], arms=("conv",), stratum="label")
    found = evenness_and_damage(together(*own, further).drop_duplicates(), registered(arms, strata))
    shown = [(row["arm"], row["stratum"], row["n_cells"]) for row in found["rows"]]
    each = [("all", 1), ("label", 2), ("target", 2)]
    assert [(a, s) for a, s, _ in shown] == [(a, s) for a in ("all", *arms) for s, _ in each]
    assert [n for _, _, n in shown] == [24, 12, 12, 12, 6, 6, 12, 6, 6]


def test_it_stands_in_the_verdicts_and_decides_nothing() -> None:
    both, settled = table(SCORES, SWAPPED), registered()
    found = judge(both, settled)
    again = judge(both.sample(frac=1, random_state=3), settled)
    assert json.dumps(found) == json.dumps(again)
    told = found["exploratory"]["evenness_and_damage"]
    assert overall(told)["rho"] == pytest.approx(stats.spearmanr(SCORES, SWAPPED).statistic)
    assert (told["evenness"], told["damage"]) == ({"claim": "d1", "part": "d1"}, {"claim": "h3", "part": "h3a"})
    turned = judge(table(SCORES[::-1], SWAPPED), settled)  # the same scores of d1, on other datasets
    assert overall(turned["exploratory"]["evenness_and_damage"])["rho"] == -overall(told)["rho"]
    assert turned["claims"][1] == found["claims"][1]


def test_an_arm_that_is_alone_needs_no_row_for_all() -> None:
    rows = evenness_and_damage(table(SCORES, SWAPPED, stratum="label"), registered(strata=("label",)))["rows"]
    assert [(row["arm"], row["stratum"]) for row in rows] == [("linear", "label")]
