"""What a study could show, told before it is run, against what the judge says after it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from judging import claim, effects, part, registration, situated, spread, together
from l2audit.config.claims import MEASURED, Registration
from l2audit.config.load import load as load_study
from l2audit.judge.statistics import detectable_factor
from l2audit.judge.verdicts import judge
from l2audit.plan import plan
from l2audit.plan import planned as planned_runs
from l2audit.trial.power import outlooks, planned_effects, rows_in_families, spreads_of, text
from report_example import ARM, AXES, ROOT, STRATA, cards, example, runs_table
from report_example import registration as own_registration


@pytest.fixture(scope="module")
def planned() -> pd.DataFrame:
    """The effects of the example study, known from its plan alone."""
    runs = runs_table()
    collinear = {card["name"]: card["collinear"] for card in cards()}
    return planned_effects(runs[[*AXES, *ARM, "beta", "seed"]], own_registration(), STRATA, collinear)


def test_the_plan_has_the_contrasts_of_the_study_and_none_is_usable(planned: pd.DataFrame) -> None:
    key = ["claim", "part", "role", "dataset", "task", "stratum", "arm", "level", "seed"]
    pd.testing.assert_frame_equal(planned[key], example()["effects"][key], check_dtype=False)
    assert not planned["ok"].any()


def test_at_the_spread_of_a_study_the_outlook_is_what_that_study_reports(planned: pd.DataFrame) -> None:
    verdicts: dict[str, Any] = example()["verdicts"]
    entries = {one["id"]: one for one in (*verdicts["claims"], *verdicts["added"], *verdicts["controls"])}
    found = outlooks(planned, own_registration(), spreads_of(verdicts))
    rows = {(name, row["stratum"]): row for name, entry in entries.items() for row in (entry, *entry["strata"])}
    named = [(c.id, row) for c in own_registration().claims if c.family in MEASURED for row in c.strata or ("all",)]
    assert [(one.claim, one.stratum) for one in found] == named
    complete = [one for one in found if one.assumed and rows[one.claim, one.stratum]["n_datasets"] == one.datasets]
    assert len(complete) > 5
    for one in complete:
        assert one.seen == pytest.approx(rows[one.claim, one.stratum]["mde"])
        assert one.rows == rows[one.claim, one.stratum]["rows_in_family"]


def in_study(name: str) -> pd.DataFrame:
    config = load_study(ROOT, name)
    strata = {kind: entry["stratum"] for kind, entry in config.contaminations.items()}
    return planned_effects(pd.DataFrame(planned_runs(plan(config))), own_registration(), strata, {})


def test_the_default_study_has_the_arms_that_every_claim_takes_but_one() -> None:
    found = outlooks(in_study("default"), own_registration(), {})
    judged = {one.claim for one in found if one.assumed}
    assert {one.claim for one in found} - judged == {"A8"}  # its L1 arm on outliers is trained by `full` alone


def test_a_study_without_the_arms_of_a_claim_judges_none_and_says_so() -> None:
    effects = in_study("smoke")
    assert not set(effects["claim"]) & {"A1", "A1s", "e"}
    entries = {one["id"]: one for one in judge(effects, own_registration())["added"]}
    assert entries["A1"]["verdict"] == "inconclusive (too few datasets)"
    assert "no dataset was planned for which it trains both mlp-adam and adamw" in entries["A1"]["sentence"]


def settings() -> Registration:
    return registration(
        claim("x", parts=[part("p"), part("q")], strata=["label", "target"]),
        claim("y"),
        claim("added", family="added", strata=["label", "target"]),
        claim("pc", family="control", role="control", expects=["supported"]),
        situated("g", {"label": ["linear", "mlp"], "target": ["mlp"]}, multiplicity="situations"),
        situated("c", {"all": ["linear", "mlp"]}),
    )


def test_families_count_as_the_judge_counts_them() -> None:
    families = judge(effects([1.0] * 5), settings())["families"]
    assert families == {"claims": 4, "kinds": 2, "added": 3, "situations": 3, "control pc 0": 1}
    counted = rows_in_families(settings())
    assert {name: n for name, n in counted.items() if not name.startswith("record")} == families
    own = judge(effects([1.0] * 5), own_registration())["families"]
    assert rows_in_families(own_registration()).items() >= own.items()


def test_factors_come_from_the_family_and_the_datasets() -> None:
    rows = together(
        effects(spread(0, 1, 12), part="p", stratum="label"), effects(spread(0, 1, 8), part="q", stratum="target")
    )
    (x, y, *_) = outlooks(rows, settings(), {("x", "all", "p"): 0.5, ("x", "all", "q"): 3.0})
    assert x.datasets == 8
    factor = detectable_factor(8, 0.05 / (2 * 4))
    assert x.assumed == pytest.approx((1 + factor, 1 + 2 * factor))
    assert (x.spread, x.seen) == (3.0, pytest.approx(1 + 3 * factor))
    assert (y.datasets, y.assumed, y.seen) == (0, (), None)


def test_a_claim_in_situations_has_an_outlook_for_each() -> None:
    rows = together(
        effects(spread(0, 1, 12), name="g", stratum="label", arms=["linear", "mlp"]),
        effects(spread(0, 1, 7), name="g", stratum="target", arms=["mlp"]),
    )
    found = [one for one in outlooks(rows, settings(), {("g", "label/mlp", "p"): 3.0}) if one.claim == "g"]
    assert [(one.stratum, one.datasets, one.rows) for one in found] == [
        ("label/linear", 12, 3),
        ("label/mlp", 12, 3),
        ("target/mlp", 7, 3),
    ]
    factors = [detectable_factor(k, 0.05 / (2 * 3)) for k in (12, 12, 7)]
    assert [one.assumed[0] for one in found] == pytest.approx([1 + factor for factor in factors])
    assert [one.seen for one in found] == [None, pytest.approx(1 + 3 * factors[1]), None]
    assert "g label/linear" in text(found, None, settings().constants)


def test_the_text_says_where_a_spread_comes_from_and_what_cannot_be_judged() -> None:
    rows = effects(spread(0, 1, 12), part="p")
    found = outlooks(rows, registration(claim("x"), claim("y")), {("x", "all", "p"): 9.0})
    shown = text(found, "the published study", settings().constants)
    lines = shown.splitlines()
    assert "spread seen in the published study" in " ".join(lines)
    row = next(line for line in lines if line.startswith("x ")).split()
    factor = detectable_factor(12, 0.05 / (2 * 2))
    assert row == ["x", "12", f"{1 + factor:.1f}", f"{1 + 2 * factor:.1f}", "over", "10", "(SD", "9.0)"]
    assert next(line for line in lines if line.startswith("y ")).split()[:4] == ["y", "0", "too", "few"]
    assert lines[-1] == "too few: a verdict needs 5 datasets"
    assert max(map(len, lines)) <= 100
    unknown = text(outlooks(rows, registration(claim("x")), {}), None, settings().constants)
    assert "no stored study tells better" in " ".join(unknown.split())
    assert "SD = 1" in unknown
    assert "as seen" not in unknown
