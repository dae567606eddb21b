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
from l2audit.config.load import load as load_study
from l2audit.config.reader import Document
from l2audit.config.schema import schema
from l2audit.effects.evidence import Evidence
from l2audit.effects.stored import stored_evidence
from l2audit.effects.table import estimate
from l2audit.errors import UserError
from l2audit.files import sha256_of
from l2audit.judge.rule import VERDICT_CODES
from l2audit.judge.verdicts import decided
from l2audit.plan import plan as plan_shards
from l2audit.plan import planned, stored_plan
from l2audit.seeds import canonical
from l2audit.specifications import load, specify
from l2audit.specifications.choices import AXES, RULES, Choices
from l2audit.stored import write_frame

CONTAMINATED_RISK = "validation_risk_contaminated"
ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config" / "specifications.yaml"
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


def raw_claim(
    estimand: str = "robustness", arms: tuple[str, ...] = ("linear", "mlp"), **changes: Any
) -> dict[str, Any]:
    """A claim of one part, judged for vertical outliers under each of `arms`."""
    units = {"unit": {"regression": "nRMSE"}, "scale": {"regression": 1}, "delta": DELTA}
    raw = claim("x", [part(estimand=estimand, parameters={}, **units)], situations={"target": list(arms)}, **changes)
    return {key: value for key, value in raw.items() if key not in ("architectures", "strata")}


def raw_whole(estimand: str = "robustness", arms: tuple[str, ...] = ("linear",), **changes: Any) -> dict[str, Any]:
    """The same, judged as a whole."""
    raw = {**raw_claim(estimand, arms), "architectures": list(arms), "strata": ["target"], **changes}
    return {key: value for key, value in raw.items() if key != "situations"}


def plan_of(*arms: str, losses: tuple[str, ...] = ("squared",)) -> pd.DataFrame:
    axes = itertools.product(arms, losses, DATASETS, LEVELS, BETAS, range(4))
    return pd.DataFrame(
        {
            "role": "study",
            "dataset": dataset,
            "task": "regression",
            **ARMS[arm],
            "loss": loss,
            "level": level,
            "kind": level.partition("@")[0],
            "beta": beta,
            "seed": seed,
        }
        for arm, loss, dataset, level, beta, seed in axes
    )


def runs_of(plan: pd.DataFrame) -> pd.DataFrame:
    """Runs on which no choice is idle: tied risks, stuck runs, two measures and two validation sets that disagree."""
    draw = np.random.default_rng(3)
    n = len(plan)
    penalised = plan["beta"].to_numpy() > 0
    dirty = plan["level"].to_numpy() != "clean"
    wild = 1 + 11 * (plan["dataset"] == "d0").to_numpy()  # one dataset beyond the clip
    effect = np.where(plan["architecture"] == "linear", 0.02, 0.07) * penalised * dirty * wild
    return plan.drop(columns=["role", "primary", "kind"]).assign(
        status="ok",
        test_risk=0.5 + effect + draw.normal(0, 0.02, n),
        trivial_risk=1.0,
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


def specifications(found: dict[str, Any], words: list[str], choices: Choices = CHOICES) -> list[dict[str, Any]]:
    """The specifications of one claim of specifications.json, one dictionary each."""
    columns = found["specifications"]
    told = []
    for number, (chosen, rows, counts) in enumerate(
        zip(columns["choices"], columns["rows"], columns["counts"], strict=True)
    ):
        one = {
            "choices": {axis: choices[axis][int(digit, 16)].name for axis, digit in zip(AXES, chosen, strict=True)},
            "verdict": words[int(columns["verdict"][number], 16)],
            "rows": [words[int(digit, 16)] for digit in rows],
            "counts": [digit == "1" for digit in counts],
        }
        told.append(one | {name: columns[name][number] for name in ("estimate",) if name in columns})
    return told


def headline_by_hand(verdicts: list[str]) -> str:
    judged = [one for one in verdicts if one != "inconclusive (too few datasets)"]
    holds, against = judged.count("supported"), judged.count("refuted (reversed)")
    negative = against + judged.count("refuted (excluded)") + judged.count("no meaningful effect")
    if not judged:
        return "inconclusive (too few datasets)"
    if holds and against:
        return "depends"
    if not holds and negative / len(judged) >= 0.75:
        return "refuted"
    return "supported" if not negative and holds / len(judged) >= 0.75 else "open"


def by_hand(plan: pd.DataFrame, runs: pd.DataFrame, raw: dict[str, Any], chosen: dict[str, str]) -> tuple[str, ...]:
    """Verdicts of the rows of a study that was registered with these choices.

    Runs, registration and the usable effects are edited, nothing else. Claims about R(b, c) - R(0, c) only.
    """
    raw, runs = copy.deepcopy(raw), runs.copy()
    if chosen["metric"] != "error or nRMSE":
        runs["test_risk"] = runs["test_mse"] / 2
    for one in raw["parts"]:
        one["delta"] = {"regression": 0.02 * {"as registered": 1, "half": 0.5, "double": 2}[chosen["delta"]]}
    if chosen["scaling"] == "contaminated":
        names = {"linear": "off", "contaminated-scaling": "linear"}
        plan, runs = (table.assign(arm=table["arm"].map(lambda arm: names.get(arm, arm))) for table in (plan, runs))
    clean, seed = runs["level"] == "clean", ["arm", "dataset", "seed"]
    risk = runs[clean].set_index([*seed, "beta"])["validation_risk"]
    margin = 0.02 * {"once": 1, "half": 0.5, "double": 2, "none": np.inf}[chosen["margin"]]
    inside = risk <= risk.groupby(level=seed).transform("min") + margin
    for _, own in runs[clean & (chosen["beta"] != "clean validation")].groupby(seed):
        others = own[own["beta"] > 0].sort_values("beta")
        key = pd.MultiIndex.from_frame(others[[*seed, "beta"]])
        if chosen["beta"] == "clean validation, ties to the smallest":
            tied = others[others["validation_risk"] == others["validation_risk"].min()]
            runs.loc[tied.index[1:], "validation_risk"] += 1e-9
        elif chosen["beta"] == "largest in the band" and inside[key].any():
            runs.loc[others.index[inside[key].to_numpy()][-1], "validation_risk"] = 0
        elif chosen["beta"] == "contaminated validation":
            theirs = runs[~clean].set_index([*seed, "beta"])[CONTAMINATED_RISK]
            runs.loc[others.index, "validation_risk"] = theirs[key].to_numpy()
    registration = parse(raw_registration(raw, **({"clip": 1e9} if chosen["clip"] == "none" else {})))
    effects = estimate(Evidence(plan, runs, registration, STRATA, COLLINEAR))
    ok = effects["ok"] & inside[pd.MultiIndex.from_frame(effects[[*seed, "beta"]])].to_numpy()
    if chosen["convergence"] == "certified runs only":
        where = [*seed, "level", "beta"]
        stuck = runs.set_index(where)["gradient_ratio"] >= 0.05
        ok &= ~stuck[pd.MultiIndex.from_frame(effects[where])].to_numpy()
    effects = effects.assign(ok=ok, theta=effects["theta"].where(ok), reason=np.where(ok, "", "left out"))
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


@pytest.fixture(scope="module")
def listed(curve: dict[str, Any]) -> list[dict[str, Any]]:
    return specifications(curve["claims"][0], curve["words"])


def test_specifications_are_what_the_judge_says_of_changed_runs(
    plan: pd.DataFrame, runs: pd.DataFrame, listed: list[dict[str, Any]]
) -> None:
    """All that differ from the registered one in one choice, and ten others: every row, and the claim."""
    first = listed[0]["choices"]
    near = [one for one in listed if sum(one["choices"][axis] != first[axis] for axis in AXES) <= 1]
    sample = random.Random(0).sample(listed, 10)
    assert {axis for one in near for axis in AXES if one["choices"][axis] != first[axis]} == {*AXES} - {"floor"}
    for one in near + sample:
        rows = by_hand(plan, runs, raw_claim(), one["choices"])
        assert tuple(one["rows"]) == rows, one["choices"]
        assert one["verdict"] == headline_by_hand(list(rows[1:]))
    assert len({tuple(one["rows"]) for one in sample}) > 2


def parse_choices(raw: object) -> Choices:
    return load(Document("specifications.yaml", raw, {(): 1}))


FEW = parse_choices({**RAW, **{axis: RAW[axis][:1] for axis in ("metric", "beta", "convergence")}})


def test_every_axis_is_in_play(listed: list[dict[str, Any]]) -> None:
    for axis in set(AXES) - {"floor"}:
        assert len({one["choices"][axis] for one in listed}) > 1, axis


def test_the_registered_specification_is_the_judges_verdict(
    plan: pd.DataFrame, runs: pd.DataFrame, curve: dict[str, Any], listed: list[dict[str, Any]]
) -> None:
    registration = parse(raw_registration(raw_claim()))
    _, decision = decided(estimate(Evidence(plan, runs, registration, STRATA, COLLINEAR)), registration)
    verdicts = [VERDICT_CODES[int(codes[0])] for codes in decision.verdicts[0]]
    assert listed[0]["choices"] == {axis: CHOICES[axis][0].name for axis in AXES}
    assert listed[0]["rows"] == [row["verdict"] for row in curve["claims"][0]["rows"]] == verdicts


def test_counts_are_those_of_the_list(curve: dict[str, Any], listed: list[dict[str, Any]]) -> None:
    (found,) = curve["claims"]
    pairs = [(found, [one["verdict"] for one in listed])]
    for number, row in enumerate(found["rows"]):
        pairs.append((row, [one["rows"][number] for one in listed if one["counts"][number]]))
    for told, verdicts in pairs:
        assert told["of"] == len(verdicts)
        assert told["same"] == verdicts.count(told["verdict"])
        assert told["share"] == told["same"] / told["of"]
        assert told["verdicts"] == {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}


def test_another_scaling_is_a_specification_of_the_rows_of_its_arm_alone(
    curve: dict[str, Any], listed: list[dict[str, Any]]
) -> None:
    assert [row["row"] for row in curve["claims"][0]["rows"]] == ["all", "target/linear", "target/mlp"]
    scaled = [one for one in listed if one["choices"]["scaling"] != "clean"]
    assert {one["choices"]["scaling"] for one in scaled} == {"contaminated"}
    assert sum(one["counts"][1] for one in scaled) > 20
    assert not any(one["counts"][2] for one in scaled)
    (absent,) = curve["absent"]
    assert (absent["choice"], absent["reason"]) == ("robust", "the study has no arm 'robust-scaling'")


def test_a_claim_judged_as_a_whole_tells_uncut_estimates(plan: pd.DataFrame, runs: pd.DataFrame) -> None:
    """In units of the registered delta, whatever delta and clip a specification has."""
    found = curve_of(plan, runs, raw_whole())
    registration = parse(raw_registration(raw_whole()))
    judged, _ = decided(estimate(Evidence(plan, runs, registration, STRATA, COLLINEAR)), registration)
    (score,) = judged[0].scores
    assert np.nanmax(score.raw) > 10
    listed = specifications(found["claims"][0], found["words"])
    readings: dict[tuple[str, ...], set[float]] = {}
    for one in listed:
        key = tuple(one["choices"][axis] for axis in AXES if axis not in ("delta", "clip"))
        readings.setdefault(key, set()).add(one["estimate"])
    assert listed[0]["estimate"] == pytest.approx(np.nanmean(score.raw), rel=1e-3)
    assert {len(values) for values in readings.values()} == {1}
    assert found["claims"][0]["rows"][0]["estimates"] == pytest.approx(
        np.quantile([one["estimate"] for one in listed], (0, 0.5, 1)), rel=1e-3
    )


def test_the_floor_acts_where_a_part_has_one(runs: pd.DataFrame) -> None:
    """Estimates under each floor are those of a registration with that floor; another claim has no such choice."""
    plan = plan_of("linear", losses=("squared", "huber"))
    runs = runs_of(plan)
    units = {"unit": {"regression": "log ratio"}, "scale": {"regression": 1}, "delta": {"regression": 0.7}}

    def registered(floor: float) -> dict[str, Any]:
        own = part(estimand="loss_against_penalty", parameters={"kinds": ["vert"], "floor": floor}, **units)
        return raw_whole(parts=[own], strata=[])

    few = parse_choices({**RAW, **{axis: RAW[axis][:1] for axis in AXES if axis not in ("floor", "beta")}})
    found = curve_of(plan, runs, registered(0.005), few)
    listed = specifications(found["claims"][0], found["words"], few)
    told = {(one["choices"]["floor"], one["choices"]["beta"]): one["estimate"] for one in listed}
    assert {floor for floor, _ in told} == {"as registered", "half", "double"}
    for floor, times in (("as registered", 1), ("half", 0.5), ("double", 2)):
        registration = parse(raw_registration(registered(0.005 * times)))
        judged, _ = decided(estimate(Evidence(plan, runs, registration, STRATA, COLLINEAR)), registration)
        assert told[floor, "clean validation"] == pytest.approx(np.nanmean(judged[0].scores[0].raw), rel=1e-3)
    assert len(set(told.values())) == len(told)
    other = curve_of(plan, runs, raw_whole(), few)
    floors = AXES.index("floor")
    assert {chosen[floors] for chosen in other["claims"][0]["specifications"]["choices"]} == {"0"}


FEW = parse_choices({**RAW, **{axis: RAW[axis][:1] for axis in ("metric", "beta", "convergence")}})


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
    curve = curve_of(plan, plain_runs(plan), raw_claim(arms=("linear",)))
    (found,) = curve["claims"]
    listed = specifications(found, curve["words"])
    assert {(one["choices"]["metric"], one["choices"]["delta"]) for one in listed} == set(
        itertools.product(["error or nRMSE", "Brier score or MSE"], ["as registered", "half", "double"])
    )
    (row,) = found["rows"]
    assert row["verdicts"] == {"no meaningful effect": 3, "supported": 3}
    assert (row["verdict"], row["same"], row["of"]) == ("supported", 3, 6)
    assert (found["verdict"], found["verdicts"]) == ("supported", {"refuted": 3, "supported": 3})


def test_the_clip_counts_where_it_cuts_a_score() -> None:
    """Eleven deltas of effect on one dataset are cut as registered; at half of delta they are 22, at its double 5.5."""
    plan = plan_of("linear")
    runs = plain_runs(plan)
    far = (runs["test_risk"] > 0.5) & (runs["dataset"] == "d0")
    runs["test_risk"] = runs["test_risk"].mask(far, 0.5 + 0.22)
    curve = curve_of(plan, runs, raw_claim(arms=("linear",)))
    listed = specifications(curve["claims"][0], curve["words"])
    assert {
        (one["choices"]["delta"], one["choices"]["clip"]) for one in listed if one["choices"]["metric"] != "MSE"
    } == {*itertools.product(["as registered", "half"], ["as registered", "none"]), ("double", "as registered")}


def test_delta_alone_flips_an_effect_between_one_and_two_deltas() -> None:
    plan = plan_of("linear")
    runs = plain_runs(plan)
    runs["test_risk"] = 0.5 + (runs["test_risk"] - 0.5) / 2
    curve = curve_of(plan, runs, raw_whole())
    in_risk = {
        one["choices"]["delta"]: one["verdict"]
        for one in specifications(curve["claims"][0], curve["words"])
        if one["choices"]["metric"] == "error or nRMSE"
    }
    assert in_risk == {"as registered": "supported", "half": "supported", "double": "no meaningful effect"}


def perturbed(*more: dict[str, Any]) -> dict[str, Any]:
    raw = raw_whole("perturbed_risk", strata=[])
    return {**raw, "parts": [*raw["parts"], *({**raw["parts"][0], **one} for one in more)]}


@pytest.mark.parametrize(
    "raw",
    [perturbed(), perturbed({"id": "q", "estimand": "benefit", "parameters": {"gap": {"regression": 0.05}}})],
    ids=["the only part", "one of two"],
)
def test_a_measure_that_a_part_lacks_is_no_choice_for_the_claim(raw: dict[str, Any]) -> None:
    """Nothing but risk was measured on perturbed rows."""
    plan = plan_of("linear")
    runs = runs_of(plan).assign(test_risk_fgsm=np.where(plan["beta"] > 0, 0.6, 0.9))
    curve = curve_of(plan, runs, raw)
    listed = specifications(curve["claims"][0], curve["words"])
    assert {one["choices"]["metric"] for one in listed} == {"error or nRMSE"}


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
    curve = curve_of(plan, runs_of(plan).assign(status="diverged", test_risk=np.nan), raw_whole(), FEW)
    (found,) = curve["claims"]
    assert (found["verdict"], found["share"]) == ("inconclusive (too few datasets)", 1.0)
    assert found["specifications"]["estimate"] == [None]
    assert (found["rows"][0]["joint"], found["rows"][0]["variance"]) == ({}, {})


def test_a_claim_that_compares_two_arms_keeps_their_scaling_and_their_common_seeds(
    plan: pd.DataFrame, runs: pd.DataFrame
) -> None:
    fewer = (plan["arm"] == "mlp") & (plan["seed"] == 3)
    raw = raw_claim("sensitivity_against", ("linear",))
    raw["parts"][0]["parameters"] = {"against": "mlp"}
    curve = curve_of(plan[~fewer], runs[~fewer], raw)
    listed = specifications(curve["claims"][0], curve["words"])
    assert len(listed) > 20
    assert {one["choices"]["scaling"] for one in listed} == {"clean"}


def test_certificates_are_asked_of_the_claims_own_arm_alone(plan: pd.DataFrame, runs: pd.DataFrame) -> None:
    """Those of the arm that it is compared with change nothing; without its own, no certified specification is left."""
    raw = raw_whole("sensitivity_against")
    raw["parts"][0]["parameters"] = {"against": "mlp"}
    stuck = {
        arm: curve_of(plan, runs.assign(gradient_ratio=np.where(runs["arm"] == arm, 0.2, 0.001)), raw)
        for arm in ("mlp", "linear", "neither")
    }
    assert stuck["mlp"] == stuck["neither"]
    kinds = {
        arm: {one["choices"]["convergence"] for one in specifications(curve["claims"][0], curve["words"])}
        for arm, curve in stuck.items()
    }
    # Either all runs of its own arm are certified, which changes nothing, or none is, which leaves nothing to judge.
    assert set().union(*kinds.values()) == {"all finite runs"}
    some = curve_of(plan, runs, raw)
    listed = specifications(some["claims"][0], some["words"])
    assert {one["choices"]["convergence"] for one in listed} == {"all finite runs", "certified runs only"}


def test_the_order_of_rows_does_not_change_a_byte(plan: pd.DataFrame, runs: pd.DataFrame) -> None:
    registration = parse(raw_registration(raw_claim()))
    shuffled = [table.sample(frac=1, random_state=k) for k, table in enumerate((plan, runs))]
    effects = estimate(Evidence(plan, runs, registration, STRATA, COLLINEAR)).sample(frac=1, random_state=2)
    again = specify(Evidence(*shuffled, registration, STRATA, COLLINEAR), effects, FEW)
    assert canonical(again) == canonical(curve_of(plan, runs, raw_claim(), FEW))


def test_evidence_is_read_from_the_files_of_a_study(tmp_path: Path) -> None:
    """plan.json, runs.parquet, claims.yaml and cards of a study, read as both scripts read them."""
    config = load_study(ROOT, "smoke")
    schedule = pd.DataFrame(planned(plan_shards(config)))
    runs = schedule.drop(columns=["role", "primary"]).assign(status="ok")
    (tmp_path / "plan.json").write_text(stored_plan(config), encoding="utf-8")
    write_frame(runs, tmp_path / "runs.parquet")
    cards = []
    for number, name in enumerate(config.study.all_datasets):
        cards.append(tmp_path / f"{name}.json")
        cards[-1].write_text(canonical({"name": name, "collinear": number == 0}), encoding="utf-8")
    found = stored_evidence(tmp_path / "plan.json", tmp_path / "runs.parquet", ROOT / "config" / "claims.yaml", cards)
    pd.testing.assert_frame_equal(found.plan, schedule)
    pd.testing.assert_frame_equal(found.runs, runs)
    assert found.strata == {kind: entry["stratum"] for kind, entry in config.contaminations.items()}
    assert [found.collinear[name] for name in config.study.all_datasets] == [True, *[False] * (len(cards) - 1)]
    assert found.registration.sha256 == sha256_of(ROOT / "config" / "claims.yaml")


def test_effects_of_other_runs_are_refused(plan: pd.DataFrame, runs: pd.DataFrame) -> None:
    registration = parse(raw_registration(raw_claim()))
    effects = estimate(Evidence(plan, runs.assign(test_risk=0.5), registration, STRATA, COLLINEAR))
    with pytest.raises(UserError, match="not those of these runs"):
        specify(Evidence(plan, runs, registration, STRATA, COLLINEAR), effects, FEW)


def test_controls_and_claims_without_a_dataset_have_no_curve(plan: pd.DataFrame, runs: pd.DataFrame) -> None:
    control = {**raw_whole(), "id": "y", "family": "control", "expects": ["supported"]}
    elsewhere = {**raw_claim(arms=("conv",)), "id": "z"}
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
    assert len(CHOICES.readings(floors=True)) == 3 * len(readings)
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
        (lambda raw: raw.pop("floor"), "floor: this key is missing"),
        (lambda raw: raw["clip"][1].update(times=0), r"clip\[1\]\.times: "),
        (lambda raw: raw["metric"][1]["column"].update(regression="rmse"), r"column\.regression: unknown value 'rmse'"),
    ],
)
def test_faults_are_told_with_file_key_and_fix(edit: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        parse_choices(changed(edit))
    assert "specifications.yaml:" in str(caught.value)
    assert "(fix: " in str(caught.value)
