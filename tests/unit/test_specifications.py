"""The specification curve: every specification against the judge itself, on runs and registrations changed by hand."""

from __future__ import annotations

import copy
import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from judging import claim, parse, part, raw_registration
from l2audit.config.faults import ConfigError
from l2audit.config.reader import Document
from l2audit.config.schema import schema
from l2audit.effects.evidence import Evidence
from l2audit.effects.table import estimate
from l2audit.errors import UserError
from l2audit.judge.rule import VERDICT_CODES
from l2audit.judge.verdicts import decided
from l2audit.seeds import canonical
from l2audit.specifications import load, specify
from l2audit.specifications.choices import AXES, RULES, Choices

CONTAMINATED_RISK = "validation_risk_contaminated"
CONFIG = Path(__file__).parents[2] / "config" / "specifications.yaml"
CHOICES = load(CONFIG)
RAW: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
BETAS = [0.0, 0.01, 0.1, 1.0]
DATASETS = [f"d{k}" for k in range(6)]
LEVELS = ("clean", "vert@0.1,10")
STRATA = {"vert": "target"}
COLLINEAR = dict.fromkeys(DATASETS, False)
DELTA = {"regression": 0.02}
LINEAR = {"arm": "linear", "primary": True, "architecture": "linear", "penalty": "l2", "optimizer": "exact"}
ARMS = {
    "linear": {**LINEAR, "scaling": "clean"},
    "mlp": {**LINEAR, "arm": "mlp", "architecture": "mlp", "optimizer": "adam", "scaling": "clean"},
    "contaminated-scaling": {**LINEAR, "arm": "contaminated-scaling", "primary": False, "scaling": "contaminated"},
}


def raw_claim(estimand: str = "robustness", architectures: tuple[str, ...] = ("linear", "mlp")) -> dict[str, Any]:
    units = {"unit": {"regression": "nRMSE"}, "scale": {"regression": 1}, "delta": DELTA}
    return claim(
        "x", [part(estimand=estimand, parameters={}, **units)], architectures=list(architectures), strata=["target"]
    )


def plan_of(*arms: str) -> pd.DataFrame:
    axes = itertools.product(arms, DATASETS, LEVELS, BETAS, range(4))
    return pd.DataFrame(
        {
            "role": "study",
            "dataset": dataset,
            "task": "regression",
            **ARMS[arm],
            "loss": "squared",
            "level": level,
            "kind": level.partition("@")[0],
            "beta": beta,
            "seed": seed,
        }
        for arm, dataset, level, beta, seed in axes
    )


def runs_of(plan: pd.DataFrame) -> pd.DataFrame:
    """Runs on which no choice is idle: tied risks, stuck runs, two measures and two validation sets that disagree."""
    draw = np.random.default_rng(3)
    n = len(plan)
    penalised = plan["beta"].to_numpy() > 0
    dirty = plan["level"].to_numpy() != "clean"
    effect = np.where(plan["architecture"] == "linear", 0.02, 0.07) * penalised * dirty
    return plan.drop(columns=["role", "primary", "kind"]).assign(
        status="ok",
        test_risk=0.5 + effect + draw.normal(0, 0.02, n),
        test_mse=0.25 + effect / 3 + draw.normal(0, 0.03, n),
        train_risk=0.1,
        validation_risk=np.round(draw.uniform(0.5, 0.56, n), 2),
        **{CONTAMINATED_RISK: draw.uniform(0.5, 0.6, n)},
        weight_norm=np.where(penalised, 1.0, 2.0),
        gradient_ratio=np.where(penalised & (draw.uniform(size=n) < 0.06), 0.2, 0.001),
        balance=np.nan,
        decay_exposure=np.where(penalised, 9.0, 0.0),
    )


def curve_of(plan: pd.DataFrame, runs: pd.DataFrame, raw: dict[str, Any], choices: Choices = CHOICES) -> dict[str, Any]:
    registration = parse(raw_registration(raw))
    evidence = Evidence(plan, runs, registration, STRATA, COLLINEAR)
    return specify(evidence, estimate(evidence), choices)


def by_hand(plan: pd.DataFrame, runs: pd.DataFrame, raw: dict[str, Any], chosen: dict[str, str]) -> tuple[str, ...]:
    """Verdicts of a study that was registered with these choices: runs and registration are edited, nothing else."""
    raw, runs = copy.deepcopy(raw), runs.copy()
    constants: dict[str, Any] = {}
    if chosen["metric"] != "error or nRMSE":
        runs["test_risk"] = runs["test_mse"] / 2
    margin = 0.02 * {"as registered": 1, "half": 0.5, "double": 2, "none": 1e9}[chosen["margin"]]
    constants["band"] = {"regression": margin, "classification": margin}
    for one in raw["parts"]:
        one["delta"] = {"regression": 0.02 * {"as registered": 1, "half": 0.5, "double": 2}[chosen["delta"]]}
    if chosen["convergence"] == "all finite runs":
        constants |= {"gradient_ratio": 1e9, "balance": 1e9}
    if chosen["scaling"] == "contaminated":
        raw["architectures"] = ["contaminated-scaling"]
    elif chosen["architectures"] != "together":
        raw["architectures"] = [chosen["architectures"].removesuffix(" alone")]
    own = plan["arm"].isin(raw["architectures"])
    plan, runs = plan[own], runs[own]
    clean = runs["level"] == "clean"
    for _, seed in runs[clean & (chosen["beta"] != "clean validation")].groupby(["arm", "dataset", "seed"]):
        others = seed[seed["beta"] > 0].sort_values("beta")
        best = seed["validation_risk"].min()
        inside = others[others["validation_risk"] <= best + margin]
        if chosen["beta"] == "clean validation, ties to the smallest":
            tied = others[others["validation_risk"] == others["validation_risk"].min()]
            runs.loc[tied.index[1:], "validation_risk"] += 1e-9
        elif chosen["beta"] == "largest in the band" and len(inside):
            runs.loc[inside.index[-1], "validation_risk"] = best
        elif chosen["beta"] == "contaminated validation":
            assert chosen["margin"] == "none"  # else the band would move with the choice
            where = ["arm", "dataset", "seed", "beta"]
            theirs = runs[~clean].set_index(where).loc[[tuple(row) for row in others[where].itertuples(index=False)]]
            runs.loc[others.index, "validation_risk"] = theirs[CONTAMINATED_RISK].to_numpy()
    registration = parse(raw_registration(raw, **constants))
    effects = estimate(Evidence(plan, runs, registration, STRATA, COLLINEAR))
    _, decision = decided(effects, registration)
    return tuple(VERDICT_CODES[int(code[0])] for code in decision.verdicts[0])


@pytest.fixture(scope="module")
def plan() -> pd.DataFrame:
    return plan_of(*ARMS)


@pytest.fixture(scope="module")
def runs(plan: pd.DataFrame) -> pd.DataFrame:
    return runs_of(plan)


@pytest.fixture(scope="module")
def curve(plan: pd.DataFrame, runs: pd.DataFrame) -> dict[str, Any]:
    return curve_of(plan, runs, raw_claim())


def named(row: dict[str, Any]) -> dict[str, str]:
    return dict(zip(AXES, row["choices"], strict=True))


def test_specifications_are_what_the_judge_says_of_changed_runs(
    plan: pd.DataFrame, runs: pd.DataFrame, curve: dict[str, Any]
) -> None:
    """All that differ from the registered one in one choice, and a dozen others."""
    (found,) = curve["claims"]
    rows = [row for row in found["specifications"] if can_be_done(named(row))]
    first = rows[0]["choices"]
    near = [row for row in rows if sum(a != b for a, b in zip(row["choices"], first, strict=True)) <= 1]
    sample = random.Random(0).sample(rows, 12)
    assert len(near) >= 9
    for row in near + sample:
        assert row["verdict"] == by_hand(plan, runs, raw_claim(), named(row))[0], row["choices"]
    assert len({row["verdict"] for row in sample}) > 2


def parse_choices(raw: object) -> Choices:
    return load(Document("specifications.yaml", raw, {(): 1}))


FEW = parse_choices({**RAW, **{axis: RAW[axis][:1] for axis in ("metric", "beta", "convergence")}})


def can_be_done(chosen: dict[str, str]) -> bool:
    return chosen["beta"] != "contaminated validation" or chosen["margin"] == "none"


def test_every_axis_is_in_play(curve: dict[str, Any]) -> None:
    (found,) = curve["claims"]
    for axis in AXES:
        assert len({named(row)[axis] for row in found["specifications"]}) > 1, axis


def test_the_registered_specification_is_the_judges_verdict(
    plan: pd.DataFrame, runs: pd.DataFrame, curve: dict[str, Any]
) -> None:
    registration = parse(raw_registration(raw_claim()))
    judged, decision = decided(estimate(Evidence(plan, runs, registration, STRATA, COLLINEAR)), registration)
    (found,) = curve["claims"]
    first = found["specifications"][0]
    assert named(first) == {axis: CHOICES[axis][0].name for axis in AXES}
    assert first["verdict"] == found["verdict"] == VERDICT_CODES[int(decision.verdicts[0][0][0])]
    assert first["estimate"] == pytest.approx(np.nanmean(judged[0].scores[0].clipped), rel=1e-5)


def test_counts_are_those_of_the_list(curve: dict[str, Any]) -> None:
    (found,) = curve["claims"]
    verdicts = [row["verdict"] for row in found["specifications"]]
    assert found["of"] == len(verdicts)
    assert found["same"] == verdicts.count(found["verdict"])
    assert found["share"] == found["same"] / found["of"]
    assert found["verdicts"] == {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}


def plain_runs(plan: pd.DataFrame) -> pd.DataFrame:
    """Three deltas of effect in risk, none in MSE; one beta best on all accounts, everything converged."""
    penalised = plan["beta"] > 0
    effect = 0.06 * (penalised & (plan["level"] != "clean")) * (1 + 0.01 * plan["dataset"].str[1].astype(int))
    best = np.where(plan["beta"] == 1.0, 0.5, 0.501)
    return runs_of(plan).assign(
        test_risk=0.5 + effect,
        test_mse=0.25,
        validation_risk=best,
        gradient_ratio=0.001,
        **{CONTAMINATED_RISK: best},
    )


def test_choices_that_change_nothing_are_not_counted() -> None:
    """Six differ: two measures (of three names) and three deltas. The effect is in risk alone: three are supported."""
    plan = plan_of("linear")
    (found,) = curve_of(plan, plain_runs(plan), raw_claim(architectures=("linear",)))["claims"]
    assert {(named(row)["metric"], named(row)["delta"]) for row in found["specifications"]} == set(
        itertools.product(["error or nRMSE", "Brier score or MSE"], ["as registered", "half", "double"])
    )
    assert found["of"] == 6
    assert found["verdicts"] == {"no meaningful effect": 3, "supported": 3}
    assert (found["verdict"], found["same"]) == ("supported", 3)


def test_delta_alone_flips_an_effect_between_one_and_two_deltas() -> None:
    plan = plan_of("linear")
    runs = plain_runs(plan)
    runs["test_risk"] = 0.5 + (runs["test_risk"] - 0.5) / 2
    (found,) = curve_of(plan, runs, raw_claim(architectures=("linear",)))["claims"]
    in_risk = {
        named(row)["delta"]: row["verdict"]
        for row in found["specifications"]
        if named(row)["metric"] == "error or nRMSE"
    }
    assert in_risk == {"as registered": "supported", "half": "supported", "double": "no meaningful effect"}


def test_a_measure_that_the_study_lacks_is_no_choice() -> None:
    """Nothing but risk was measured on perturbed rows."""
    plan = plan_of("linear")
    raw = raw_claim("perturbed_risk", ("linear",))
    raw["strata"] = []
    runs = runs_of(plan).assign(test_risk_fgsm=np.where(plan["beta"] > 0, 0.6, 0.9))
    (found,) = curve_of(plan, runs, raw)["claims"]
    assert {named(row)["metric"] for row in found["specifications"]} == {"error or nRMSE"}


def test_a_measure_that_one_part_lacks_is_no_choice_for_the_claim() -> None:
    plan = plan_of("linear")
    raw = raw_claim("perturbed_risk", ("linear",))
    raw |= {"strata": [], "parts": [*raw["parts"], {**raw["parts"][0], "id": "q", "estimand": "benefit"}]}
    raw["parts"][1]["parameters"] = {"gap": {"regression": 0.05}}
    runs = runs_of(plan).assign(test_risk_fgsm=np.where(plan["beta"] > 0, 0.6, 0.9))
    (found,) = curve_of(plan, runs, raw)["claims"]
    assert {named(row)["metric"] for row in found["specifications"]} == {"error or nRMSE"}


@pytest.mark.parametrize("rule", RULES.names())
def test_no_rule_chooses_a_diverged_run_nor_beta_zero(rule: str) -> None:
    """Risks fall with beta, so that each rule would take the largest; of the last seed no penalised run is left."""
    plan = plan_of("linear").query("dataset == 'd0'")
    beta = plan["beta"]
    falling = 0.6 - 0.005 * beta.rank(method="dense")
    runs = runs_of(plan).assign(validation_risk=falling, **{CONTAMINATED_RISK: falling})
    seeds, betas = sorted(plan["seed"].unique()), sorted(beta.unique())
    lost = ((runs["seed"] == seeds[0]) & (beta == betas[-1])) | ((runs["seed"] == seeds[-1]) & (beta > 0))
    registration = parse(raw_registration(raw_claim()))

    def chosen(runs: pd.DataFrame) -> list[int]:
        (grids,) = Evidence(plan, runs, registration, STRATA, COLLINEAR).grids.values()
        found = [RULES[rule](grids["squared"], level).tolist() for level in grids["squared"].levels]
        assert found == found[:1] * len(found)
        return found[0]

    last = len(betas) - 1
    assert chosen(runs) == [last] * len(seeds)
    runs.loc[lost, "status"] = "diverged"
    found = chosen(runs)
    assert found[0] == last - 1 and set(found[1:-1]) == {last}
    assert found[-1] > 0  # a run that diverged: beta = 0 would be a penalised model without a penalty


def test_the_registered_specification_is_there_even_without_a_number() -> None:
    plan = plan_of("linear")
    (found,) = curve_of(plan, runs_of(plan).assign(status="diverged", test_risk=np.nan), raw_claim(), FEW)["claims"]
    assert (found["verdict"], found["share"]) == ("inconclusive (too few datasets)", 1.0)
    assert found["specifications"][0]["estimate"] is None


def test_an_arm_that_the_study_lacks_is_told_and_left_out(curve: dict[str, Any]) -> None:
    absent = {one["choice"]: one["reason"] for one in curve["absent"]}
    assert absent == {"robust": "the study has no arm 'robust-scaling'"}
    (found,) = curve["claims"]
    scaled = {(named(row)["scaling"], named(row)["architectures"]) for row in found["specifications"]}
    assert ("contaminated", "linear alone") in scaled
    assert {scaling for scaling, _ in scaled} == {"clean", "contaminated"}
    assert {models for scaling, models in scaled if scaling == "contaminated"} == {"linear alone"}


def test_a_claim_that_compares_two_arms_keeps_their_scaling_and_their_common_seeds(
    plan: pd.DataFrame, runs: pd.DataFrame
) -> None:
    fewer = (plan["arm"] == "mlp") & (plan["seed"] == 3)
    raw = raw_claim("sensitivity_against", ("linear",))
    raw["parts"][0]["parameters"] = {"against": "mlp"}
    (found,) = curve_of(plan[~fewer], runs[~fewer], raw)["claims"]
    assert found["of"] > 20
    assert {named(row)["scaling"] for row in found["specifications"]} == {"clean"}


def test_an_arm_that_is_asked_for_no_certificate_is_asked_for_none_in_any_reading(
    plan: pd.DataFrame, runs: pd.DataFrame
) -> None:
    """Its certificates change nothing, and where none is asked of anybody the registered key does not matter."""
    raw = raw_claim("sensitivity_against", ("linear",))
    raw["parts"][0]["parameters"] = {"against": "mlp"}
    own = copy.deepcopy(raw)
    own["parts"][0]["certificate"] = "own arm"
    theirs = runs["architecture"] == "mlp"
    stuck, settled = (runs.assign(gradient_ratio=runs["gradient_ratio"].mask(theirs, to)) for to in (0.2, 0.001))

    def found(table: pd.DataFrame, one: dict[str, Any]) -> dict[str, dict[tuple[str, ...], Any]]:
        rows = curve_of(plan, table, one)["claims"][0]["specifications"]
        split: dict[str, dict[tuple[str, ...], Any]] = {"certified runs": {}, "all finite runs": {}}
        for row in rows:
            split[named(row)["convergence"]][tuple(row["choices"])] = row
        return split

    asked, amended = found(stuck, raw), found(stuck, own)
    assert amended == found(settled, raw)
    assert amended["all finite runs"] == asked["all finite runs"]
    assert len(amended["all finite runs"]) > 20 < len(amended["certified runs"])
    assert {row["estimate"] for row in asked["certified runs"].values()} == {None}
    assert None not in {row["estimate"] for row in amended["certified runs"].values()}


def test_the_order_of_rows_does_not_change_a_byte(plan: pd.DataFrame, runs: pd.DataFrame) -> None:
    registration = parse(raw_registration(raw_claim()))
    shuffled = [table.sample(frac=1, random_state=k) for k, table in enumerate((plan, runs))]
    effects = estimate(Evidence(plan, runs, registration, STRATA, COLLINEAR)).sample(frac=1, random_state=2)
    again = specify(Evidence(*shuffled, registration, STRATA, COLLINEAR), effects, FEW)
    assert canonical(again) == canonical(curve_of(plan, runs, raw_claim(), FEW))


def test_effects_of_other_runs_are_refused(plan: pd.DataFrame, runs: pd.DataFrame) -> None:
    registration = parse(raw_registration(raw_claim()))
    effects = estimate(Evidence(plan, runs.assign(test_risk=0.5), registration, STRATA, COLLINEAR))
    with pytest.raises(UserError, match="not those of these runs"):
        specify(Evidence(plan, runs, registration, STRATA, COLLINEAR), effects, FEW)


def test_controls_and_claims_without_a_dataset_have_no_curve(plan: pd.DataFrame, runs: pd.DataFrame) -> None:
    control = {**raw_claim(), "id": "y", "family": "control", "expects": ["supported"]}
    elsewhere = {**raw_claim(architectures=("conv",)), "id": "z"}
    registration = parse(raw_registration(raw_claim(), control, elsewhere))
    effects = estimate(Evidence(plan, runs, registration, STRATA, COLLINEAR))
    registered = parse_choices({**RAW, **{axis: RAW[axis][:1] for axis in AXES}})
    found = specify(Evidence(plan, runs, registration, STRATA, COLLINEAR), effects, registered)
    assert [(one["id"], one["of"]) for one in found["claims"]] == [("x", 1)]


def changed(edit: Any) -> dict[str, Any]:
    raw = copy.deepcopy(RAW)
    edit(raw)
    return raw


def test_every_rule_for_beta_can_be_written() -> None:
    rule = schema("specifications")["properties"]["beta"]["items"]["properties"]["rule"]
    assert sorted(rule["enum"]) == RULES.names()


def test_a_band_without_a_margin_has_no_largest_beta() -> None:
    readings = CHOICES.readings()
    assert len(readings) == 3 * (4 * 4 - 1) * 2
    assert not [one for one in readings if (one.margin.name, one.beta.name) == ("none", "largest in the band")]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda raw: raw["delta"].reverse(), r"delta\[0\]: the first choice is not the registered one"),
        (
            lambda raw: raw["metric"][1].update(name="error or nRMSE"),
            r"metric\[1\]\.name: 'error or nRMSE' is there tw",
        ),
        (lambda raw: raw["scaling"][1].pop("of"), r"scaling\[1\]: this key is missing: of \(fix: add `of:`"),
        (
            lambda raw: raw["margin"][1].update(times=-1),
            r"margin\[1\]\.times: -1 is out of range \(fix: write a value ab",
        ),
        (lambda raw: raw["margin"][1].update(times="all"), r"margin\[1\]\.times: .* a positive number, or none"),
        (lambda raw: raw["beta"][1].update(rule="best"), r"beta\[1\]\.rule: unknown value 'best'"),
        (lambda raw: raw["convergence"][1].pop("reason"), r"convergence\[1\]\.reason: this key is missing"),
        (lambda raw: raw.update(betas=[]), r"betas: unknown key \(fix: did you mean 'beta'\?\)"),
        (lambda raw: raw.pop("architectures"), "architectures: this key is missing"),
        (lambda raw: raw["metric"][1]["column"].update(regression="rmse"), r"column\.regression: unknown value 'rmse'"),
    ],
)
def test_faults_are_told_with_file_key_and_fix(edit: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        parse_choices(changed(edit))
    assert "specifications.yaml:" in str(caught.value)
    assert "(fix: " in str(caught.value)
