"""Effects from constructed runs, against contrasts computed by hand, one seed at a time, in plain Python."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from judging import registration
from l2audit.effects.estimands import ESTIMANDS, Estimand
from l2audit.effects.evidence import Evidence, stratum_of
from l2audit.effects.table import EFFECT_KEY, estimate, summarise
from l2audit.measures import MEASURES

BETAS = [0.0, 0.01, 0.1]
SEEDS = [0, 1, 2]
LEVELS = {"clean": ("clean", 0.0, 0.0), "vert@0.1,10": ("vert", 0.1, 10.0), "badlev@0.1,10": ("badlev", 0.1, 10.0)}
COLLINEAR = {"one": True, "two": False}
STRATA = {"vert": "target", "badlev": "leverage", "sym": "label"}
DELTA = {"regression": 0.02}
ARM = {"architecture": "linear", "penalty": "l2", "optimizer": "exact", "scaling": "clean"}


def claim(**changes):
    part = {
        "id": "p",
        "estimand": "robustness",
        "statement": "s",
        "parameters": {},
        "unit": {"regression": "nRMSE"},
        "scale": {"regression": 1},
        "delta": DELTA,
        "reason": "r",
        **changes.pop("part", {}),
    }
    return {
        "id": "x",
        "question": "q?",
        "quote": "q",
        "author": "a",
        "family": "claims",
        "role": "study",
        "architectures": ["linear"],
        "strata": ["target", "leverage-collinear", "leverage-other"],
        "parts": [part],
        **changes,
    }


def plan_of(losses=("squared",), datasets=("one", "two")):
    return pd.DataFrame(
        [
            {
                "role": "study",
                "dataset": dataset,
                "task": "regression",
                "arm": "linear",
                "primary": True,
                **ARM,
                "loss": loss,
                "level": level,
                "kind": kind,
                "rate": rate,
                "magnitude": magnitude,
                "beta": beta,
                "seed": seed,
            }
            for dataset, loss, (level, (kind, rate, magnitude)), beta, seed in itertools.product(
                datasets, losses, LEVELS.items(), BETAS, SEEDS
            )
        ]
    )


def runs_of(plan: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    n = len(plan)
    return plan.drop(columns=["role", "primary", "kind", "rate", "magnitude"]).assign(
        status="ok",
        test_risk=random.uniform(0.2, 1.0, n),
        train_risk=random.uniform(0.0, 0.2, n),
        validation_risk=random.uniform(0.2, 0.21, n),
        weight_norm=np.where(plan["beta"] == 0, 2.0, 1.0),
        memorised_fraction=np.nan,
        trivial_risk=1.0,
        gradient_ratio=np.where(plan["beta"] == 0, 1.0, 0.001),
        balance=np.nan,
        decay_exposure=np.where(plan["beta"] == 0, 0.0, np.inf),
    )


def evidence(plan, runs, *claims) -> Evidence:
    return Evidence(plan, runs, registration(*(claims or [claim()])), STRATA, COLLINEAR)


def by_hand(runs: pd.DataFrame):
    """Reader and chosen beta, written without arrays."""
    table = {(row.dataset, row.loss, row.level, row.beta, row.seed): row for row in runs.itertuples(index=False)}

    def chosen(dataset, seed):
        risks = {beta: table[dataset, "squared", "clean", beta, seed].validation_risk for beta in BETAS[1:]}
        least = min(risks.values())
        return max(beta for beta, risk in risks.items() if risk == least)

    return table, chosen


@pytest.mark.parametrize("estimand", ["robustness", "sensitivity"])
def test_contrasts_match_hand_calculation(estimand: str) -> None:
    plan = plan_of()
    runs = runs_of(plan)
    effects = estimate(evidence(plan, runs, claim(part={"estimand": estimand})))
    table, chosen = by_hand(runs)
    assert len(effects) == 2 * 2 * 3
    assert effects["ok"].all() and effects["active"].all()
    for row in effects.itertuples():

        def risk(beta, level, row=row):
            return table[row.dataset, "squared", level, beta, row.seed].test_risk

        b = chosen(row.dataset, row.seed)
        expected = risk(b, row.level) - risk(0.0, row.level)
        if estimand == "sensitivity":
            expected -= risk(b, "clean") - risk(0.0, "clean")
        assert row.theta == pytest.approx(expected, abs=1e-12)
        assert row.beta == b


def test_leverage_is_split_by_the_data_card() -> None:
    plan = plan_of()
    effects = estimate(evidence(plan, runs_of(plan)))
    found = set(zip(effects["dataset"], effects["stratum"], strict=True))
    assert found == {
        ("one", "target"),
        ("one", "leverage-collinear"),
        ("two", "target"),
        ("two", "leverage-other"),
    }
    assert stratum_of("clean", STRATA, True) == "clean"


def test_ties_choose_the_largest_beta() -> None:
    plan = plan_of()
    runs = runs_of(plan).assign(validation_risk=0.5)
    effects = estimate(evidence(plan, runs))
    assert (effects["beta"] == 0.1).all()


def test_missing_and_diverged_runs_are_rows_with_their_reason() -> None:
    plan = plan_of(datasets=("one",))
    runs = runs_of(plan).assign(validation_risk=0.5)
    at = (runs["level"] == "vert@0.1,10") & (runs["beta"] == 0.1)
    runs.loc[at & (runs["seed"] == 0), "status"] = "diverged"
    runs.loc[at & (runs["seed"] == 1), "gradient_ratio"] = 0.5  # nobody asks whether it has converged
    runs = runs[~(at & (runs["seed"] == 2))]
    effects = estimate(evidence(plan, runs))
    vert = effects[effects["level"] == "vert@0.1,10"].set_index("seed")
    assert dict(vert["reason"]) == {0: "run diverged", 1: "", 2: "run absent"}
    assert list(vert["ok"]) == [False, True, False] == list(vert["theta"].notna())
    assert effects.loc[effects["level"] == "badlev@0.1,10", "ok"].all()


def asking(plan: pd.DataFrame, runs: pd.DataFrame, **asked: bool) -> Evidence:
    """Evidence that asks more of a penalised run than the registration does, as the specification curve may."""
    found = evidence(plan, runs)
    for by_loss in found.grids.values():
        for loss, grid in by_loss.items():
            by_loss[loss] = replace(grid, thresholds=replace(grid.thresholds, **asked))
    return found


def test_a_certificate_or_a_place_in_the_band_may_be_asked() -> None:
    plan = plan_of(datasets=("one",))
    runs = runs_of(plan).assign(validation_risk=plan["beta"].map({0.0: 0.4, 0.01: 0.5, 0.1: 0.5}))
    runs.loc[(runs["beta"] > 0) & (runs["seed"] == 1), "gradient_ratio"] = 0.5
    assert set(estimate(asking(plan, runs))["reason"]) == {""}
    assert set(estimate(asking(plan, runs, in_band=True))["reason"]) == {"no beta in the judged band"}
    found = estimate(asking(plan, runs, certified=True))
    assert set(zip(found["seed"], found["reason"], strict=True)) == {(0, ""), (1, "not converged"), (2, "")}


def diverged(runs: pd.DataFrame, where: str) -> pd.DataFrame:
    """The same runs; those that `where` names have diverged, and still have their numbers (no shard writes that)."""
    found = runs.copy()
    found.loc[found.eval(where), "status"] = "diverged"
    return found


def test_a_diverged_run_is_not_chosen_however_low_the_risk_it_seems_to_have() -> None:
    plan = plan_of(datasets=("one",))
    runs = runs_of(plan).assign(validation_risk=plan["beta"].map({0.0: 0.3, 0.01: 0.25, 0.1: 0.2}))
    assert set(estimate(evidence(plan, runs))["beta"]) == {0.1}
    lost = diverged(runs, "beta == 0.1 and level == 'clean' and seed == 1")
    found = estimate(evidence(plan, lost))
    assert dict(zip(found["seed"], found["beta"], strict=True)) == {0: 0.1, 1: 0.01, 2: 0.1}
    # The band is drawn around the best run that did not diverge: .25 is then inside.
    assert set(found[found["seed"] == 1]["reason"]) == {""}
    assert set(found[found["seed"] != 1]["reason"]) == {""}


def test_the_band_is_not_drawn_around_a_diverged_run() -> None:
    plan = plan_of(datasets=("one",))
    runs = runs_of(plan).assign(validation_risk=plan["beta"].map({0.0: 0.1, 0.01: 0.3, 0.1: 0.3}))
    found = estimate(asking(plan, runs, in_band=True))
    assert set(found["reason"]) == {"no beta in the judged band"}
    lost = diverged(runs, "beta == 0 and level == 'clean'")
    assert estimate(asking(plan, lost, in_band=True))["ok"].all()


@pytest.mark.parametrize(
    "estimand", sorted({*ESTIMANDS.names()} - {"concentration", "local_harm"})
)  # read beta = 0 alone
def test_a_seed_whose_penalised_runs_all_diverged_is_a_row_with_its_reason(estimand: str) -> None:
    known = ESTIMANDS[estimand]
    values = {"measure": "test_risk", "gap": {"regression": 0.05}, "floor": 0.005, "against": "other", "match": 9.0}
    values["than"] = "clean"
    part = {"estimand": estimand, "parameters": {name: values[name] for name in known.takes}}
    plan = plan_of(losses=("squared", "huber"), datasets=("one",))
    runs = runs_of(plan).assign(**dict.fromkeys(MEASURES.names(), 0.5), train_loss=0.5)
    lost = diverged(runs, "beta > 0 and seed == 1 and loss == 'squared'")
    registered = registration(claim(part=part, strata=[]))
    if "against" in known.takes:  # the one arm there is, which no registration may name
        registered.claims[0].parts[0].parameters["against"] = "linear"
    found = estimate(Evidence(plan, lost, registered, STRATA, COLLINEAR))
    assert set(found.loc[found["seed"] == 1, "reason"]) == {"run diverged"}
    assert "run diverged" not in set(found.loc[found["seed"] != 1, "reason"])
    summary = summarise(evidence(plan, lost))
    shares = summary.query("level == 'clean' and loss == 'squared'").set_index("beta")
    assert shares["chosen"].sum() == pytest.approx(2 / 3)  # such a seed has chosen nothing
    assert shares["in_band"].max() <= 2 / 3


def test_no_run_that_diverged_is_certified() -> None:
    plan = plan_of(datasets=("one",))
    (grids,) = evidence(plan, diverged(runs_of(plan), "seed == 1")).grids.values()
    assert not grids["squared"].certified[..., 1].any()
    assert grids["squared"].certified[..., [0, 2]].all()


def test_an_unpenalised_run_needs_no_certificate() -> None:
    plan = plan_of()
    runs = runs_of(plan)
    assert (runs.loc[runs["beta"] == 0, "gradient_ratio"] == 1).all()
    assert estimate(evidence(plan, runs))["ok"].all()


def test_an_idle_penalty_is_not_active() -> None:
    plan = plan_of()
    same_norm = runs_of(plan).assign(weight_norm=1.0)
    assert not estimate(evidence(plan, same_norm))["active"].any()
    short = runs_of(plan).assign(decay_exposure=0.5)
    assert not estimate(evidence(plan, short))["active"].any()


def test_benefit_is_for_overfit_seeds_and_judged_on_test_rows() -> None:
    plan = plan_of(datasets=("one",))
    runs = runs_of(plan).assign(train_risk=0.1)
    zero = (runs["beta"] == 0) & (runs["level"] == "clean")
    runs.loc[zero & (runs["seed"] == 1), "train_risk"] = runs.loc[zero & (runs["seed"] == 1), "validation_risk"]
    part = {"estimand": "benefit", "parameters": {"gap": {"regression": 0.05}}}
    effects = estimate(evidence(plan, runs, claim(part=part, strata=[]))).set_index("seed")
    assert effects.loc[1, "reason"] == "not overfit"
    table, chosen = by_hand(runs)
    for seed in (0, 2):
        read = {b: table["one", "squared", "clean", b, seed].test_risk for b in BETAS}
        assert effects.loc[seed, "theta"] == pytest.approx(read[0.0] - read[chosen("one", seed)])


def test_shrinkage() -> None:
    plan = plan_of()
    effects = estimate(evidence(plan, runs_of(plan), claim(part={"estimand": "shrinkage"}, strata=[])))
    assert np.allclose(effects["theta"], math.log(2)) and set(effects["stratum"]) == {"all"}


def test_loss_against_penalty_floors_damage_and_keeps_to_its_kinds() -> None:
    plan = plan_of(losses=("squared", "huber"), datasets=("one",))
    runs = runs_of(plan)
    part = {"estimand": "loss_against_penalty", "parameters": {"kinds": ["vert"], "floor": 0.005}}
    effects = estimate(evidence(plan, runs, claim(part=part, strata=[])))
    table, chosen = by_hand(runs)
    assert set(effects["level"]) == {"vert@0.1,10"}
    for row in effects.itertuples():

        def damage(loss, beta, row=row):
            read = table[row.dataset, loss, row.level, beta, row.seed].test_risk
            return max(read - table[row.dataset, loss, "clean", beta, row.seed].test_risk, 0.005)

        plain = damage("squared", 0.0)
        expected = math.log(plain / damage("huber", 0.0)) - math.log(plain / damage("squared", chosen("one", row.seed)))
        assert row.theta == pytest.approx(expected)


def test_a_claim_passes_over_datasets_that_lack_a_loss_it_needs() -> None:
    plan = plan_of()
    part = {"estimand": "loss_against_penalty", "parameters": {"floor": 0.005}}
    assert estimate(evidence(plan, runs_of(plan), claim(part=part, strata=[]))).empty


def test_order_of_runs_and_plan_does_not_matter() -> None:
    plan = plan_of()
    runs = runs_of(plan)
    first = estimate(evidence(plan, runs))
    shuffled = estimate(evidence(plan.sample(frac=1, random_state=1), runs.sample(frac=1, random_state=2)))
    pd.testing.assert_frame_equal(first, shuffled)
    assert not first.duplicated(EFFECT_KEY).any()


def test_a_run_outside_the_plan_is_refused() -> None:
    plan = plan_of()
    runs = runs_of(plan)
    runs.loc[0, "beta"] = 0.5
    with pytest.raises(ValueError, match="outside the planned grid"):
        estimate(evidence(plan, runs))


def test_summary_means_and_shares() -> None:
    plan = plan_of(datasets=("one",))
    runs = runs_of(plan)
    runs.loc[(runs["level"] == "clean") & (runs["beta"] == 0.1) & (runs["seed"] == 0), "status"] = "diverged"
    summary = summarise(evidence(plan, runs))
    assert len(summary) == len(LEVELS) * len(BETAS)
    row = summary[(summary["level"] == "clean") & (summary["beta"] == 0.1)].iloc[0]
    used = runs[(runs["level"] == "clean") & (runs["beta"] == 0.1) & (runs["status"] == "ok")]["test_risk"]
    assert row["n_ok"] == 2 and row["n_planned"] == 3
    assert row["test_risk"] == pytest.approx(used.mean())
    assert row["test_risk_se"] == pytest.approx(used.std() / math.sqrt(2))
    assert summary.groupby("level")["chosen"].sum().eq(1).all()


SLOPE_BETAS = [0.0, 0.001, 0.01, 0.1]


def test_slopes_are_those_of_polyfit_over_the_judged_band() -> None:
    plan = pd.concat(
        [plan_of().query("beta != 0.01").replace({"beta": {0.1: beta}}) for beta in SLOPE_BETAS[1:]]
    ).drop_duplicates(ignore_index=True)
    runs = runs_of(plan)
    outside = runs.eval("dataset == 'one' and beta == 0.1 and seed == 0 and level == 'clean'")
    runs.loc[outside, "validation_risk"] = 0.5  # that beta leaves the band of that seed
    lost = runs.eval("dataset == 'two' and beta in (0.001, 0.1) and seed == 1 and level == 'vert@0.1,10'")
    runs.loc[lost, "status"] = "diverged"  # one beta is left: no slope
    table = {(row.dataset, row.level, row.beta, row.seed): row for row in runs.itertuples(index=False)}
    found = estimate(evidence(plan, runs, claim(part={"estimand": "robustness"})))
    for row in found.itertuples():
        base = table[row.dataset, row.level, 0.0, row.seed].test_risk
        inside = [
            beta
            for beta in SLOPE_BETAS[1:]
            if table[row.dataset, "clean", beta, row.seed].validation_risk < 0.3
            and table[row.dataset, row.level, beta, row.seed].status == "ok"
        ]
        if len(inside) < 2:
            assert math.isnan(row.slope)
            continue
        effects = [table[row.dataset, row.level, beta, row.seed].test_risk - base for beta in inside]
        assert row.slope == pytest.approx(np.polyfit(np.log10(inside), effects, 1)[0], abs=1e-10)
    assert found["slope"].isna().sum() == 1
    assert found.query("dataset == 'one' and seed == 0")["slope"].notna().all()


# Arms: a second way of training the same architecture, on the first two seeds and without one of the levels.
DECAY = {"arm": "adamw", "primary": False, "penalty": "decay"}


def with_an_arm() -> tuple[pd.DataFrame, pd.DataFrame]:
    plan = plan_of()
    arm = plan[(plan["dataset"] == "one") & (plan["seed"] < 2) & (plan["level"] != "badlev@0.1,10")].assign(**DECAY)
    whole = pd.concat([plan, arm], ignore_index=True)
    return whole, runs_of(whole, seed=3)


def test_the_runs_of_another_arm_change_nothing_about_the_primary_ones() -> None:
    plan, runs = with_an_arm()
    primary = plan["primary"]
    parts = ["sensitivity", "robustness", "shrinkage"]
    registered = registration(*(claim(id=name, part={"estimand": name}) for name in parts))
    alone = estimate(Evidence(plan[primary], runs[primary], registered, STRATA, COLLINEAR))
    pd.testing.assert_frame_equal(estimate(Evidence(plan, runs, registered, STRATA, COLLINEAR)), alone)
    pd.testing.assert_frame_equal(
        summarise(Evidence(plan, runs, registered, STRATA, COLLINEAR)),
        summarise(Evidence(plan[primary], runs[primary], registered, STRATA, COLLINEAR)),
    )


def test_a_claim_that_lists_an_arm_is_judged_on_its_runs() -> None:
    plan, runs = with_an_arm()
    found = estimate(evidence(plan, runs, claim(architectures=["adamw"])))
    own = found[found["arm"] == "adamw"]
    alone = plan[~plan["primary"]].assign(primary=True, arm="linear")
    expected = estimate(evidence(alone, runs.loc[alone.index].assign(arm="linear")))
    pd.testing.assert_frame_equal(own.drop(columns="arm").reset_index(drop=True), expected.drop(columns="arm"))
    assert set(found["arm"]) == {"linear", "adamw"}  # the primary ones are there for the map


@pytest.fixture
def rivalry():
    """An estimand for these tests: the risk of the arm that is named, less that of the claim's own, at their betas."""

    def rivalry(runs):
        return runs.against().penalised("test_risk") - runs.penalised("test_risk")

    ESTIMANDS.add("rivalry", Estimand(rivalry, "R' - R", "contaminated", judged_band=True, takes=("against",)))
    yield claim(architectures=["adamw"], part={"estimand": "rivalry", "parameters": {"against": "linear"}})
    del ESTIMANDS._items["rivalry"]


def test_an_arm_is_compared_with_another_seed_by_seed_each_at_its_own_beta(rivalry) -> None:
    plan, runs = with_an_arm()
    found = estimate(evidence(plan, runs, rivalry)).query("arm == 'adamw'")
    assert set(found["level"]) == {"vert@0.1,10"}  # the arm was not planned at the other level
    assert set(found["seed"]) == {0, 1}
    for row in found.itertuples():
        best = {}
        for penalty, mine in runs[(runs["dataset"] == "one") & (runs["seed"] == row.seed)].groupby("penalty"):
            risks = mine.query("level == 'clean' and beta > 0").set_index("beta")["validation_risk"]
            chosen = mine[(mine["level"] == row.level) & (mine["beta"] == risks.idxmin())]
            best[penalty] = chosen["test_risk"].item()
        assert row.theta == pytest.approx(best["l2"] - best["decay"], abs=1e-12)


def test_a_run_that_is_missing_in_the_other_arm_makes_a_contrast_unusable(rivalry) -> None:
    plan, runs = with_an_arm()
    lost = (runs["penalty"] == "l2") & (runs["seed"] == 1) & (runs["beta"] > 0) & (runs["level"] != "clean")
    found = estimate(evidence(plan, runs[~lost], rivalry)).query("arm == 'adamw'")
    assert dict(zip(found["seed"], found["reason"], strict=True)) == {0: "", 1: "run absent"}


def test_an_arm_with_more_seeds_is_compared_on_those_that_both_have(rivalry) -> None:
    plan, runs = with_an_arm()
    turned = {**rivalry, "architectures": ["linear"]}
    turned["parts"] = [{**rivalry["parts"][0], "parameters": {"against": "adamw"}}]
    found = estimate(evidence(plan, runs, turned))
    assert set(found["dataset"]) == {"one"}
    assert {(row.seed, row.reason) for row in found.itertuples()} == {(0, ""), (1, "")}
    there = estimate(evidence(plan, runs, rivalry)).query("arm == 'adamw'")
    np.testing.assert_allclose(found["theta"].dropna(), -there["theta"])


def test_a_lost_run_without_a_penalty_does_not_make_a_penalty_idle_where_nothing_needs_it(rivalry) -> None:
    plan, runs = with_an_arm()
    lost = diverged(runs, "penalty == 'decay' and beta == 0 and seed == 1").assign(decay_exposure=2.0)
    lost.loc[lost["status"] == "diverged", "weight_norm"] = np.nan
    found = estimate(evidence(plan, lost, rivalry)).query("arm == 'adamw'")
    assert found["ok"].all() and found["active"].all()
    short = estimate(evidence(plan, lost.assign(decay_exposure=0.5), rivalry)).query("arm == 'adamw'")
    assert short["ok"].all() and not short["active"].any()
