"""Whatever `check` lets pass runs through to the page: studies of all kinds, judged by registrations of all kinds."""

from __future__ import annotations

import copy
import re
import tempfile
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from l2audit.config.faults import ConfigError
from whole_study import CLAIMS, Result, checked, document, faked, no_svg, run, tables, trained
from workshop import Workshop

REGISTERED: dict[str, Any] = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
ARCHITECTURES = tables()["architectures"]
LOSSES = {"classification": ["cross_entropy"], "regression": ["squared", "huber"]}
"""Those of linear models; networks have absolute loss too."""
UNDER_L1 = {"classification": ["cross_entropy"], "regression": ["squared"]}
DATASETS = {
    "classification": ["digits", "iris", "wine", "breast_cancer", "anes96", "hastie"],
    "regression": ["diabetes", "engel", "fair", "fertility", "friedman1", "star98"],
}
PLANTED = [f"planted_collinear_{number}" for number in range(1, 7)]
LEVELS = {
    "classification": [("sym", 0.2), ("pair", 0.2), ("local", 0.2), ("badlev_class", 0.1), ("cell", 0.1, 5)],
    "regression": [("vert", 0.1, 10), ("badlev", 0.1, 10), ("badlev", 0.1, 30), ("goodlev", 0.1), ("student", 1, 2)],
}
FURTHER = {
    "placebo": {"penalty": "placebo"},
    "linear-l1": {"architecture": "linear", "penalty": "l1"},
    "adamw": {"penalty": "decay"},
    "as-printed": {"penalty": "l2 except output"},
    "contaminated-scaling": {"scaling": "contaminated"},
    "robust-scaling": {"scaling": "robust"},
}


def image_only(name: str) -> bool:
    return any(layer.startswith("conv") for layer in ARCHITECTURES[name]["layers"])


def written(raw: dict[str, Any], folder: Path) -> Path:
    """A registration of one's own in a file."""
    path = folder / "my_claims.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def only(*names: str) -> dict[str, Any]:
    """The project's registration with these of its claims."""
    return {**REGISTERED, "claims": [one for one in REGISTERED["claims"] if one["id"] in names]}


def levels(task: str) -> list[dict[str, Any]]:
    return [dict(zip(("kind", "rate", "magnitude"), level, strict=False)) for level in LEVELS[task]]


def level_name(entry: dict[str, Any]) -> str:
    return f"{entry['kind']}@{entry['rate']:g}" + (f",{entry['magnitude']:g}" if "magnitude" in entry else "")


def alone(architecture: str, task: str, loss: str, **changes: Any) -> dict[str, Any]:
    """A study of one architecture under one loss of one task."""
    names = ["digits"] if image_only(architecture) else DATASETS[task][:2]
    arm = {"betas": [0, 0.01, 0.1], "losses": {task: [loss]}}
    given = {"datasets": names, "architectures": {architecture: arm}, "contaminations": {task: levels(task)[:2]}}
    return document(**{**given, **changes})


KINDS = ("b1", "d1", "f", "g", "i", "A4", "A6", "placebo")
"""Claims of each kind: exact, on clean rows, across levels, with a map, of two losses, of two arms, control."""

SINGLE = [
    (architecture, task, loss)
    for architecture in ARCHITECTURES
    for task, losses in LOSSES.items()
    for loss in losses
    if not (image_only(architecture) and task == "regression")
] + [("mlp-32", "regression", "absolute")]


@pytest.mark.parametrize(("architecture", "task", "loss"), SINGLE)
def test_every_architecture_alone_under_every_loss(
    architecture: str, task: str, loss: str, tmp_path: Path, undrawn: None
) -> None:
    claims = written(only(*KINDS), tmp_path)
    whole(run(checked(alone(architecture, task, loss), tmp_path, claims), tmp_path, faked(), claims))


def whole(result: Result) -> None:
    """What every page and table must have, whatever was in the study."""
    assert result.page.endswith("</html>\n") or result.page.endswith("</html>")
    for word in ("nan", "None", "Traceback", "{{"):
        assert word not in result.text.replace("None of", "").split(), word
    measured = [one for name in ("claims", "added") for one in result.verdicts[name] if "entered" in one]
    for entry in measured:
        assert f'id="claim-{entry["id"]}"' in result.page
        if not entry["n_planned_datasets"]:
            assert entry["verdict"] == "inconclusive (too few datasets)"
            assert entry["sentence"].startswith("This study cannot judge it: "), entry["sentence"]
            assert "No comparison was planned for it" in between(result.page, entry["id"]) or entry["entered"]["arms"]
        if not entry["entered"]["datasets"]:
            assert entry["n_runs"] == entry["n_contrasts"] == 0


def between(page: str, claim: str) -> str:
    """The section of a claim."""
    return page.split(f'id="claim-{claim}"')[1].split("</section>", maxsplit=1)[0]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are laid out but not written as SVG, which takes most of a page's time."""
    no_svg(monkeypatch)


@st.composite
def studies(draw: st.DrawFn) -> dict[str, Any]:
    """A small study: architectures, tasks, losses, further arms, each of them narrowed or not."""
    tasks = draw(st.sampled_from([["classification"], ["regression"], ["classification", "regression"]]))
    most = draw(st.sampled_from([1, 2, 6]))
    names = [name for task in tasks for name in DATASETS[task][:most]]
    chosen = {task: draw(some(levels(task))) for task in tasks}
    all_levels = [level_name(entry) for entries in chosen.values() for entry in entries]
    flat = [name for name in ARCHITECTURES if not image_only(name)]
    architectures = {name: draw(arms(tasks, names, all_levels)) for name in draw(some(flat, most=2))}
    if "digits" in names and draw(st.booleans()):
        own = draw(arms(["classification"], ["digits"], all_levels))
        architectures["conv5"] = {**own, "datasets": ["digits"]}
    study = document(
        verdicts=draw(st.booleans()),
        datasets=names,
        architectures=architectures,
        contaminations=chosen,
        seeds=draw(st.integers(2, 4)),
    )
    further = {}
    for name in draw(some(list(FURTHER), least=0, most=3)):
        arm = {"architecture": draw(st.sampled_from(flat)), **draw(arms(tasks, names, all_levels)), **FURTHER[name]}
        further[name] = arm | ({"seeds": draw(st.integers(2, study["seeds"]))} if draw(st.booleans()) else {})
    if further:
        study["arms"] = further
    judged = [name for name, arm in architectures.items() if "regression" in arm["losses"] and "datasets" not in arm]
    dirty = [level_name(entry) for entry in chosen.get("regression", [])]
    if judged and dirty and draw(st.booleans()):
        study["controls"] = {
            "datasets": PLANTED,
            "architectures": draw(some(judged)),
            "contaminations": draw(some(dirty)),
        }
    return study


def some(values: list[Any], least: int = 1, most: int | None = None) -> st.SearchStrategy[list[Any]]:
    """Some of `values`, in any order."""
    return st.lists(st.sampled_from(values), min_size=least, max_size=most or len(values), unique_by=str)


@st.composite
def arms(draw: st.DrawFn, tasks: list[str], names: list[str], all_levels: list[str]) -> dict[str, Any]:
    """What an arm says of betas, losses, datasets and levels."""
    arm: dict[str, Any] = {
        "betas": [0, *draw(some([0.001, 0.01, 0.1, 1], most=3))],
        "losses": {task: draw(some(LOSSES[task], most=2)) for task in tasks},
    }
    if draw(st.integers(0, 3)) == 0:
        arm["datasets"] = draw(some(names))
    if draw(st.integers(0, 3)) == 0:
        arm["contaminations"] = draw(some(all_levels, least=0))
    return arm


BY_FAMILY = {
    family: [claim["id"] for claim in REGISTERED["claims"] if claim["family"] in families]
    for family, families in (
        ("measured", ("claims", "added")),
        ("exact", ("identity", "added-identity")),
        ("control", ("control",)),
    )
}
EVERY = [name for names in BY_FAMILY.values() for name in names]


@st.composite
def registrations(draw: st.DrawFn) -> dict[str, Any]:
    """The project's own, or some of its claims, some of them changed as a user would change them."""
    kept = draw(
        st.one_of(
            st.just(EVERY),
            st.just([name for name in EVERY if name != "g"]),
            some(EVERY),
            some(BY_FAMILY["measured"], most=1),
            some(BY_FAMILY["exact"], most=2),
            some(BY_FAMILY["control"], most=1),
        )
    )
    raw = copy.deepcopy(REGISTERED)
    raw["claims"] = [claim for claim in raw["claims"] if claim["id"] in kept]
    for claim in raw["claims"]:
        if "estimand" in claim["parts"][0] and draw(st.integers(0, 3)) == 0:
            change(claim, draw(changes()))
        if draw(st.integers(0, 5)) == 0:
            narrow(claim, draw(st.sampled_from(sorted(LOSSES))))
    return raw


def changes() -> st.SearchStrategy[dict[str, Any]]:
    """Keys of a measured claim: arms, strata, situations and datasets that a study may or may not have."""
    names = [*ARCHITECTURES, *FURTHER, "not-there"]
    leverage = ["leverage-collinear", "leverage-other", "leverage-class"]
    strata = ["label", "local-label", "target", *leverage, "cellwise", "good-leverage"]
    return st.fixed_dictionaries(
        {},
        optional={
            "architectures": some(names, most=3),
            "strata": some(strata, least=0, most=3),
            "situations": st.dictionaries(
                st.sampled_from([*strata, "all"]), some(names, most=3), min_size=1, max_size=3
            ),
            "datasets": some([*DATASETS["classification"], *DATASETS["regression"], "stars_cyg"], most=4),
        },
    )


def change(claim: dict[str, Any], keys: dict[str, Any]) -> None:
    """Change keys of a claim, which has situations or else, as controls have, architectures and strata."""
    if claim["family"] == "control":
        keys = {key: value for key, value in keys.items() if key != "situations"}
    if {"architectures", "strata"} & keys.keys():
        claim.pop("situations", None)
        keys = {"architectures": ["linear"], "strata": [], **keys}
        keys.pop("situations", None)
    elif "situations" in keys:
        claim.pop("architectures", None)
        claim.pop("strata", None)
    claim.update(keys)


def narrow(claim: dict[str, Any], task: str) -> None:
    """Keep a claim to one task, as far as its parts have it."""
    for part in claim["parts"]:
        if task in part.get("delta", {}):
            part |= {key: {task: part[key][task]} for key in ("delta", "unit", "scale")}


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    study=studies(),
    registration=registrations(),
    seed=st.integers(0, 9),
    share=st.sampled_from([(0.0, 0.0), (0.1, 0.0), (0.0, 0.1), (0.9, 0.0), (0.0, 1.0), (1.0, 0.0)]),
    spread=st.sampled_from([0.0, 0.05, 1.0]),
)
def test_any_study_under_any_registration(
    study: dict[str, Any], registration: dict[str, Any], seed: int, share: tuple[float, float], spread: float
) -> None:
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        no_svg(patch)
        folder = Path(place)
        claims = written(registration, folder)
        try:
            config = checked(study, folder, claims)
        except ConfigError:  # what is generated may train the same models twice, or ask for what there is no engine for
            reject()
        whole(run(config, folder, faked(seed, *share, spread), claims))


def test_a_claim_without_a_planned_contrast_says_what_the_study_lacks(tmp_path: Path, undrawn: None) -> None:
    study = alone("mlp-32", "classification", "cross_entropy")
    told = {
        "h2": "no dataset was planned for which it trains both linear and linear-l1 under cross-entropy or",
        "i": "no regression dataset was planned for which it trains linear under squared and Huber loss on training "
        "rows with vert, ",
        "A6": "no classification dataset was planned for which it trains both mlp-adam and as-printed under ",
        "planted-collinear": "no control regression dataset that the claim names was planned for which it trains ",
    }
    claims = written(only(*told, "g"), tmp_path)
    result = run(checked(study, tmp_path, claims), tmp_path, faked(), claims)
    for claim, words in told.items():
        assert words in result.entry(claim)["sentence"]
        assert claim.startswith("planted") or words in unescape(between(result.page, claim))
    assert "for which it trains linear" in result.text.replace("\n    ", " ")
    assert "0 architectures compared" in re.sub("<[^>]*>", "", result.page)
    # What was trained is drawn on the map all the same, with the delta that was registered for it.
    assert "g1, classification: 1 δ = 1.0 percentage points" in between(result.page, "g")


def test_a_claim_of_which_one_part_was_planned_names_the_other(tmp_path: Path, undrawn: None) -> None:
    raw = copy.deepcopy(REGISTERED)
    (claim,) = (one for one in raw["claims"] if one["id"] == "g")
    claim["parts"][1] |= {"estimand": "sensitivity_against", "parameters": {"against": "adamw"}}
    change(claim, {"architectures": ["linear", "mlp-adam"], "strata": ["label"]})
    claims = written({**raw, "claims": [claim]}, tmp_path)
    study = alone("linear", "classification", "cross_entropy")
    sentence = run(checked(study, tmp_path, claims), tmp_path, faked(), claims).entry("g")["sentence"]
    lacks = "for which it trains both linear or mlp-adam and adamw"
    assert f"for “Less robust”, no dataset was planned {lacks}" in sentence


def test_contrasts_that_are_all_unusable_are_counted_and_none_is_scored(tmp_path: Path, undrawn: None) -> None:
    study = alone("linear", "regression", "squared", datasets=DATASETS["regression"])
    names = ("c", "f", "g")
    claims = written(only(*names), tmp_path)
    result = run(checked(study, tmp_path, claims), tmp_path, faked(diverged=1.0), claims)
    for claim in names:
        entry = result.entry(claim)
        assert entry["sentence"].startswith("This study cannot judge it: none of ")
        told = "0 of 6 planned datasets could be scored, and 5 are needed."
        assert told in entry["record"]["sentence"]
        assert any(told in row["sentence"] for row in entry["strata"])
        assert set(entry["dropped"]) == {"run diverged"}
        assert "0 of 6" in between(result.page, claim)
    assert "Of 108 planned runs, 108 gave no result." in result.page


def test_models_that_were_really_trained_come_to_a_page(made: Workshop, tmp_path: Path, undrawn: None) -> None:
    """Linear models under every loss and penalty, and a dense network."""
    every = {"betas": [0, 0.01, 0.1], "losses": LOSSES}
    study = document(
        architectures={"linear": every, "mlp-32": {"betas": [0, 0.1], "losses": {"classification": ["cross_entropy"]}}},
        arms={
            "linear-l1": {"architecture": "linear", "penalty": "l1", "contaminations": [], **every, "losses": UNDER_L1}
        },
    )
    study["architectures"]["mlp-32"]["datasets"] = ["iris"]
    claims = written(only(*KINDS, "d2m"), tmp_path)
    config = checked(study, tmp_path, claims)
    prepared = {name: made[name][2] for name in config.study.all_datasets}
    result = run(config, tmp_path, trained(prepared), claims)
    whole(result)
    assert result.effects()["ok"].any()
    assert result.entry("d2m")["n_datasets"] > 0
    runs = len(pd.read_parquet(tmp_path / "runs.parquet"))
    assert f"All {runs} planned runs gave a result." in result.page


@pytest.mark.parametrize("names", [(), tuple(BY_FAMILY["exact"]), ("planted-collinear",), ("placebo", "i"), ("A1",)])
def test_a_registration_without_a_planned_effect(names: tuple[str, ...], tmp_path: Path, undrawn: None) -> None:
    claims = written(only(*names), tmp_path)
    result = run(
        checked(alone("linear", "classification", "cross_entropy"), tmp_path, claims), tmp_path, faked(), claims
    )
    whole(result)
    assert result.effects().empty
    assert "models trained" in result.page
    assert "repetitions of each comparison" not in result.page
