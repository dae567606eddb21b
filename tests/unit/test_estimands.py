"""Every estimand against its formula in plain Python, and what it does where runs are missing or unconverged."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from judging import arm_plan, claim, contrasts, drawn_runs, effects, part, registration, spread
from l2audit.config.claims import load
from l2audit.effects.counts import runs_behind
from l2audit.effects.estimands import ESTIMANDS
from l2audit.effects.evidence import Evidence
from l2audit.effects.table import estimate
from l2audit.judge.verdicts import judge
from l2audit.measures import MEASURES
from repository_copy import REPOSITORY

OTHER = {"primary": False, "penalty": "decay", "betas": (0.0, 0.01, 0.05, 0.1), "seeds": (0, 1)}
CONTAMINATED = ["vert@0.1,10", "vert@0.2,10"]
LEVELS = {"clean": ["clean"], "across": ["clean"], "contaminated": CONTAMINATED, "both": ["clean", *CONTAMINATED]}
REGISTERED = REPOSITORY / "config" / "claims.yaml"
PARAMETERS: dict[str, dict[str, Any]] = {
    "evenness": {"measure": "gini_live_inputs"},
    "matched_evenness": {"against": "other", "measure": "feature_gini", "match": 9.0},
    "sparsity_against": {"against": "other", "measure": "dead_fraction"},
    "benefit": {"gap": {"regression": 0.05}},
    "loss_against_penalty": {"floor": 0.005},
    "sensitivity_against": {"against": "other"},
    "omission": {"against": "other"},
    "evenness_lost": {"against": "other", "measure": "gini_live"},
    "neurons_lost": {"against": "other"},
    "sensitivity_gained": {"against": "other"},
    "local_harm": {"than": CONTAMINATED[1]},
    "help_lost": {"than": CONTAMINATED[1]},
    "clean_fall": {"measure": "test_brier"},
    "clean_rise": {"measure": "test_brier"},
    "contaminated_fall": {"measure": "memorised_fraction"},
    "contaminated_rise": {"measure": "dead_fraction"},
}


class ByHand:
    """Measures of single runs of one seed, read row by row, and betas chosen in plain Python."""

    def __init__(self, runs: pd.DataFrame, seed: int) -> None:
        mine = runs[runs["seed"] == seed]
        self.rows = {(r.arm, r.loss, r.level, r.beta): r for r in mine.itertuples(index=False)}

    def read(self, measure: str, beta: float, level: str, arm: str = "net", loss: str = "squared") -> float:
        return float(getattr(self.rows[arm, loss, level, beta], measure))

    def betas(self, arm: str) -> list[float]:
        return sorted({key[3] for key in self.rows if key[0] == arm and key[3] > 0})

    def best(self, level: str, arm: str = "net") -> float:
        return min(self.betas(arm), key=lambda beta: self.read("validation_risk", beta, level, arm))

    def damage(self, beta: float, level: str, arm: str = "net", loss: str = "squared") -> float:
        clean = self.read("test_risk", beta, "clean", arm, loss)
        return self.read("test_risk", beta, level, arm, loss) - clean

    def same_fit(self, beta: float) -> float:
        loss = self.read("train_loss", beta, "clean")
        return min(self.betas("other"), key=lambda one: abs(self.read("train_loss", one, "clean", "other") - loss))

    def fall(self, measure: str, beta: float, level: str, arm: str = "net") -> float:
        return self.read(measure, 0, level, arm) - self.read(measure, beta, level, arm)

    def overfit(self, beta: float, level: str) -> float:
        return self.read("test_risk", beta, level) - self.read("train_risk", beta, level)

    def added(self, beta: float, level: str, arm: str = "net") -> float:
        return self.damage(beta, level, arm) - self.damage(0, level, arm)

    def tuned(self, level: str) -> float:
        return min(self.betas("net"), key=lambda beta: self.read("validation_risk_contaminated", beta, level))


FORMULAS: dict[str, Callable[[ByHand, float, str], float]] = {
    "shrinkage": lambda x, b, c: math.log(x.read("weight_norm", 0, c) / x.read("weight_norm", b, c)),
    "selectivity": lambda x, b, c: x.read("selectivity", b, c),
    "evenness": lambda x, b, c: x.read("gini_live_inputs", 0, c) - x.read("gini_live_inputs", b, c),
    "matched_evenness": lambda x, b, c: (
        x.read("feature_gini", x.same_fit(b), c, "other") - x.read("feature_gini", b, c)
    ),
    "effective_neurons": lambda x, b, c: x.read("effective_neurons", b, c) - x.read("effective_neurons", 0, c),
    "ablation_share": lambda x, b, c: x.read("ablation_share", 0, c) - x.read("ablation_share", b, c),
    "sparsity_against": lambda x, b, c: (
        x.read("dead_fraction", b, c) - x.read("dead_fraction", x.best("clean", "other"), c, "other")
    ),
    "benefit": lambda x, b, c: x.read("test_risk", 0, c) - x.read("test_risk", b, c),
    "gap_fall": lambda x, b, c: x.overfit(0, c) - x.overfit(b, c),
    "gain_as_tuned": lambda x, b, c: x.fall("test_risk", x.tuned(c), c),
    "evenness_lost": lambda x, b, c: (
        x.fall("gini_live", b, c) - x.fall("gini_live", x.best("clean", "other"), c, "other")
    ),
    "neurons_lost": lambda x, b, c: (
        x.fall("effective_neurons", x.best("clean", "other"), c, "other") - x.fall("effective_neurons", b, c)
    ),
    "sensitivity_gained": lambda x, b, c: x.added(x.best("clean", "other"), c, "other") - x.added(b, c),
    "local_harm": lambda x, b, c: x.damage(0, c) - x.damage(0, CONTAMINATED[1]),
    "help_lost": lambda x, b, c: x.fall("test_risk", b, CONTAMINATED[1]) - x.fall("test_risk", b, c),
    "optimal_beta": lambda x, b, c: math.log10(x.best(c)) - math.log10(b),
    "input_gradient": lambda x, b, c: math.log(x.read("input_gradient", 0, c) / x.read("input_gradient", b, c)),
    "perturbed_risk": lambda x, b, c: (
        (x.read("test_risk_fgsm", 0, c) - x.read("test_risk", 0, c))
        - (x.read("test_risk_fgsm", b, c) - x.read("test_risk", b, c))
    ),
    "sensitivity": lambda x, b, c: x.damage(b, c) - x.damage(0, c),
    "insensitivity": lambda x, b, c: x.damage(0, c) - x.damage(b, c),
    "robustness": lambda x, b, c: x.read("test_risk", b, c) - x.read("test_risk", 0, c),
    "shift": lambda x, b, c: x.read("prediction_shift", b, c) - x.read("prediction_shift", 0, c),
    "steadiness": lambda x, b, c: x.read("prediction_shift", 0, c) - x.read("prediction_shift", b, c),
    "loss_against_penalty": lambda x, b, c: (
        math.log(max(x.damage(b, c), 0.005)) - math.log(max(x.damage(0, c, loss="huber"), 0.005))
    ),
    "sensitivity_against": lambda x, b, c: x.damage(b, c) - x.damage(x.best("clean", "other"), c, "other"),
    "omission": lambda x, b, c: x.read("memorised_fraction", b, c, "other") - x.read("memorised_fraction", b, c),
    "clean_fall": lambda x, b, c: x.read("test_brier", 0, c) - x.read("test_brier", b, c),
    "clean_rise": lambda x, b, c: x.read("test_brier", b, c) - x.read("test_brier", 0, c),
    "contaminated_fall": lambda x, b, c: x.read("memorised_fraction", 0, c) - x.read("memorised_fraction", b, c),
    "contaminated_rise": lambda x, b, c: x.read("dead_fraction", b, c) - x.read("dead_fraction", 0, c),
}


def study(**other: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One dataset with an arm `net`, under two losses, and an arm `other` with more betas and fewer seeds."""
    plan = pd.concat([arm_plan(losses=("squared", "huber")), arm_plan("other", **{**OTHER, **other})])
    plan = plan.reset_index(drop=True)
    return plan, drawn_runs(plan, seed=5)


def test_every_estimand_that_gives_a_registered_verdict_has_its_formula_here() -> None:
    registered = {one.estimand for one_claim in load(REGISTERED).claims for one in one_claim.parts if one.estimand}
    assert registered <= set(FORMULAS) | {"interaction", "concentration"}  # pooled over seeds: below
    assert set(FORMULAS) <= set(ESTIMANDS.names())


ANY: dict[str, Any] = {
    **{"measure": "test_risk", "against": "other", "match": 9.0},
    **{"gap": {"regression": 0.05}, "floor": 0.005, "than": CONTAMINATED[1]},
}


POOLED: dict[str, tuple[str, Callable[[pd.DataFrame], pd.Series], Callable[[pd.DataFrame], pd.Series]]] = {
    "interaction": (
        "seed",
        lambda wide: wide["validation_risk_contaminated", "off"] - wide["train_risk", "off"],
        lambda wide: wide["test_risk", "off"] - wide["test_risk", "on"],
    ),
    "concentration": (
        "level",
        lambda wide: wide["ablation_share", "off"],
        lambda wide: wide["test_risk", "off"] - wide["train_risk", "off"],
    ),
}
"""One slope a dataset: what has an intercept of its own, x and y."""


def pooled(name: str, runs: pd.DataFrame) -> float:
    """The slope by statsmodels: ordinary least squares with a dummy an intercept."""
    group, x, y = POOLED[name]
    mine = runs[(runs["arm"] == "net") & (runs["loss"] == "squared")]
    clean = mine[(mine["level"] == "clean") & (mine["beta"] > 0)].sort_values(["seed", "validation_risk", "beta"])
    chosen = clean.drop_duplicates("seed").set_index("seed")["beta"]
    on = mine[mine["beta"] == mine["seed"].map(chosen)].assign(side="on")
    both = pd.concat([mine[mine["beta"] == 0].assign(side="off"), on])
    measures = ["test_risk", "train_risk", "validation_risk_contaminated", "ablation_share"]
    wide = both.pivot(index=["seed", "level"], columns="side", values=measures)
    design = pd.get_dummies(wide.index.get_level_values(group)).astype(float).to_numpy()
    return float(sm.OLS(y(wide).to_numpy(), np.column_stack([x(wide), design])).fit().params[0])


@pytest.mark.parametrize("name", sorted(POOLED))
def test_the_mean_over_seeds_of_a_pooled_slope_is_that_of_least_squares(name: str) -> None:
    plan, runs = study()
    found = contrasts(plan, runs, name)
    assert found["ok"].all() and found["theta"].mean() == pytest.approx(pooled(name, runs), abs=1e-12)
    lost = (runs["seed"] == 1) & (runs["level"] == CONTAMINATED[0]) & (runs["beta"] == 0)  # takes its seed with it
    without = contrasts(plan, runs[~lost], name)
    assert list(without["ok"]) == [True, False, True]
    assert without["theta"].mean() == pytest.approx(pooled(name, runs[runs["seed"] != 1]), abs=1e-12)


@pytest.mark.parametrize("name", sorted(POOLED))
def test_the_shares_of_a_pooled_slope_spread_as_the_slope_does(name: str) -> None:
    """Over many draws the standard error that the seeds give agrees with the spread of the slope."""
    plan = arm_plan(seeds=range(12))
    slopes, errors = [], []
    for draw in range(60):
        theta = contrasts(plan, drawn_runs(plan, seed=draw), name)["theta"]
        slopes.append(theta.mean())
        errors.append(theta.sem())
    assert np.mean(errors) == pytest.approx(np.std(slopes), rel=0.3)


def test_the_level_that_another_is_compared_with_has_to_be_planned() -> None:
    plan, runs = study()
    found = contrasts(plan, runs, "help_lost", {"than": "sym@0.2"})
    assert set(found["reason"]) == {"sym@0.2 not planned"}


def test_a_beta_at_the_end_and_two_useless_models_are_told() -> None:
    plan = arm_plan(seeds=(0, 1), levels=("clean", CONTAMINATED[0]))
    runs = drawn_runs(plan).assign(trivial_risk=1.0, test_risk=0.5, validation_risk=0.5)
    runs.loc[(runs["seed"] == 0) & (runs["level"] != "clean"), "test_risk"] = 1.1
    runs.loc[(runs["seed"] == 1) & (runs["beta"] == 0.01), "validation_risk"] = 0.4
    found = contrasts(plan, runs, "robustness").set_index("seed")
    assert found["worse_than_trivial"].to_dict() == {0: True, 1: False}
    assert found["at_end"].to_dict() == {0: True, 1: False}


@pytest.mark.parametrize("name", ESTIMANDS.names())
def test_the_contract_of_an_estimand(name: str) -> None:
    """One's own included: where it has a row, one finite number a seed, whatever the order of the runs."""
    known = ESTIMANDS[name]
    if unknown := sorted(set(known.takes) - set(ANY)):
        pytest.skip(f"no example of the parameter {unknown[0]}: give one in ANY, to have the contract tested")
    parameters = PARAMETERS.get(name, {one: ANY[one] for one in known.takes})
    plan, runs = study()
    found = contrasts(plan, runs, name, parameters)
    assert set(found["level"]) == set(LEVELS[known.levels])
    assert not found.duplicated(["level", "seed"]).any()
    assert found["ok"].all() and np.isfinite(found["theta"]).all()
    shuffled = runs.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(contrasts(plan, shuffled, name, parameters), found)
    without = contrasts(plan, runs[runs["seed"] != 1], name, parameters)
    assert not without.loc[without["seed"] == 1, "ok"].any()
    left = without["seed"] == 0
    if name not in POOLED:
        pd.testing.assert_frame_equal(without[left], found[found["seed"] == 0])


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_theta_is_its_formula_at_the_levels_where_it_lives(name: str) -> None:
    plan, runs = study()
    found = contrasts(plan, runs, name, PARAMETERS.get(name))
    seeds = [0, 1] if "against" in PARAMETERS.get(name, {}) else [0, 1, 2]
    expected = {
        (level, seed): FORMULAS[name](one, one.best("clean"), level)
        for level, seed in itertools.product(LEVELS[ESTIMANDS[name].levels], seeds)
        for one in [ByHand(runs, seed)]
    }
    assert {(row.level, row.seed): row.theta for row in found.itertuples()} == pytest.approx(expected, abs=1e-12)
    assert found["ok"].all()


def test_a_general_estimand_takes_any_measure() -> None:
    plan, runs = study()
    for measure in MEASURES.names():
        found = contrasts(plan, runs, "contaminated_rise", {"measure": measure})
        assert found["ok"].all() and found["theta"].abs().min() > 0, measure


def test_some_registered_estimands_are_cases_of_the_general_ones() -> None:
    plan, runs = study()
    for special, general, measure in (
        ("evenness", "clean_fall", "gini_live_inputs"),
        ("robustness", "contaminated_rise", "test_risk"),
        ("steadiness", "contaminated_fall", "prediction_shift"),
    ):
        parameters = {"measure": measure}
        case = contrasts(plan, runs, special, parameters if "measure" in ESTIMANDS[special].takes else None)
        pd.testing.assert_frame_equal(contrasts(plan, runs, general, parameters), case)


def literal(theta: str, parameters: dict[str, Any] | None = None, **columns: dict[tuple[float, str], float]) -> float:
    """Theta of one seed whose measures are all 0.5 but those that are given, {(beta, level): value}."""
    plan = arm_plan(seeds=(0,))
    runs = drawn_runs(plan).assign(test_risk=0.5, train_risk=0.5, validation_risk_contaminated=0.5)
    runs["validation_risk"] = np.where(runs["beta"] == 0.01, 0.2, 0.21)
    for column, values in columns.items():
        for (beta, level), value in values.items():
            runs.loc[(runs["beta"] == beta) & (runs["level"] == level), column] = value
    (found,) = contrasts(plan, runs, theta, parameters)["theta"]
    return float(found)


def test_a_pooled_slope_in_numbers() -> None:
    # Gaps .1, .2 and .4, benefits .01, .03 and .07: exactly .2 of each further unit.
    gaps, benefits = {"clean": 0.1, CONTAMINATED[0]: 0.2, CONTAMINATED[1]: 0.4}, (0.01, 0.03, 0.07)
    validation = {(0.0, level): 0.5 + gap for level, gap in gaps.items()}
    test = {(0.01, level): 0.5 - benefit for level, benefit in zip(gaps, benefits, strict=True)}
    assert literal("interaction", validation_risk_contaminated=validation, test_risk=test) == pytest.approx(0.2)


def test_half_the_gradient_is_log_two() -> None:
    gradient = {(0.0, "clean"): 0.8, (0.01, "clean"): 0.4}
    assert literal("input_gradient", input_gradient=gradient) == pytest.approx(math.log(2))


def reasons(found: pd.DataFrame) -> dict[int, str]:
    return dict(zip(found["seed"], found["reason"], strict=True))


class TestInteraction:
    def test_needs_a_gap_that_varies(self) -> None:
        plan = arm_plan()
        flat = drawn_runs(plan).assign(validation_risk_contaminated=0.7, train_risk=0.3)
        reason = "nothing varies that the slope could rest on"
        assert set(contrasts(plan, flat, "interaction")["reason"]) == {reason}
        clean = arm_plan(levels=("clean",))
        assert set(contrasts(clean, drawn_runs(clean), "interaction")["reason"]) == {reason}

    def test_takes_no_line_through_the_levels_that_happen_to_be_there(self) -> None:
        plan = arm_plan()
        runs = drawn_runs(plan)
        lost = (runs["level"] == CONTAMINATED[1]) & (runs["beta"] == 0) & (runs["seed"] == 1)
        assert reasons(contrasts(plan, runs[~lost], "interaction")) == {0: "", 1: "run absent", 2: ""}


class TestOptimalBeta:
    def runs(self, **risks: float) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Clean rows choose .01; vertical outliers, what `risks` says: {"r0.01": risk at beta .01}."""
        plan = arm_plan(levels=("clean", CONTAMINATED[0]), seeds=(0, 1))
        runs = drawn_runs(plan)
        dirty = runs["level"] != "clean"
        runs["validation_risk"] = np.where(runs["beta"] == 0.01, 0.2, 0.21)
        for beta, risk in risks.items():
            runs.loc[dirty & (runs["beta"] == float(beta.removeprefix("r"))), "validation_risk"] = risk
        return plan, runs

    def theta(self, **risks: float) -> list[float]:
        found = contrasts(*self.runs(**risks), "optimal_beta")
        assert found["slope"].isna().all()
        return list(found["theta"])

    def test_counts_decades_and_ties_go_to_the_largest(self) -> None:
        assert self.theta(**{"r0.1": 0.1}) == pytest.approx([1.0, 1.0])
        assert self.theta(**{"r0.1": 0.2}) == pytest.approx([1.0, 1.0])
        assert self.theta(**{"r0.1": 0.3}) == [0.0, 0.0]

    def test_beta_zero_is_no_candidate(self) -> None:
        assert self.theta(**{"r0.0": 0.0}) == [0.0, 0.0]

    def test_does_not_ask_whether_the_best_has_converged(self) -> None:
        plan, runs = self.runs(**{"r0.1": 0.1})
        assert contrasts(plan, runs.assign(gradient_ratio=0.9), "optimal_beta")["ok"].all()

    def test_a_diverged_run_is_never_best_and_an_absent_one_leaves_it_open(self) -> None:
        plan, runs = self.runs(**{"r0.1": 0.1})
        at = (runs["beta"] == 0.1) & (runs["level"] != "clean")
        diverged = runs.copy()
        diverged.loc[at & (runs["seed"] == 0), "status"] = "diverged"
        assert list(contrasts(plan, diverged, "optimal_beta")["theta"]) == pytest.approx([0.0, 1.0])
        assert reasons(contrasts(plan, runs[~(at & (runs["seed"] == 0))], "optimal_beta")) == {0: "run absent", 1: ""}
        dead = runs.copy()
        dead.loc[(runs["beta"] > 0) & (runs["seed"] == 1), "status"] = "diverged"
        assert reasons(contrasts(plan, dead, "optimal_beta")) == {0: "", 1: "run diverged"}


class TestSameFit:
    PARAMETERS = PARAMETERS["matched_evenness"] | {"match": 0.05}

    def found(self, mine: float, **theirs: float) -> pd.DataFrame:
        plan, runs = study()
        runs["train_loss"] = mine
        for beta, loss in theirs.items():
            at = (runs["arm"] == "other") & (runs["beta"] == float(beta.removeprefix("r")))
            runs.loc[at, "train_loss"] = loss
        runs.loc[runs["arm"] == "other", "feature_gini"] = runs["beta"]  # theta tells which beta was taken
        runs.loc[runs["arm"] == "net", "feature_gini"] = 0.0
        return contrasts(plan, runs, "matched_evenness", self.PARAMETERS)

    def test_the_nearest_loss_is_taken_and_its_penalty_is_on(self) -> None:
        found = self.found(1.0, **{"r0.0": 1.0, "r0.01": 1.04, "r0.05": 0.97, "r0.1": 2.0})
        assert list(found["theta"]) == [0.05, 0.05]

    def test_ties_go_to_the_largest_beta(self) -> None:
        found = self.found(1.0, **{"r0.01": 1.03125, "r0.05": 0.96875, "r0.1": 2.0})
        assert list(found["theta"]) == [0.05, 0.05]

    def test_no_seed_counts_without_a_match(self) -> None:
        found = self.found(1.0, **{"r0.01": 1.06, "r0.05": 0.94, "r0.1": 2.0})
        assert reasons(found) == {0: "no matching fit", 1: "no matching fit"}
        assert self.found(1.0, **{"r0.01": 1.049, "r0.05": 0.9, "r0.1": 2.0})["ok"].all()

    def test_a_lost_candidate_is_not_the_nearest(self) -> None:
        plan, runs = study()
        runs["train_loss"] = 1.0
        runs["feature_gini"] = runs["beta"] * (runs["arm"] == "other")
        lost = (runs["arm"] == "other") & (runs["beta"] == 0.1)
        runs.loc[lost, "status"] = "diverged"
        assert list(contrasts(plan, runs, "matched_evenness", self.PARAMETERS)["theta"]) == [0.05, 0.05]

    def test_a_match_may_be_unconverged_and_outside_the_band(self) -> None:
        plan, runs = study()
        other = (runs["arm"] == "other") & (runs["beta"] > 0)
        runs.loc[other, ["validation_risk", "gradient_ratio"]] = 0.9
        assert contrasts(plan, runs, "matched_evenness", PARAMETERS["matched_evenness"])["ok"].all()


def test_the_same_beta_has_to_be_in_both_arms() -> None:
    plan, runs = study(betas=(0.0, 0.01))
    runs["validation_risk"] = np.where((runs["beta"] == 0.1) == (runs["seed"] == 1), 0.2, 0.21)
    found = contrasts(plan, runs, "omission", PARAMETERS["omission"])
    assert reasons(found[found["level"] == CONTAMINATED[0]]) == {0: "", 1: "beta not in both arms"}
    assert dict(zip(found["seed"], found["beta"], strict=True)) == {0: 0.01, 1: 0.1}


def test_no_run_needs_a_certificate_or_a_place_in_the_band() -> None:
    plan, runs = study()
    runs.loc[runs["beta"] > 0, ["gradient_ratio", "decay_exposure", "validation_risk"]] = [1.0, 1e-9, 0.9]
    for name in ESTIMANDS.names():
        parameters = PARAMETERS.get(name, {one: ANY.get(one) for one in ESTIMANDS[name].takes})
        assert contrasts(plan, runs, name, parameters)["ok"].all(), name


class TestArms:
    AGAINST = PARAMETERS["sparsity_against"]

    def test_seeds_that_one_arm_did_not_plan_are_no_loss(self) -> None:
        both = arm_plan("other", **{**OTHER, "datasets": list("abcdef")})
        plan = pd.concat([arm_plan(seeds=range(10), datasets=list("abcdef")), both], ignore_index=True)
        found = contrasts(plan, drawn_runs(plan), "sparsity_against", self.AGAINST)
        assert set(found["seed"]) == {0, 1} and found["ok"].all()
        one = part(estimand="sparsity_against", parameters=self.AGAINST, unit={"regression": "u"})
        one |= {"scale": {"regression": 1}, "delta": {"regression": 1}}
        entry = judge(found, registration(claim(parts=[one], architectures=["net"])))["claims"][0]
        assert (entry["dropped"], entry["unused"], entry["n_datasets"]) == ({}, {}, 6)

    def test_a_dataset_or_level_that_one_arm_lacks_is_not_planned(self) -> None:
        plan = pd.concat(
            [arm_plan(datasets=("one", "two")), arm_plan("other", **OTHER, levels=("clean", CONTAMINATED[0]))]
        )
        found = contrasts(plan.reset_index(drop=True), drawn_runs(plan), "omission", PARAMETERS["omission"])
        assert set(zip(found["dataset"], found["level"], strict=True)) == {("one", CONTAMINATED[0])}

    def test_an_arm_that_is_absent_ends_in_a_sentence(self) -> None:
        plan = arm_plan(datasets=list("abcdef"))
        one = part(estimand="sparsity_against", parameters=self.AGAINST)
        settings = registration(claim(parts=[one], architectures=["net"]), claim("y", architectures=["placebo"]))
        found = estimate(Evidence(plan, drawn_runs(plan), settings, {"vert": "target"}, dict.fromkeys("abcdef", False)))
        assert found.empty
        first, second = judge(found, settings)["claims"]
        assert first["verdict"] == second["verdict"] == "inconclusive (too few datasets)"
        told = "This study cannot judge it: no dataset was planned for which it trains both net and other "
        assert first["sentence"] == f"{told}under cross-entropy or squared loss, and 5 are needed."
        assert "for which it trains placebo under " in second["sentence"]
        assert first["arms"] == {"own": ["net"], "against": ["other"]}

    def test_arms_that_a_claim_does_not_list_are_for_a_map_alone(self) -> None:
        plan = pd.concat([arm_plan(), arm_plan("unlisted", penalty="l1")], ignore_index=True)
        runs = drawn_runs(plan)
        assert set(contrasts(plan, runs, "robustness")["arm"]) == {"net"}
        mapped = contrasts(plan, runs, "robustness", strata=["target"])
        assert set(mapped["arm"]) == {"net", "unlisted"}
        plan, runs = study()
        compared = contrasts(plan, runs, "omission", PARAMETERS["omission"], strata=["target"])
        assert set(compared["arm"]) == {"net"}


def test_kinds_keep_a_part_to_some_contaminations() -> None:
    plan, runs = study()
    assert contrasts(plan, runs, "robustness", {"kinds": ["badlev"]}).empty
    assert set(contrasts(plan, runs, "effective_neurons", {"kinds": ["badlev"]})["level"]) == {"clean"}
    assert set(contrasts(plan, runs, "robustness", {"kinds": ["vert"]})["level"]) == set(CONTAMINATED)


# (estimand, measure that it reads): a measure rests on other runs, whichever estimand reads it.
OF_SHIFTS = [
    ("shift", None),
    ("steadiness", None),
    ("contaminated_fall", "prediction_shift"),
    ("contaminated_rise", "prediction_shift_relative"),
]
OF_SELECTIVITY = [("selectivity", None), ("clean_fall", "selectivity"), ("clean_rise", "selectivity")]


def usable(plan: pd.DataFrame, runs: pd.DataFrame, estimand: str, measure: str | None = None) -> list[tuple[Any, ...]]:
    """(level, seed, reason) of each contrast."""
    found = contrasts(plan, runs, estimand, {"measure": measure} if measure else None)
    return list(zip(found["level"], found["seed"], found["reason"], strict=True))


@pytest.mark.parametrize(("estimand", "measure"), OF_SHIFTS)
@pytest.mark.parametrize(
    ("beta", "reason", "spoilt"),
    [
        (0.1, "run diverged", {"status": "diverged"}),
        (0.0, "run diverged", {"status": "diverged"}),
        (0.1, "run absent", {}),
        (0.0, "run absent", {}),
    ],
)
def test_a_shift_is_usable_where_damage_is(
    estimand: str, measure: str | None, beta: float, reason: str, spoilt: dict[str, Any]
) -> None:
    """Both compare with the runs on clean rows: without those neither g1's contrast nor g3's can be used."""
    plan = arm_plan()
    runs = drawn_runs(plan).assign(validation_risk=0.5)  # ties: every seed chooses .1
    runs.loc[runs["beta"] == 0.0, "validation_risk"] = 0.49  # within the band of it
    lost = (runs["beta"] == beta) & (runs["seed"] == 1) & (runs["level"] == "clean")
    for column, value in spoilt.items():
        runs.loc[lost, column] = value
    if beta > 0:  # else validation would choose another beta
        runs = runs[(runs["beta"] == 0) | (runs["beta"] == beta)]
        plan = plan[(plan["beta"] == 0) | (plan["beta"] == beta)].reset_index(drop=True)
        lost = lost[runs.index]
    runs = runs if spoilt else runs[~lost]
    expected = [(level, seed, reason if seed == 1 else "") for level in CONTAMINATED for seed in (0, 1, 2)]
    assert usable(plan, runs, "sensitivity") == expected
    assert usable(plan, runs, estimand, measure) == expected


@pytest.mark.parametrize(("estimand", "measure"), OF_SELECTIVITY)
def test_selectivity_rests_on_the_run_at_beta_zero_too(estimand: str, measure: str | None) -> None:
    plan = arm_plan()
    runs = drawn_runs(plan)
    lost = (runs["beta"] == 0) & (runs["seed"] == 1)
    assert usable(plan, runs[~lost], estimand, measure) == [
        ("clean", seed, "run absent" * (seed == 1)) for seed in range(3)
    ]
    diverged = runs.assign(status=np.where(lost, "diverged", "ok"))
    assert usable(plan, diverged, estimand, measure) == [
        ("clean", seed, "run diverged" * (seed == 1)) for seed in range(3)
    ]


def test_the_other_arms_clean_run_counts_where_its_shift_is_read() -> None:
    plan, runs = study()
    parameters = {"against": "other", "measure": "prediction_shift", "match": 9.0}
    runs.loc[(runs["arm"] == "other") & (runs["beta"] == 0), "status"] = "diverged"
    assert contrasts(plan, runs, "matched_evenness", parameters)["ok"].all()
    parameters["measure"] = "selectivity"
    assert set(contrasts(plan, runs, "matched_evenness", parameters)["reason"]) == {"run diverged"}


def test_a_measure_that_is_not_there_is_a_row_with_its_reason() -> None:
    plan = arm_plan(seeds=(0, 1))
    runs = drawn_runs(plan)
    runs.loc[(runs["seed"] == 0) & (runs["level"] == "clean"), "ablation_share"] = np.nan
    found = contrasts(plan, runs, "ablation_share").query("level == 'clean'")
    assert reasons(found) == {0: "effect is not a finite number", 1: ""}
    assert list(found["ok"]) == [False, True]


def test_the_models_behind_a_claim_are_those_that_its_estimands_read() -> None:
    plan, runs = study()

    def behind(estimand: str) -> int:
        one = part(estimand=estimand, parameters=PARAMETERS.get(estimand, {}))
        rows = contrasts(plan, runs, estimand, PARAMETERS.get(estimand)).assign(claim="x")
        return runs_behind(rows, runs, registration(claim(parts=[one], architectures=["net"])))["x"]

    per_level = 3 * 3  # betas and seeds of `net`, under the one of its losses that is read
    assert behind("shrinkage") == per_level
    assert behind("robustness") == 3 * per_level
    assert behind("interaction") == 3 * per_level
    assert behind("loss_against_penalty") == 2 * 3 * per_level
    assert behind("sparsity_against") == 3 * 2 + 4 * 2  # betas at the seeds of both; then those of `other`


def test_the_gate_is_for_claims_and_a_placebo_does_without() -> None:
    rows = effects(spread(-3, 0.5, 8), active=False, seeds=(-0.01, 0.01, 0.0, 0.0))
    assert judge(rows, registration())["claims"][0]["verdict"] == "inconclusive (L2 inactive)"


PLACEBO = {
    "family": "control",
    "gate": False,
    "expects": ["no meaningful effect", "refuted (excluded)", "mixed", "inconclusive"],
}


class TestPlacebo:
    def control(self, scores: list[float], seeds: tuple[float, ...] = (-0.01, 0.01, 0.0, 0.0)) -> dict[str, Any]:
        rows = effects(scores, active=False, seeds=seeds)
        (entry,) = judge(rows, registration(claim(**PLACEBO)))["controls"]
        return entry

    def test_nothing_comes_of_nothing(self) -> None:
        entry = self.control(spread(0, 0.3, 10))
        assert (entry["verdict"], entry["outcome"]) == ("no meaningful effect", "passed")

    @pytest.mark.parametrize(("mean", "verdict"), [(3.0, "supported"), (-3.0, "refuted (reversed)")])
    def test_an_effect_either_way_fails(self, mean: float, verdict: str) -> None:
        entry = self.control(spread(mean, 0.5, 10))
        assert (entry["verdict"], entry["outcome"]) == (verdict, "failed")

    @pytest.mark.parametrize(("mean", "sd"), [(0.0, 3.0), (-0.6, 0.9)])
    def test_an_interval_that_is_too_wide_is_underpowered_and_fails_nothing(self, mean: float, sd: float) -> None:
        wide = (-5, 5, -5, 5)
        entry = self.control(spread(mean, sd, 10), wide)
        assert entry["verdict"] in ("inconclusive", "refuted (excluded)")
        assert entry["outcome"] == "underpowered"
        assert entry["sentence"].startswith("Underpowered: averaged over 10 datasets, the effect is ")
        assert entry["sentence"].endswith("smaller than 1.0, the smallest effect that counts, either way.")
        found = judge(effects(spread(mean, sd, 10), seeds=wide), registration(claim(**PLACEBO)))
        assert found["controls_hold"]

    def test_split_datasets_are_not_what_it_is_there_to_show(self) -> None:
        entry = self.control([4.0] * 5 + [-4.0] * 5)
        assert (entry["verdict"], entry["outcome"]) == ("mixed", "underpowered")

    def test_an_arm_that_is_absent_was_not_run(self) -> None:
        entry = self.control([])
        assert (entry["verdict"], entry["outcome"]) == ("inconclusive (too few datasets)", "not run")
        assert entry["sentence"].startswith("This study cannot judge it: no dataset was planned")

    def test_too_few_datasets_keep_their_sentence(self) -> None:
        entry = self.control([0.0] * 3)
        assert entry["outcome"] == "underpowered"
        assert entry["sentence"].startswith("This study cannot judge it: 3 of 3 planned datasets")
