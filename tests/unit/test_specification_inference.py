"""The joint test of a curve and the shares of its axes, against textbook programs and known answers."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from l2audit.specifications.inference import FLIPS, joint_test, sign_flips, variance_shares

ALPHA, K_MIN = 0.05, 5


def study(draw: np.random.Generator, mean: float, specifications: int = 12, datasets: int = 14) -> np.ndarray:
    """Scores of specifications that share the effects of datasets and differ by noise, some datasets left out."""
    shared = mean + draw.normal(size=datasets)
    scores = shared + 0.5 * draw.normal(size=(specifications, datasets))
    return np.where(draw.uniform(size=scores.shape) < 0.1, np.nan, scores)


def slowly(scores: np.ndarray, signs: np.ndarray) -> dict[str, float]:
    """The definition, by scipy, one flip and one specification at a time."""

    def statistics(of: np.ndarray) -> tuple[float, float]:
        finite = [row[np.isfinite(row)] for row in of]
        p = [stats.ttest_1samp(row, 0, alternative="greater").pvalue for row in finite]
        return float(np.mean([one <= ALPHA / 2 for one in p])), float(np.median([row.mean() for row in finite]))

    share, median = statistics(scores)
    flipped = [statistics(scores * one) for one in signs]
    shares, medians = zip(*flipped, strict=True)
    return {
        "share": share,
        "null_share": float(np.mean(shares)),
        "p_share": (1 + sum(one >= (share, median - 1e-12) for one in flipped)) / (1 + len(signs)),
        "median": median,
        "p_median": (1 + sum(one >= median - 1e-12 for one in medians)) / (1 + len(signs)),
        "datasets": int(np.isfinite(scores).sum(axis=1).max()),
    }


@pytest.mark.parametrize("mean", [0.0, 0.4, -1.0])
def test_the_joint_test_is_its_definition(mean: float) -> None:
    scores, signs = study(np.random.default_rng(5), mean), sign_flips(14, "x", "all")[:60]
    assert joint_test(scores, signs, ALPHA, K_MIN) == pytest.approx(slowly(scores, signs), rel=1e-12)


def test_without_an_effect_its_p_values_are_uniform() -> None:
    """200 small studies: both p-values are uniform; one in forty specifications is significant."""
    draw = np.random.default_rng(8)
    found = pd.DataFrame(
        joint_test(study(draw, 0.0), sign_flips(14, "study", str(number)), ALPHA, K_MIN) for number in range(200)
    )
    for name in ("p_share", "p_median"):
        assert stats.kstest(found[name], "uniform").pvalue > 0.01
    assert found["null_share"].mean() == pytest.approx(ALPHA / 2, abs=0.01)


def test_a_strong_effect_has_the_least_p_values() -> None:
    scores = study(np.random.default_rng(1), 2.0, datasets=40)
    found = joint_test(scores, sign_flips(40, "x", "all"), ALPHA, K_MIN)
    assert (found["share"], found["p_share"], found["p_median"]) == (1.0, 1 / (1 + FLIPS), 1 / (1 + FLIPS))


def test_all_flips_of_few_datasets_give_the_exact_p_value() -> None:
    """Five datasets of one sign: one of 32 flips reaches their mean, whichever specification one looks at."""
    scores = np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 2.0, 4.0, 1.0, 3.0]])
    signs = np.array(list(itertools.product([1.0, -1.0], repeat=5)))
    assert joint_test(scores, signs, ALPHA, K_MIN)["p_median"] == (1 + 1) / (1 + 32)


def test_a_specification_with_too_few_datasets_is_significant_for_nobody() -> None:
    scores = np.array([[9.0, 9.1, 9.2, 9.0, np.nan], [9.0, 9.1, 9.2, 9.0, 9.1]])
    assert joint_test(scores, sign_flips(5, "x", "all"), ALPHA, K_MIN)["share"] == 0.5


def test_signs_are_fair_and_their_own_for_every_row() -> None:
    one, other = sign_flips(90, "g", "label/linear"), sign_flips(90, "g", "label/conv5")
    assert one.shape == (FLIPS, 90) and set(np.unique(one)) == {-1.0, 1.0}
    assert abs(one.mean()) < 4 / np.sqrt(one.size)
    assert (one != other).any()
    assert (one == sign_flips(90, "g", "label/linear")).all()


AXES = ("a", "b", "c")
EVERY = np.array(list(itertools.product(range(3), range(2), range(4))))


def by_statsmodels(y: np.ndarray, chosen: np.ndarray) -> dict[str, float]:
    table = pd.DataFrame(chosen, columns=list(AXES)).assign(y=y)
    sums = anova_lm(ols("y ~ C(a) + C(b) + C(c)", table).fit(), typ=1)["sum_sq"]
    return {**{name: sums[f"C({name})"] / sums.sum() for name in AXES}, "residual": sums["Residual"] / sums.sum()}


@pytest.mark.parametrize("left_out", [[], [0, 5, 11, 12]], ids=["balanced", "four combinations missing"])
def test_shares_are_those_of_an_analysis_of_variance(left_out: list[int]) -> None:
    chosen = np.delete(EVERY, left_out, axis=0)
    y = chosen @ np.array([0.3, 1.0, -0.2]) + np.random.default_rng(2).normal(size=len(chosen))
    assert variance_shares(y, chosen, AXES) == pytest.approx(by_statsmodels(y, chosen), abs=1e-12)


def test_an_axis_that_alone_moves_the_estimates_has_all_of_their_variance() -> None:
    found = variance_shares(5.0 - EVERY[:, 2] ** 2, EVERY, AXES)
    assert found == pytest.approx({"a": 0, "b": 0, "c": 1, "residual": 0}, abs=1e-12)


def test_choices_that_only_act_together_are_residual() -> None:
    found = variance_shares(np.where(EVERY[:, 1] == 0, 1.0, -1.0) * (EVERY[:, 2] - 1.5), EVERY, AXES)
    assert found["residual"] == pytest.approx(1)


def test_where_nothing_varies_nothing_is_shared_out() -> None:
    assert variance_shares(np.full(24, 3.7), EVERY, AXES) == {}


@given(
    rows=st.lists(st.sampled_from(EVERY.tolist()), min_size=2, max_size=24),
    seed=st.integers(0, 1000),
)
def test_shares_add_up_to_one_whatever_is_missing(rows: list[list[int]], seed: int) -> None:
    """Also where two axes always go together: what they explain counts once, for the first."""
    chosen = np.array(rows)
    chosen[:, 2] = chosen[:, 0]
    found = variance_shares(np.random.default_rng(seed).normal(size=len(rows)), chosen, AXES)
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) >= 0
    assert found["c"] == pytest.approx(0, abs=1e-9)
