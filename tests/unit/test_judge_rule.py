"""Every step of the rule on tables small enough to compute by hand, and every branch of the verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from judging import DELTA, claim, effects, fail, part, registration, spread, together
from l2audit.config import claims as names
from l2audit.errors import UserError
from l2audit.judge.verdicts import judge

CONJUNCTION = [part("p"), part("q")]
STRATA = ["label", "target", "leverage"]


def verdict(table: pd.DataFrame, *claims: dict[str, Any], **constants: Any) -> dict[str, Any]:
    """The entry of the first claim."""
    entry: dict[str, Any] = judge(table, registration(*claims, **constants))["claims"][0]
    return entry


def in_strata(scores: dict[str, list[float]], **options: Any) -> pd.DataFrame:
    return together(*(effects(values, stratum=stratum, **options) for stratum, values in scores.items()))


def tails(mean: float, sd: float, k: int) -> dict[str, float]:
    """Step 5 of docs/statistics.md, by scipy.stats."""
    se = sd / math.sqrt(k)
    up, down = (mean - 1) / se, (mean + 1) / se
    excluded, above = stats.t.cdf(up, k - 1), stats.t.sf(down, k - 1)
    return {
        "supported": stats.t.sf(up, k - 1),
        "excluded": excluded,
        "reversed": stats.t.cdf(down, k - 1),
        "equivalent": max(excluded, above),
    }


class TestSteps1To4:
    def test_score_is_theta_in_deltas_of_its_task(self) -> None:
        table = together(effects({"a": 2.0}), effects({"b": 3.0}, task="regression"))
        scores = {row["dataset"]: row["score"] for row in verdict(table)["parts"][0]["datasets"]}
        assert scores == pytest.approx({"a": 2.0, "b": 3.0})

    def test_equal_weights_at_each_level(self) -> None:
        # linear has levels 1 and 5 (mean 3), mlp has level 7 alone: 5, not the mean of the three cells.
        table = together(
            effects({"a": 1.0}, levels=["x"]),
            effects({"a": 5.0}, levels=["y"]),
            effects({"a": 7.0}, levels=["x"], arms=["mlp"]),
        )
        entry = verdict(table, claim(architectures=["linear", "mlp"]))
        assert entry["parts"][0]["datasets"][0]["score"] == pytest.approx(5.0)

    def test_a_cell_needs_four_fifths_of_its_seeds(self) -> None:
        table = effects({"a": 1.0}, levels=["x", "y"], seeds=(0.0,) * 10)
        two = fail(table, (table["level"] == "x") & (table["seed"] < 2))
        two.loc[two["level"] == "x", "theta"] *= 3
        three = fail(two, (two["level"] == "x") & (two["seed"] < 3))
        assert verdict(two)["parts"][0]["datasets"][0]["score"] == pytest.approx(2.0)
        assert verdict(three)["parts"][0]["datasets"][0]["score"] == pytest.approx(1.0)

    def test_a_dataset_needs_half_its_cells(self) -> None:
        table = effects({"a": 1.0, "b": 1.0}, levels=["x", "y", "z"])
        one_left = fail(table, (table["dataset"] == "a") & table["level"].isin(["x", "y"]))
        two_left = fail(table, (table["dataset"] == "a") & (table["level"] == "x"))
        assert verdict(one_left)["n_datasets"] == 1
        assert verdict(two_left)["n_datasets"] == 2
        assert verdict(one_left)["n_planned_datasets"] == 2

    def test_exactly_half_of_the_cells_is_enough(self) -> None:
        table = effects({"a": 1.0}, levels=["w", "x", "y", "z"])
        assert verdict(fail(table, table["level"].isin(["w", "x"])))["n_datasets"] == 1
        assert verdict(fail(table, table["level"].isin(["w", "x", "y"])))["n_datasets"] == 0

    def test_the_seed_series_holds_complete_seeds_of_judged_cells(self) -> None:
        table = effects({"a": 1.0}, levels=["x", "y", "z"], seeds=(0.0,) * 5)
        table = fail(table, (table["level"] == "x") & (table["seed"] == 2))  # judged, one seed short
        table = fail(table, (table["level"] == "y") & (table["seed"] != 0))  # not judged: its seeds do not matter
        assert verdict(table)["parts"][0]["datasets"][0]["n_seeds"] == 4

    def test_scores_are_cut_for_the_test_alone(self) -> None:
        row = verdict(effects({"a": 25.0}))["parts"][0]["datasets"][0]
        assert (row["score"], row["judged_score"], row["value"]) == pytest.approx((25.0, 10.0, 25.0))

    def test_all_is_judged_by_the_mean_of_the_cut_strata_that_a_dataset_has(self) -> None:
        table = in_strata({"label": [30.0], "target": [4.0]})
        row = verdict(table, claim(strata=STRATA))["parts"][0]["datasets"][0]
        assert (row["judged_score"], row["score"]) == pytest.approx(((10 + 4) / 2, (30 + 4) / 2))

    def test_no_estimate_is_cut(self) -> None:
        scores = [40.0, 12.0, -3.0, 2.0, 4.0, -30.0, 1.0]
        entry = verdict(effects(scores, seeds=(-2.0, 2.0, 0.0, 0.0)))
        found = entry["parts"][0]
        low, high = stats.t.interval(0.95, 6, np.mean(scores), stats.sem(scores))
        assert (entry["estimate"], entry["ci_low"], entry["ci_high"]) == pytest.approx((np.mean(scores), low, high))
        task = found["tasks"]["classification"]  # one delta is one percentage point
        assert (task["estimate"], task["ci_low"], task["ci_high"]) == pytest.approx((np.mean(scores), low, high))
        ahead = stats.t.ppf(0.975, 6) * np.std(scores, ddof=1) * math.sqrt(1 + 1 / 7)
        assert found["prediction_high"] == task["prediction_high"] == pytest.approx(np.mean(scores) + ahead)
        without = [np.mean(np.delete(scores, place)) for place in range(7)]
        ends = (found["leave_one_out_low"], found["leave_one_out_high"])
        assert ends == pytest.approx((min(without), max(without)))
        assert (found["median"], task["median"]) == (2.0, pytest.approx(2.0))
        assert found["share_in_direction"] == task["share_in_direction"] == pytest.approx(5 / 7)
        cut = np.clip(scores, -10, 10)
        assert (found["judged_mean"], found["judged_sd"]) == pytest.approx((cut.mean(), cut.std(ddof=1)))
        noise = 8 / 3 / 4
        assert found["tau"] == pytest.approx(math.sqrt(np.var(scores, ddof=1) - noise))
        assert entry["p"]["supported"] == pytest.approx(tails(cut.mean(), cut.std(ddof=1), 7)["supported"])

    def test_a_dataset_is_cut_where_it_is_in_any_stratum(self) -> None:
        table = in_strata({"label": [30.0, 2.0, -11.0, 0.0, 9.0], "target": [4.0, -12.0, 12.0, 0.0, 11.0]})
        entry = verdict(table, claim(strata=STRATA))
        assert entry["parts"][0]["n_clipped"] == 4
        assert [row["parts"][0]["n_clipped"] for row in entry["strata"]] == [2, 3, 0]
        assert entry["parts"][0]["tasks"]["classification"]["n_clipped"] == 4

    def test_contrasts_at_the_end_and_worse_than_trivial_are_counted_where_the_table_says_so(self) -> None:
        table = effects([1.0] * 5, levels=["x", "y"])
        assert verdict(table)["parts"][0]["n_at_end"] is None
        said = table.assign(at_end=table["seed"] == 0, worse_than_trivial=table["level"] == "x")
        lost = fail(said, (said["dataset"] == "d00") & (said["level"] == "x"))  # 4 contrasts that are not used
        found = verdict(lost)["parts"][0]
        assert (found["n_contrasts"], found["n_at_end"], found["n_worse_than_trivial"]) == (36, 9, 16)

    def test_an_arm_not_on_every_dataset_is_for_the_map_only(self) -> None:
        table = together(effects([1.0, 1.0]), effects({"d00": 9.0}, arms=["conv5"]))
        entry = verdict(table, claim(architectures=["linear", "conv5"]))
        assert entry["estimate"] == pytest.approx(1.0)
        assert entry["unused"] == {"arm not planned on every dataset of the row": 4}

    def test_an_arm_may_enter_one_stratum_and_not_another(self) -> None:
        table = together(
            effects({"a": 1.0}, stratum="label", arms=["linear", "conv5"]),
            effects({"a": 1.0, "b": 1.0}, stratum="target"),
            effects({"a": 9.0}, stratum="target", arms=["conv5"]),
        )
        entry = verdict(table, claim(architectures=["linear", "conv5"], strata=STRATA))
        assert [row["n_contrasts"] for row in entry["strata"]] == [8, 8, 0]
        assert entry["unused"] == {"arm not planned on every dataset of the row": 4}

    def test_only_common_seeds_enter(self) -> None:
        table = together(
            effects({"a": 1.0}, seeds=(0, 0, 0, 0, 50.0)), effects({"a": 1.0}, arms=["mlp"], seeds=(0,) * 4)
        )
        entry = verdict(table, claim(architectures=["linear", "mlp"]))
        assert entry["estimate"] == pytest.approx(1.0)
        assert entry["unused"] == {"seed not planned in every cell of the row": 1}

    def test_only_registered_arms_roles_and_datasets_enter(self) -> None:
        table = together(
            effects({"a": 1.0}),
            effects({"a": 9.0}, arms=["conv5"]),
            effects({"c": 9.0}, role="control"),
            effects({"b": 9.0}),
        )
        assert verdict(table, claim(datasets=["a"]))["estimate"] == pytest.approx(1.0)


class TestStep5:
    @pytest.mark.parametrize(("mean", "sd", "k"), [(3, 1, 6), (0.2, 0.9, 9), (-1.4, 2.5, 12), (1, 1, 5)])
    def test_p_values_of_a_single_part(self, mean: float, sd: float, k: int) -> None:
        entry = verdict(effects(spread(mean, sd, k)))
        assert entry["p"] == pytest.approx(tails(mean, sd, k), rel=1e-6)
        assert entry["estimate"] == pytest.approx(mean)
        half = stats.t.ppf(0.975, k - 1) * sd / math.sqrt(k)
        assert (entry["ci_low"], entry["ci_high"]) == pytest.approx((mean - half, mean + half))

    def test_a_conjunction_takes_the_worst_part_and_pays_for_refuting_by_one(self) -> None:
        table = together(effects(spread(2, 1, 6)), effects(spread(0.5, 1, 6), part="q"))
        entry = verdict(table, claim(parts=CONJUNCTION))
        p, q = tails(2, 1, 6), tails(0.5, 1, 6)
        expected = {name: max(p[name], q[name]) for name in p} | {"excluded": 2 * min(p["excluded"], q["excluded"])}
        assert entry["p"] == pytest.approx(expected, rel=1e-6)

    def test_a_conjunction_has_the_datasets_of_its_poorest_part(self) -> None:
        table = together(effects([3.0] * 6), effects([3.0] * 4, part="q"))
        entry = verdict(table, claim(parts=CONJUNCTION))
        assert (entry["n_datasets"], entry["verdict"]) == (4, names.TOO_FEW)

    def test_identical_scores_need_no_special_case(self) -> None:
        entry = verdict(effects([3.0] * 5, seeds=(0.0, 0.0)))
        expected = {"supported": 0.0, "excluded": 1.0, "reversed": 1.0, "equivalent": 1.0}
        assert entry["p"] == pytest.approx(expected, abs=1e-30)
        assert entry["verdict"] == names.SUPPORTED

    @pytest.mark.parametrize(("mean", "test"), [(1.0, "supported"), (1.0, "excluded"), (-1.0, "reversed")])
    def test_a_mean_exactly_on_the_boundary_gives_one_half(self, mean: float, test: str) -> None:
        entry = verdict(effects([mean] * 5, seeds=(0.0, 0.0)))
        assert entry["p"][test] == pytest.approx(0.5, abs=1e-6)
        assert entry["verdict"] not in (names.SUPPORTED, names.REVERSED, names.NEGLIGIBLE)

    def test_no_meaningful_effect_is_not_said_over_strata_that_cancel(self) -> None:
        apart = in_strata({"label": spread(1.2, 0.05, 8), "target": spread(-1.2, 0.05, 8)}, seeds=(-3, 3, -3, 3))
        near = in_strata({"label": spread(0.8, 0.05, 8), "target": spread(-0.8, 0.05, 8)}, seeds=(-3, 3, -3, 3))
        assert verdict(apart, claim(strata=STRATA))["p"]["equivalent"] == 1.0
        assert verdict(near, claim(strata=STRATA))["verdict"] == names.NEGLIGIBLE

    def test_the_guard_looks_at_every_part(self) -> None:
        far = in_strata({"label": spread(1.2, 0.05, 8), "target": spread(-1.2, 0.05, 8)}, part="q", seeds=(-3, 3))
        near = in_strata({"label": spread(0.1, 0.05, 8), "target": spread(-0.1, 0.05, 8)}, seeds=(-3, 3))
        entry = verdict(together(near, far), claim(parts=CONJUNCTION, strata=STRATA))
        assert entry["p"]["equivalent"] == 1.0


class TestStep6:
    def test_holm_counts_rows_that_could_not_be_judged(self) -> None:
        p = tails(3, 1, 6)["supported"]  # 0.0022: enough alone (x 2), not among sixteen claims (x 32)
        table = effects(spread(3, 1, 6))
        others = [claim(f"absent{i}") for i in range(15)]
        assert verdict(table)["p_adjusted"][0] == pytest.approx(2 * p, rel=1e-6)
        assert verdict(table)["verdict"] == names.SUPPORTED
        crowded = verdict(table, claim(), *others)
        assert crowded["p_adjusted"][0] == pytest.approx(32 * p, rel=1e-6)
        assert crowded["verdict"] == names.INCONCLUSIVE
        assert "would be supported as the only claim" in crowded["labels"]
        assert crowded["rows_in_family"] == 16

    def test_step_down_spares_what_has_been_rejected(self) -> None:
        # b's two p-values are the smallest possible, so a's first is third of four: factor 2 instead of 4.
        table = together(effects(spread(3, 1, 6)), effects([-8.0] * 6, name="b"))
        entry = verdict(table, claim(), claim("b"))
        assert entry["p_adjusted"][0] == pytest.approx(2 * tails(3, 1, 6)["supported"], rel=1e-6)

    def test_strata_added_claims_and_controls_have_families_of_their_own(self) -> None:
        settings = registration(
            claim("x", strata=STRATA),
            claim("y", family="added"),
            claim("z", family="control", expects=["supported"]),
            claim("w", family="control", expects=["supported"]),
        )
        families = judge(effects([]), settings)["families"]
        assert families == {"claims": 1, "kinds": 3, "added": 1, "control z 0": 1, "control w 0": 1}


class TestStep7:
    @pytest.mark.parametrize(
        ("mean", "sd", "expected"),
        [
            (3.0, 0.5, names.SUPPORTED),
            (-3.0, 0.5, names.REVERSED),
            (0.0, 0.3, names.NEGLIGIBLE),
            (-0.6, 0.9, names.EXCLUDED),
            (0.9, 2.0, names.INCONCLUSIVE),
        ],
    )
    @pytest.mark.parametrize("conjunction", [False, True])
    def test_readings(self, mean: float, sd: float, expected: str, conjunction: bool) -> None:
        table = effects(spread(mean, sd, 10), seeds=(-5, 5, -5, 5))
        if conjunction:
            table = together(table, table.assign(part="q"))
        entry = verdict(table, claim(parts=CONJUNCTION if conjunction else None))
        assert entry["verdict"] == expected

    def test_one_failed_part_refutes_whatever_the_other_says(self) -> None:
        table = together(effects(spread(4, 0.5, 8)), effects(spread(-4, 0.5, 8), part="q"))
        entry = verdict(table, claim(parts=CONJUNCTION))
        assert (entry["verdict"], entry["deciding_part"]) == (names.EXCLUDED, "q")
        assert [row["verdict"] for row in entry["parts"]] == [names.SUPPORTED, names.REVERSED]

    @pytest.mark.parametrize("mean", [-3.0, 0.0])
    def test_a_negative_verdict_needs_an_active_penalty(self, mean: float) -> None:
        scores = spread(mean, 0.2, 9)
        tables = [
            together(effects(dict(zip("abcdefghi"[:off], scores[:off], strict=True)), active=False),
                     effects(dict(zip("abcdefghi"[off:], scores[off:], strict=True))))
            for off in (4, 5)
        ]  # fmt: skip
        assert verdict(tables[0])["verdict"] != names.INACTIVE
        assert verdict(tables[1])["verdict"] == names.INACTIVE

    @pytest.mark.parametrize(("awake", "expected"), [(1, names.INACTIVE), (2, names.NEGLIGIBLE)])
    def test_a_dataset_is_active_where_half_of_what_entered_was(self, awake: int, expected: str) -> None:
        table = effects(spread(0, 0.2, 6))
        assert verdict(table.assign(active=table["seed"] < awake))["verdict"] == expected  # of four seeds

    def test_a_conjunction_is_gated_by_any_part(self) -> None:
        table = effects(spread(-3, 0.2, 6))
        entry = verdict(together(table, table.assign(part="q", active=False)), claim(parts=CONJUNCTION))
        assert entry["verdict"] == names.INACTIVE

    def test_the_gate_does_not_touch_support(self) -> None:
        assert verdict(effects(spread(3, 0.2, 9), active=False))["verdict"] == names.SUPPORTED

    @pytest.mark.parametrize(("k", "expected"), [(4, names.TOO_FEW), (5, names.SUPPORTED)])
    def test_fewer_than_five_datasets_give_no_verdict(self, k: int, expected: str) -> None:
        assert verdict(effects(spread(5, 0.2, k)))["verdict"] == expected


class TestStep8:
    def test_mixed_by_kind(self) -> None:
        entry = verdict(in_strata({"label": spread(4, 1, 8), "target": spread(-4, 1, 8)}), claim(strata=STRATA))
        assert (entry["verdict"], entry["mixed_by"]) == (names.MIXED, "kind")
        assert [row["verdict"] for row in entry["strata"]] == [names.SUPPORTED, names.REVERSED, names.TOO_FEW]

    def test_supported_beside_excluded_is_not_mixed(self) -> None:
        table = in_strata({"label": spread(4, 1, 8), "target": spread(-0.8, 0.8, 8)}, seeds=(-9, 9, -9, 9))
        entry = verdict(table, claim(strata=STRATA))
        assert [row["verdict"] for row in entry["strata"][:2]] == [names.SUPPORTED, names.EXCLUDED]
        assert entry["verdict"] != names.MIXED

    @pytest.mark.parametrize(
        ("above", "below", "expected"),
        [(2, 2, True), (3, 1, False), (1, 9, False), (9, 2, False), (9, 3, True)],
    )
    def test_mixed_by_dataset_needs_two_and_a_fifth_on_either_side(
        self, above: int, below: int, expected: bool
    ) -> None:
        # 11 datasets need ceil(2.2) = 3, of 5 two are enough.
        zeros = max(0, 5 - above - below)
        entry = verdict(effects([4.0] * above + [-4.0] * below + [0.0] * zeros))
        assert (entry["verdict"] == names.MIXED) is expected
        assert entry["mixed_by"] == ("dataset" if expected else "")

    def test_datasets_are_decisive_by_their_seeds_with_holm(self) -> None:
        noisy = tuple(np.array([-1, 1, -1, 1]) * 2.0)  # t = 3 / (SD 2.31 / 2) = 2.6, p = .040: not after Holm over 5
        assert verdict(effects([4.0, 4.0, -4.0, -4.0, 0.0], seeds=noisy))["verdict"] != names.MIXED

    def test_a_conjunction_is_mixed_only_in_every_part(self) -> None:
        split, flat = effects([4.0, 4.0, -4.0, -4.0, 0.0]), effects([0.5] * 5, part="q")
        one = verdict(together(split, flat), claim(parts=CONJUNCTION))
        both = verdict(together(split, split.assign(part="q")), claim(parts=CONJUNCTION))
        assert (one["verdict"] == names.MIXED, both["verdict"] == names.MIXED) == (False, True)

    def test_in_every_part_means_decisively_so(self) -> None:
        split = effects([4.0, 4.0, -4.0, -4.0, 0.0])
        hazy = effects([4.0, 4.0, -4.0, -4.0, 0.0], part="q", seeds=(-9, 9, -9, 9))
        assert verdict(together(split, hazy), claim(parts=CONJUNCTION))["verdict"] != names.MIXED

    def test_kinds_apart_are_seen_beneath_a_kind_that_is_itself_mixed(self) -> None:
        # label is supported on average and split by datasets; over both kinds no dataset is above 1.
        table = in_strata({"label": [10.0] * 9 + [-2.0] * 3, "target": [-10.0] * 9 + [-2.0] * 3})
        entry = verdict(table, claim(strata=STRATA))
        assert [row["verdict"] for row in entry["strata"][:2]] == [names.MIXED, names.REVERSED]
        assert entry["strata"][0]["reading"] == names.SUPPORTED
        assert (entry["verdict"], entry["mixed_by"]) == (names.MIXED, "kind")

    def test_too_few_datasets_are_never_mixed(self) -> None:
        assert verdict(effects([4.0, 4.0, -4.0, -4.0]))["verdict"] == names.TOO_FEW


class TestStep9:
    def test_rests_on_the_dataset_without_which_the_verdict_changes(self) -> None:
        entry = verdict(effects({"a": 9.0, **{f"b{i}": 1.3 for i in range(6)}}), alpha=0.25)
        assert entry["verdict"] == names.INCONCLUSIVE  # the outlier widens the interval
        assert entry["labels"][0] == "rests on a"  # without it the six agree: supported

    def test_a_verdict_that_any_dataset_can_spare_rests_on_none(self) -> None:
        assert verdict(effects(spread(6, 0.5, 5)))["labels"] == []

    def test_depends_on_excluded_runs(self) -> None:
        table = effects([2.0] * 6, seeds=(0.0, 0.0))
        gone = fail(table, table["dataset"].isin(["d00", "d01"]))
        with_five = fail(table, table["dataset"] == "d00")
        assert verdict(gone)["verdict"] == names.TOO_FEW
        assert verdict(with_five)["labels"] == ["depends on excluded runs"]
        assert verdict(table)["labels"] == []

    def test_dropped_rows_are_counted_by_reason(self) -> None:
        table = effects([3.0] * 6)
        table = fail(table, (table["dataset"] == "d00") & (table["seed"] == 0), "not converged")
        table = fail(table, table["dataset"] == "d01")
        table.loc[(table["dataset"] == "d02") & (table["seed"] == 3), "theta"] = np.nan  # said to be ok
        entry = verdict(table)
        assert entry["dropped"] == {"effect is not a finite number": 1, "not converged": 1, "run diverged": 4}
        assert entry["unused"] == {"in a cell or dataset with too few usable seeds": 6}  # 3 of 4 seeds are below 80 %
        assert entry["n_contrasts"] == 12
        assert (entry["n_datasets"], entry["n_planned_datasets"]) == (3, 6)

    def test_plain_units_of_each_task(self) -> None:
        table = together(
            effects(dict(zip("abc", spread(2, 1, 3), strict=True))),
            effects(dict(zip("defg", spread(5, 1, 4), strict=True)), task="regression"),
        )
        tasks = verdict(table)["parts"][0]["tasks"]
        half = stats.t.ppf(0.975, 2) / math.sqrt(3)
        assert tasks["classification"]["estimate"] == pytest.approx(2.0)  # percentage points
        assert tasks["classification"]["ci_high"] == pytest.approx(2.0 + half)
        assert tasks["regression"]["estimate"] == pytest.approx(5 * DELTA["regression"])
        assert (tasks["classification"]["n_datasets"], tasks["regression"]["n_datasets"]) == (3, 4)

    def test_prediction_interval_and_leave_one_out_range(self) -> None:
        found = verdict(effects(spread(2, 1, 5)))["parts"][0]
        half = stats.t.ppf(0.975, 4) * math.sqrt(1 + 1 / 5)
        assert (found["prediction_low"], found["prediction_high"]) == pytest.approx((2 - half, 2 + half))
        scores = spread(2, 1, 5)
        assert found["leave_one_out_low"] == pytest.approx(np.mean(scores[:-1]))
        assert found["leave_one_out_high"] == pytest.approx(np.mean(scores[1:]))

    def test_tau_is_the_spread_less_the_noise_of_seeds(self) -> None:
        seeds = (-1.0, 1.0, -1.0, 1.0)
        found = verdict(effects(spread(2, 1, 8), seeds=seeds))["parts"][0]
        assert found["tau"] == pytest.approx(math.sqrt(1 - np.var(seeds, ddof=1) / 4))
        quiet = verdict(effects([2.0] * 8, seeds=seeds))["parts"][0]
        assert quiet["tau"] == 0.0


class TestEdges:
    def test_an_empty_table_is_judged(self) -> None:
        entry = verdict(effects([3.0]).iloc[:0], claim(strata=STRATA))
        assert entry["verdict"] == names.TOO_FEW
        assert [row["verdict"] for row in entry["strata"]] == [names.TOO_FEW] * 3
        assert (entry["estimate"], entry["n_planned_datasets"]) == (None, 0)

    def test_a_table_without_a_usable_row_is_judged(self) -> None:
        table = effects([3.0] * 6)
        entry = verdict(fail(table, table["ok"]))
        assert (entry["verdict"], entry["n_datasets"], entry["n_planned_datasets"]) == (names.TOO_FEW, 0, 6)
        assert entry["dropped"] == {"run diverged": 24}

    def test_an_empty_registration_is_judged(self) -> None:
        settings = registration()
        emptied = type(settings)(settings.version, settings.thread, settings.constants, (), settings.sha256)
        assert judge(effects([3.0]), emptied)["claims"] == []

    def test_one_seed_is_enough_for_an_average_but_not_for_a_split(self) -> None:
        entry = verdict(effects([4.0, 4.0, 4.0, -4.0, -4.0], seeds=(0.0,)))
        assert entry["verdict"] == names.INCONCLUSIVE

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            (effects([1.0]).drop(columns="active"), "lacks the column 'active'"),
            (together(effects([1.0]), effects([1.0])), "two rows for"),
            (together(effects({"a": 1.0}), effects({"a": 1.0}, task="regression", levels=["b"])), "two tasks"),
            (effects([1.0], task="regression"), "no delta for regression"),
        ],
    )
    def test_a_malformed_table_is_refused(self, table: pd.DataFrame, message: str) -> None:
        classified = {
            "unit": {"classification": "u"},
            "scale": {"classification": 1},
            "delta": {"classification": 0.01},
        }
        one_task = registration(claim(parts=[part(**classified)]))
        settings = one_task if "delta" in message else registration()
        with pytest.raises(UserError, match=message):
            judge(table, settings)


class TestIdentitiesAndControls:
    @staticmethod
    def exact(*, holds: bool | None, means: str = "supported") -> str:
        settings = registration(
            claim("b", family="identity", parts=[{"id": "b1", "statement": "s", "checks": ["c"], "holds_means": means}])
        )
        check = {"claim": "b", "check": "c", "statement": "s", "expected": 2, "obtained": 2, "holds": holds}
        found: str = judge(effects([]), settings, [] if holds is None else [check])["claims"][0]["verdict"]
        return found

    def test_readings_of_exact_checks(self) -> None:
        assert self.exact(holds=True) == names.SUPPORTED
        assert self.exact(holds=False) == names.REFUTED
        assert self.exact(holds=True, means="refuted") == names.REFUTED
        assert self.exact(holds=False, means="refuted") == names.INCONCLUSIVE
        assert self.exact(holds=None) == names.INCONCLUSIVE

    @pytest.mark.parametrize(
        ("mean", "sd", "expects", "expected"),
        [
            (3.0, 0.5, ["supported"], "passed"),
            (-3.0, 0.5, ["supported"], "failed"),
            (-3.0, 0.5, ["refuted"], "passed"),
            (0.0, 3.0, ["no meaningful effect", "inconclusive"], "underpowered"),
            (-0.6, 0.9, ["no meaningful effect", "refuted (excluded)"], "underpowered"),
            (0.0, 0.2, ["no meaningful effect", "inconclusive"], "passed"),
        ],
    )
    def test_controls(self, mean: float, sd: float, expects: list[str], expected: str) -> None:
        settings = registration(claim(family="control", role="control", expects=expects))
        found = judge(effects(spread(mean, sd, 10), role="control", seeds=(-9, 9, -9, 9)), settings)
        assert found["controls"][0]["outcome"] == expected
        assert found["controls_hold"] is (expected != "failed")

    def test_a_control_is_judged_alone(self) -> None:
        settings = registration(
            claim("c", family="control", expects=["supported"]), *(claim(f"x{i}") for i in range(30))
        )
        found = judge(effects(spread(3, 1, 6), name="c"), settings)["controls"][0]
        assert (found["verdict"], found["rows_in_family"]) == (names.SUPPORTED, 1)
