"""Numbers and figures of the page: what is drawn is what was judged."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2audit.config.claims import Constants
from l2audit.report import pictures, words
from l2audit.report.figures import Damage, ForestGroup, Mark, RiskCurve, damage, forest, log_log, positions, risk_curves
from l2audit.report.style import AGREE, axis_limit, blank, both, drawing, to_svg
from report_example import example, registration


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_printed_number_reads_back_within_half_a_digit(value: float, places: int) -> None:
    text = words.plain(value, places)
    read = float(text.replace(words.MINUS, "-").replace(words.THIN, ""))
    assert abs(read - value) <= 0.5 * 10**-places * (1 + 1e-9) + 1e-9
    assert "-" not in text


def test_zero_has_no_sign_and_absence_is_a_dash() -> None:
    assert words.plain(-0.001, 2, sign=True) == "0.00"
    assert words.plain(None, 2) == words.plain(math.nan, 2) == words.percent(None) == words.NONE
    assert words.plain(12345.6, 0) == f"12{words.THIN}346"
    assert words.interval(-1.25, 3.0, 1) == f"[{words.MINUS}1.2, 3.0]"


@pytest.mark.parametrize(
    ("beta", "text"), [(0.0, "0"), (0.003, "0.003"), (0.1, "0.1"), (1e-5, "10⁻⁵"), (3e-5, "3·10⁻⁵"), (10.0, "10")]
)
def test_betas_are_written_as_a_reader_expects(beta: float, text: str) -> None:
    assert words.power_of_ten(beta) == text


def test_a_level_in_words() -> None:
    assert words.level("sym", 0.2, 0.0) == f"flipped labels 20{words.THIN}%"
    assert words.level("vert", 0.1, 10.0) == f"vertical outliers 10{words.THIN}%, 10{words.THIN}s"
    assert words.level("student", 1.0, 1.5) == f"heavy-tailed noise, ν{words.THIN}={words.THIN}1.5"
    assert words.level("my_kind", 0.05, math.nan) == f"my_kind 5{words.THIN}%"


def test_the_axis_shows_every_point_and_ends_at_the_clip() -> None:
    assert axis_limit([0.5, 2.0], 10) == 3
    assert axis_limit([0.5, 4.0], 10) == 5
    assert axis_limit([0.5, 40.0], 10) == pytest.approx(10.6)


@pytest.mark.parametrize(("value", "high", "ends"), [(-2.0, 0.5, "2"), (-4.0, 0.5, "4"), (0.5, 4.0, "4")])
def test_a_forest_plot_shows_every_dataset_and_the_whole_average(value: float, high: float, ends: str) -> None:
    group = ForestGroup("kind", ["d"], [{"d": Mark(value, value - 0.5, value + 0.5)}], [Mark(0.0, -0.5, high)])
    assert f">+{ends}δ<" in svg(group)


def svg(group: ForestGroup, clip: float = 10) -> str:
    return str(both(lambda width: forest(width, [group], [""], clip=clip), "f", "T", "D"))


def test_scores_beyond_the_clip_are_arrow_heads_at_the_edge() -> None:
    def drawn(value: float) -> str:
        mark = Mark(value, value - 1, value + 1, side=1)
        return svg(ForestGroup("", ["d"], [{"d": mark}], [Mark(2.0, 1.5, 2.5)]))

    assert drawn(900.0) == drawn(90000.0)
    assert drawn(900.0) != drawn(9.0)


def test_a_dataset_that_was_not_judged_is_named_and_said_so() -> None:
    group = ForestGroup("", ["lost"], [{"lost": Mark(None)}], [Mark(None)])
    drawn = svg(group)
    assert ">lost<" in drawn
    assert ">not judged<" in drawn
    assert ">too few datasets<" in drawn


def test_drawings_use_theme_colours_only_and_labels_keep_their_digits() -> None:
    with drawing():
        figure = blank(200, 100)
        axes = figure.add_axes((0.1, 0.2, 0.8, 0.7))
        axes.plot([0, 1], [0, 1], color=AGREE)
        axes.set_xticks([0.123456], ["0.123456"])
        drawn = str(to_svg(figure, "x", "a < b", "c & d"))
    assert "var(--agree)" in drawn
    assert re.findall(r"#[0-9a-f]{6}\b", drawn) == []
    assert ">0.123456<" in drawn
    assert '<title id="x-title">a &lt; b</title>' in drawn
    assert "font-family" not in drawn


def test_zero_stands_left_of_the_smallest_beta() -> None:
    assert positions([0.0, 1e-3, 1e-2]).tolist() == pytest.approx([-4, -3, -2])


def test_a_curve_says_how_large_the_damage_is() -> None:
    risks = pd.DataFrame(
        {
            "clean": [10, 9, 8],
            "clean_se": 1.0,
            "dirty": [30, math.nan, 12],
            "dirty_se": 1.0,
            "in_band": [False, True, True],
        },
        index=[0, 1e-3, 1e-2],
    )
    curve = RiskCurve("t", "s", "test error, %", risks, 2)
    drawn = str(both(lambda width: risk_curves(width, [curve]), "c", "T", "D"))
    assert ">D\u2009=\u200920<" in drawn
    assert ">D\u2009=\u20094<" in drawn


def test_damage_of_zero_or_less_is_drawn() -> None:
    line = Damage("squared", [0, 1e-2], [0.2, -0.1], "squared loss", average=True)
    assert "squared loss" in str(both(lambda width: damage(width, [("level", [line])]), "d", "T", "D"))


def test_the_growth_of_the_penalty_is_drawn_with_both_comparisons() -> None:
    scale = np.logspace(-2, 2, 9)
    drawn = str(both(lambda width: log_log(width, scale.tolist(), (3 * scale**2).tolist(), 2.0), "l", "T", "D"))
    assert "the penalty, slope 2.0000" in drawn
    assert "exponential" in drawn


def constants() -> Constants:
    return registration().constants


def test_cells_of_the_map_are_the_means_of_their_seeds() -> None:
    effects = example()["effects"]
    rows = effects[(effects["claim"] == "g") & (effects["part"] == "g1")].copy()
    gone = rows.eval("dataset == 'example_votes' and arm == 'linear' and level == 'sym@0.2'")
    rows.loc[gone, ["theta", "ok", "reason"]] = [math.nan, False, "run diverged"]
    table = pictures.cells(rows, {"classification": 0.01, "regression": 0.02}, constants())
    one = table[(table["dataset"] == "example_cells") & (table["arm"] == "linear") & (table["level"] == "sym@0.2")]
    own = rows.query("dataset == 'example_cells' and arm == 'linear' and level == 'sym@0.2'")
    assert one["mean"].item() == pytest.approx(own["theta"].mean() / 0.01)
    lost = table[(table["dataset"] == "example_votes") & (table["arm"] == "linear") & (table["level"] == "sym@0.2")]
    assert not lost["judged"].item()
    assert lost["why"].item() == "run diverged"
    assert math.isnan(lost["sign"].item())


def test_the_sign_of_a_cell_needs_the_whole_interval_beyond_delta() -> None:
    effects = example()["effects"]
    rows = effects[(effects["claim"] == "g") & (effects["part"] == "g1")].copy()
    rows["ok"] = True
    for theta, sign in ((0.05, 1.0), (-0.05, -1.0), (0.0, 0.0)):
        noise = 1e-4 * (rows["seed"] - rows["seed"].mean())
        table = pictures.cells(
            rows.assign(theta=theta + noise), {"classification": 0.01, "regression": 0.02}, constants()
        )
        assert (table["sign"] == sign).all()
    wide = rows.assign(theta=0.012 + 0.02 * (rows["seed"] - rows["seed"].mean()))
    assert pictures.cells(wide, {"classification": 0.01, "regression": 0.02}, constants())["sign"].isna().all()


def test_the_cells_shown_as_curves_are_the_extremes_of_their_stratum() -> None:
    effects = example()["effects"]
    rows = effects[(effects["claim"] == "g") & (effects["part"] == "g1")]
    table = pictures.cells(rows, {"classification": 0.01, "regression": 0.02}, constants())
    found = pictures.telling_cells(table)
    assert [stratum for stratum, _, _ in found] == sorted(table["stratum"].unique())
    for stratum, least, greatest in found:
        own = table[(table["stratum"] == stratum) & table["judged"]]["mean"]
        assert (least["mean"], greatest["mean"]) == (own.min(), own.max())
