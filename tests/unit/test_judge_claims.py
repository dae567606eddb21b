"""The registration: read strictly, every fault with its key and its fix."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from judging import claim, parse, part, raw_registration
from l2audit.config.claims import MEASURED, load, matches
from l2audit.config.faults import ConfigError
from l2audit.config.load import load as load_study
from l2audit.effects.estimands import ESTIMANDS, parameter_faults
from l2audit.pipeline.check import load_verified, without_evidence
from l2audit.plan import plan, planned
from l2audit.trial.power import planned_effects

REGISTERED = Path(__file__).parents[2] / "config/claims.yaml"


def test_the_registration_of_the_project_is_valid() -> None:
    found = load(REGISTERED)
    assert found.sha256 == hashlib.sha256(REGISTERED.read_bytes()).hexdigest()
    assert [c.id for c in found.claims] == [c["id"] for c in yaml.safe_load(REGISTERED.read_text())["claims"]]
    assert all(c.parts for c in found.claims)


def test_keys_become_fields() -> None:
    found = parse(raw_registration(claim("g", strata=["label", "target"], datasets=["digits"], note="n")))["g"]
    assert (found.strata, found.datasets, found.note) == (("label", "target"), ("digits",), "n")
    assert found.parts[0].delta == {"classification": 0.01, "regression": 0.02}
    with pytest.raises(KeyError):
        parse(raw_registration())["absent"]


def test_the_hash_follows_the_content_and_not_its_order() -> None:
    raw = raw_registration()
    turned = dict(reversed(raw.items()))
    assert parse(raw).sha256 == parse(turned).sha256
    assert parse(raw).sha256 != parse(raw_registration(alpha=0.01)).sha256


IDENTITY = {"id": "b1", "statement": "s", "checks": ["c"], "holds_means": "supported"}


def test_the_headline_is_the_claim_that_says_so_or_the_first_measured_one() -> None:
    exact = claim("exact", family="identity", parts=[IDENTITY])
    assert parse(raw_registration(exact, claim("x"), claim("y"))).headline == "x"
    assert parse(raw_registration(exact, claim("x"), claim("y", purpose="headline"))).headline == "y"
    assert parse(raw_registration(exact)).headline == ""


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (raw_registration(claim(stratum=["label"])), r"claims\[0\].stratum: unknown key .*did you mean 'strata'"),
        (raw_registration(alpha="5e-2"), r"constants.alpha: YAML reads '5e-2' as text"),
        (raw_registration(alpha=1.5), r"constants.alpha: 1.5 is out of range"),
        (raw_registration(claim(family="claim")), r"unknown value 'claim' .*did you mean 'claims'"),
        (
            raw_registration(claim("x", purpose="headline"), claim("y", purpose="headline")),
            r"claims\[1\].purpose: 'x' is the headline already \(fix: remove one of the two\)",
        ),
        (
            raw_registration(claim(family="control", expects=["supported"], purpose="headline")),
            r"claims\[0\].purpose: a control answers no question of the study \(fix: remove the key\)",
        ),
        (raw_registration(claim("x"), claim("x")), r"claims\[1\].id: 'x' is registered twice"),
        (raw_registration(claim(parts=[part("p"), part("p")])), r"parts\[1\].id: 'p' is registered twice"),
        (raw_registration(claim(expects=["supported"])), "only a control expects a verdict"),
        (raw_registration(claim(family="control")), r"expects: a control needs the verdicts that pass"),
        (raw_registration(claim(family="control", expects=["refused"])), "unknown value 'refused'"),
        (raw_registration(claim(gate=False)), r"claims\[0\].gate: only a control can do without the gate"),
        (raw_registration(claim(family="added-identities")), "did you mean 'added-identity'"),
        (raw_registration(claim(family="added-identity")), r"parts\[0\].checks: needed in family added-identity"),
        (raw_registration(claim(parts=[part(parameters={"match": 0})])), r"parameters.match: 0 is out of range"),
        (raw_registration(claim(parts=[part(parameters={"kinds": "sym"})])), r"kinds: .* where a list is wanted"),
        (raw_registration(claim(parts=[part(parameters={"gap": {"all": 1}})])), r"gap.all: unknown key"),
        (raw_registration(claim(parts=[part(delta={"regression": 0.02})])), "name different tasks"),
        (raw_registration(claim(parts=[part(delta={"regression": 0.0})])), "out of range"),
        (raw_registration(claim(parts=[IDENTITY])), r"parts\[0\].estimand: needed in family claims"),
        (raw_registration(claim(family="identity")), r"parts\[0\].checks: needed in family identity"),
        (
            raw_registration(claim(parts=[part(parameters={"gap": {"regression": 1}})])),
            r"parameters.gap: says nothing for classification, which `delta` has \(fix: add `classification:`\)",
        ),
        (
            raw_registration(claim(parts=[part(parameters={"against": "linear"})])),
            r"parameters.against: the claim would compare 'linear' with itself",
        ),
        (raw_registration(claim(parts=[part(checks=["c"])])), r"checks: this key means nothing in family claims"),
        (
            raw_registration(claim(family="identity", parts=[{**IDENTITY, "estimand": "shift"}])),
            r"estimand: this key means nothing in family identity \(fix: remove the key\)",
        ),
        (raw_registration(band={"regression": 0.02}), r"constants.band.classification: this key is missing"),
        ({k: v for k, v in claim().items() if k != "strata"}, r"claims\[0\].strata: a measured claim needs this key"),
    ],
)
def test_faults_name_the_key_and_the_fix(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(raw if "version" in raw else raw_registration(raw))
    assert "fix:" in str(caught.value)


@pytest.mark.parametrize(
    ("estimand", "parameters", "faults"),
    [
        ("robustness", {}, []),
        ("robustness", {"kinds": ["sym"]}, []),
        ("evenness", {"measure": "gini_all"}, []),
        ("evenness", {}, [("measure", "the estimand 'evenness' needs this parameter", "add `measure:`")]),
        ("evenness", {"measure": "gini_al"}, [("measure", "unknown measure 'gini_al'", "did you mean 'gini_all'?")]),
        ("selectivity", {}, []),
        ("sparsity_against", {"against": "linear-l1", "measure": "selectivity"}, []),
        (
            "clean_rise",
            {"measure": "selectivity"},
            [
                (
                    "measure",
                    "'selectivity' compares a run with beta = 0, where it has no value, but 'clean_rise' needs one",
                    "name another measure, or an estimand that reads it at the chosen beta alone",
                )
            ],
        ),
        (
            "evenness",  # a claim about clean rows has no kinds of contamination
            {"measure": "gini_all", "kinds": ["sym"]},
            [("kinds", "the estimand 'evenness' has no such parameter", "use one of measure")],
        ),
        ("contaminated_fall", {"measure": "test_brier", "kinds": ["sym"]}, []),
        (
            "contaminated_rise",
            {"measure": "dead_franction"},
            [("measure", "unknown measure 'dead_franction'", "did you mean 'dead_fraction'?")],
        ),
        ("shrinkage", {"gap": 1}, [("gap", "the estimand 'shrinkage' has no such parameter", "remove it")]),
        (
            "omission",
            {"agaisnt": "x"},
            [
                ("against", "the estimand 'omission' needs this parameter", "add `against:`"),
                ("agaisnt", "the estimand 'omission' has no such parameter", "did you mean 'against'?"),
            ],
        ),
    ],
)
def test_parameters_are_those_that_the_estimand_takes(
    estimand: str, parameters: dict[str, Any], faults: list[tuple[str, str, str]]
) -> None:
    assert list(parameter_faults(estimand, parameters)) == faults


def test_the_registered_parts_give_the_parameters_that_their_estimands_take() -> None:
    parts = [one for claim in load(REGISTERED).claims for one in claim.parts if one.estimand]
    assert [fault for one in parts for fault in parameter_faults(one.estimand, one.parameters)] == []
    assert all(ESTIMANDS[one.estimand].losses == () or set(one.delta) == {"regression"} for one in parts)


def test_what_the_thread_says_is_quoted_and_what_is_added_is_not() -> None:
    for one in load(REGISTERED).claims:
        if one.family in ("claims", "identity"):
            assert one.quote and one.author != "this study", one.id
        else:
            assert one.quote == "" and one.author.startswith("this study"), one.id


def test_the_page_of_claims_has_every_part() -> None:
    text = (REGISTERED.parents[1] / "docs/claims.md").read_text(encoding="utf-8")
    head = text.partition("## The estimands there are")[0]
    claims = [line.split("|")[1] for line in head.splitlines() if line.startswith("| ")]
    listed = {word for cell in claims for word in re.findall(r"\w+", cell)}
    missing = {one.id for c in load(REGISTERED).claims if c.family != "control" for one in c.parts} - listed
    assert not missing
    assert all(c.id in text for c in load(REGISTERED).claims)


@pytest.mark.parametrize("study", ["smoke", "default", "full"])
def test_a_claim_gets_nothing_of_a_study_where_no_contrast_is_planned_for_it(study: str) -> None:
    """The plan's contrasts, made by the code that estimates effects, are the oracle."""
    config, registration = load_study(REGISTERED.parents[1], study), load_verified(REGISTERED)
    strata = {kind: entry["stratum"] for kind, entry in config.contaminations.items()}
    runs = pd.DataFrame(planned(plan(config)))
    runs = runs[(runs["seed"] < 2) & (runs["beta"].isin(sorted(runs["beta"].unique())[:2]))]
    effects = planned_effects(runs, registration, strata, {})
    idle = set()
    for one in registration.family(*MEASURED):
        own = effects[(effects["claim"] == one.id) & effects["arm"].isin(one.arms)]
        if set(own["part"]) != {part.id for part in one.parts}:
            idle.add(one.id)
    found = without_evidence(registration, config)
    assert {name for names in found.values() for name in names} == idle
    assert idle if study == "smoke" else not idle


def idle_by(**changes: Any) -> str:
    """Why the study `smoke` has nothing for a claim with `changes`; "" if it has."""
    found = without_evidence(parse(raw_registration(claim(**changes))), load_study(REGISTERED.parents[1], "smoke"))
    return next(iter(found), "")


@pytest.mark.parametrize(
    ("changes", "lack"),
    [
        ({}, ""),
        ({"strata": ["leverage-collinear"]}, ""),
        ({"role": "control"}, "no dataset of the role control"),
        ({"datasets": ["zoo", "sonar"]}, "no dataset that they name"),
        (
            {
                "datasets": ["iris"],
                "parts": [part(**{key: {"regression": 1} for key in ("delta", "scale")}, unit={"regression": "nRMSE"})],
            },
            "no dataset for regression",
        ),
        ({"architectures": ["conv5"]}, "no arm conv5 on their datasets"),
        ({"datasets": ["diabetes"], "architectures": ["placebo"]}, "no arm placebo on their datasets"),
        ({"parts": [part(parameters={"against": "as-printed"})]}, ""),
        ({"parts": [part(parameters={"against": "adamw"})]}, "no arm adamw on their datasets"),
        ({"parts": [part(estimand="loss_against_penalty")]}, "no loss huber in their arms"),
        ({"parts": [part(parameters={"kinds": ["cell"]})]}, "no level of the kinds cell in their arms"),
        ({"strata": ["cellwise"]}, "no level of the strata cellwise in their arms"),
        ({"parts": [part("p"), part("q", parameters={"kinds": ["pair"]})]}, "no level of the kinds pair in their arms"),
        (
            {"parts": [part(parameters={"against": "as-printed", "kinds": ["badlev_class"]})]},
            "no level of the kinds badlev_class in their arms",
        ),
    ],
)
def test_what_a_study_lacks_for_a_claim_is_named(changes: dict[str, Any], lack: str) -> None:
    assert idle_by(**changes) == lack


def test_every_fault_of_a_registration_is_told_at_once(tmp_path: Path) -> None:
    text = REGISTERED.read_text(encoding="utf-8")
    text = text.replace("id: d1\n", "id: c\n", 1).replace("estimand: shrinkage", "estimand: shrinkag")
    (tmp_path / "claims.yaml").write_text(
        text.replace("measure: layer_spread", "measure: layer_spred"), encoding="utf-8"
    )
    with pytest.raises(ConfigError) as caught:
        load_verified(tmp_path / "claims.yaml")
    estimand, twice, measure = map(str, caught.value.faults)
    assert "'c' is registered twice" in twice
    assert "unknown estimand 'shrinkag'" in estimand
    assert "unknown measure 'layer_spred'" in measure


def test_a_file_fault_names_the_file_and_the_line(tmp_path: Path) -> None:
    broken = tmp_path / "claims.yaml"
    broken.write_text(REGISTERED.read_text().replace("clip: 10 ", "clip: ten "), encoding="utf-8")
    line = next(i for i, text in enumerate(broken.read_text().splitlines(), 1) if "clip: ten" in text)
    with pytest.raises(
        ConfigError, match=rf"claims.yaml:{line}: constants.clip: 'ten' \(text\) where a number is wanted"
    ):
        load(broken)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "absent.yaml")


def test_an_expectation_covers_its_kinds() -> None:
    assert matches("refuted (reversed)", "refuted")
    assert matches("refuted", "refuted")
    assert not matches("refuted (reversed)", "refuted (excluded)")
    assert not matches("supported", "refuted")
