"""Sentences say what the numbers say, in the units of the reader; the table fits its terminal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from judging import DELTA, claim, effects, part, registration, situated, spread, together
from l2audit.config.claims import Registration
from l2audit.effects.estimands import ESTIMANDS
from l2audit.judge.verdicts import judge
from l2audit.wording.display import DISPLAYS, number
from l2audit.wording.sentences import registration_status
from l2audit.wording.tables import markdown, text_table, verdict_table

STRATA = ["label", "target"]
WIDE = (-5, 5, -5, 5)


def verdicts(rows: pd.DataFrame, *claims: dict[str, Any], **options: Any) -> dict[str, Any]:
    return judge(rows, registration(*claims), **options)


def sentence(rows: pd.DataFrame, *claims: dict[str, Any]) -> str:
    text: str = verdicts(rows, *claims)["claims"][0]["sentence"]
    return text


def test_supported_in_one_unit() -> None:
    assert sentence(effects(spread(3, 0.5, 10))) == (
        "Averaged over 10 datasets, the effect is +3.0 percentage points of test error [2.6, 3.4], larger than 1.0, "
        "the smallest effect that counts. A new dataset: 1.8 to 4.2."
    )


def test_supported_but_not_in_every_dataset_after_correction() -> None:
    text = sentence(effects(spread(3, 1.5, 10)), claim(), claim("y"))
    assert "larger than 1.0, the smallest effect that counts, after correction for 2 comparisons." in text
    assert text.endswith("A new dataset: −0.6 to 6.6, so not in every dataset.")


def test_two_tasks_get_their_own_figures() -> None:
    rows = together(
        effects(dict(zip("abcdef", spread(3, 0.5, 6), strict=True))),
        effects(dict(zip("ghijkl", spread(3, 0.5, 6), strict=True)), task="regression"),
    )
    text = sentence(rows)
    assert "+3.0 [2.7, 3.3] times the smallest that counts (+3.0 percentage points of test error [2.5, 3.5]" in text
    assert "in classification, where 1.0 counts; +0.060 nRMSE [0.050, 0.070] in regression, where 0.020 counts)" in text


def test_tasks_of_one_unit_are_pooled() -> None:
    same = {"classification": "log ratio", "regression": "log ratio"}
    one = part(
        unit=same, scale={"classification": 1, "regression": 1}, delta={"classification": 0.01, "regression": 0.01}
    )
    rows = together(effects([3.0] * 3), effects({c: 1.5 for c in "xyz"}, task="regression"))
    assert "the effect is +0.030 log ratio [0.030, 0.030], larger than 0.010" in sentence(rows, claim(parts=[one]))


SHRINKAGE = part(
    estimand="shrinkage",
    unit={"classification": "log ratio"},
    scale={"classification": 1},
    delta={"classification": 0.0953},
)


def shrunk(*factors: float) -> pd.DataFrame:
    """Datasets in which the norm falls to these shares of itself."""
    return effects([math.log(1 / factor) / DELTA["classification"] for factor in factors])


def test_a_logarithm_is_told_as_a_ratio() -> None:
    text = sentence(shrunk(0.7, 0.8, 0.6, 0.7, 0.75, 0.65), claim(parts=[SHRINKAGE]))
    logs = np.log([0.7, 0.8, 0.6, 0.7, 0.75, 0.65])
    low, high = np.exp(stats.t.interval(0.95, 5, logs.mean(), stats.sem(logs)))
    assert text.startswith(
        f"Averaged over 6 datasets, the norm falls to {np.exp(logs.mean()):.2f} of itself [{low:.2f}, {high:.2f}], "
        "beyond 0.91, the smallest effect that counts. A new dataset: 0.5"
    )


def test_a_ratio_the_other_way_round() -> None:
    text = sentence(shrunk(1.4, 1.5, 1.45, 1.5, 1.55, 1.42), claim(parts=[SHRINKAGE]))
    assert text.startswith(
        "The opposite holds: averaged over 6 datasets, the norm rises to 1.47 of itself [1.41, 1.53], "
    )
    assert "beyond 1.10, the smallest effect that counts." in text


def test_an_excluded_or_small_ratio() -> None:
    excluded = sentence(shrunk(1.0, 1.1, 0.95, 1.12, 0.93, 1.15), claim(parts=[SHRINKAGE]))
    assert excluded.startswith("An average fall of the norm to 0.91 of itself is excluded: averaged over 6 datasets")
    small = sentence(shrunk(1.0, 0.99, 1.01, 1.0, 1.0, 1.0), claim(parts=[SHRINKAGE]))
    assert "less than a change to 0.91, the smallest effect that counts, either way" in small


def told(estimand: str, *effects_in_delta: float, delta: float, unit: str, **parameters: str) -> str:
    """The sentence of datasets with these effects."""
    both = dict.fromkeys(DELTA, 1)
    one = part(
        estimand=estimand,
        parameters=parameters,
        unit=dict.fromkeys(DELTA, unit),
        scale=both,
        delta=dict.fromkeys(DELTA, delta),
    )
    return sentence(effects([size * delta / DELTA["classification"] for size in effects_in_delta]), claim(parts=[one]))


SIX = (5.0, 5.1, 4.9, 5.0, 5.0, 5.0)


def negative(effects_in_delta: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(-size for size in effects_in_delta)


def test_best_betas_are_told_as_a_ratio() -> None:
    text = told("optimal_beta", *(0.6 * size for size in SIX), delta=0.5, unit="decades of beta")
    assert "the best beta is 32 times the one for clean rows [30, 33], more than 3.2 times, the smallest" in text
    text = told("optimal_beta", *(0.6 * size for size in negative(SIX)), delta=0.5, unit="decades of beta")
    assert "the best beta is 0.032 times the one for clean rows" in text
    assert "less than 0.32 times, the smallest effect that counts." in text


def test_gradients_and_selective_shrinking_are_told_as_factors() -> None:
    assert "the gradient falls to 0.62 of itself" in told("input_gradient", *SIX, delta=0.0953, unit="log ratio")
    assert "the gradient rises to 1.61 of itself" in told(
        "input_gradient", *negative(SIX), delta=0.0953, unit="log ratio"
    )
    assert (
        "a weight ten times larger shrinks by a further factor of 3.2 [3.1, 3.2], more than 1.26, the smallest"
        in told("selectivity", *SIX, delta=0.1, unit="per unit of log weight")
    )
    assert "shrinks by only 0.32 times the factor of the smaller one" in told(
        "selectivity", *negative(SIX), delta=0.1, unit="per unit of log weight"
    )


def test_one_estimand_tells_logarithms_as_factors_and_indices_as_they_are() -> None:
    layers = told("evenness", *SIX, delta=0.0953, unit="log units", measure="layer_spread")
    assert (
        "the norms of the layers come closer by a factor of 1.61 [1.60, 1.62], more than 1.10, the smallest" in layers
    )
    apart = told("clean_rise", *SIX, delta=0.0953, unit="log units", measure="layer_spread")
    assert "the effect is +0.476 log units" in apart  # claimed to come apart: no words about coming closer
    gini = told("evenness", *SIX, delta=0.05, unit="of the Gini index", measure="gini_all")
    assert "the effect is +0.250 of the Gini index [0.247, 0.253], larger than 0.050, the smallest" in gini


@pytest.mark.parametrize("name", DISPLAYS.names())
def test_every_display_says_its_number_and_orders_its_interval(name: str) -> None:
    show = DISPLAYS[name]
    for template in (show.effect, show.opposite, show.amount, show.at_least, show.larger, show.reverse, show.within):
        assert template.format(value="7.5", unit="u").count("7.5") == 1
    low, high = (float(end.replace("\u2212", "-")) for end in show.ends(-0.5, 1.5, 0.1))
    assert low < high


@pytest.mark.parametrize("name", ESTIMANDS.names())
def test_every_estimand_has_a_display(name: str) -> None:
    assert ESTIMANDS[name].display in DISPLAYS


def test_what_a_study_could_have_found_is_said_in_the_units_of_the_reader() -> None:
    entry = verdicts(effects(spread(3, 0.5, 10)))["claims"][0]
    size = f"{entry['mde']:.1f}"
    assert entry["detectable"] == (
        f"This study could have found an average effect of at least {size} percentage points of test error "
        f"({size} times the smallest that counts) with 90 % power."
    )
    wide = verdicts(effects(spread(0, 9, 6), seeds=WIDE))["claims"][0]
    assert wide["mde"] > 10
    assert wide["detectable"].startswith("At this spread even an average effect of 10 times the smallest that counts")
    ratio = verdicts(shrunk(0.7, 0.8, 0.6, 0.7, 0.75, 0.65), claim(parts=[SHRINKAGE]))["claims"][0]
    assert f"fall of the norm to {math.exp(-ratio['mde'] * 0.0953):.2f} of itself or less" in ratio["detectable"]
    assert verdicts(effects([3.0]))["claims"][0]["detectable"] == ""


@pytest.mark.parametrize(
    ("mean", "sd", "start"),
    [
        (-3.0, 0.5, "The opposite holds: averaged over 10 datasets, the effect is −3.0 percentage points"),
        (-0.6, 0.9, "An average effect of 1.0 percentage points of test error is excluded: averaged over 10 datasets"),
        (0.0, 0.3, "Averaged over 10 datasets, the effect is 0.0 percentage points of test error [−0.2, 0.2]: smaller"),
        (0.9, 2.0, "Not settled: averaged over 10 datasets, the effect is +0.9 percentage points"),
    ],
)
def test_the_other_verdicts(mean: float, sd: float, start: str) -> None:
    assert sentence(effects(spread(mean, sd, 10), seeds=WIDE)).startswith(start)


def test_no_meaningful_effect_says_what_may_have_been_missed() -> None:
    text = sentence(effects(spread(0, 0.3, 10), seeds=WIDE))
    assert text.endswith("An exception in up to 26 % of such datasets could have been missed.")


def test_inconclusive_says_where_it_leans_and_what_would_settle_it() -> None:
    entry = verdicts(effects(spread(2, 2, 10), seeds=WIDE), *(claim(n) for n in "xyz"))["claims"][0]
    k = entry["datasets_to_settle"]
    told = f"it leans towards the claim; about {k} datasets would settle it at this spread with 90 % power"
    assert told in entry["sentence"]


def test_a_mean_on_the_boundary_is_never_settled() -> None:
    text = sentence(effects(spread(1, 1, 10), seeds=WIDE))
    assert "not even 1000 datasets would settle it" in text


def test_a_refuted_conjunction_names_its_parts() -> None:
    rows = together(effects(spread(4, 0.5, 8)), effects(spread(-0.6, 0.5, 8), part="q", seeds=WIDE))
    text = sentence(rows, claim(parts=[part("p"), part("q")]))
    assert text.startswith("It fails as a whole because “Part q” fails; an average effect of 1.0 percentage points")
    assert text.endswith("“Part p” holds.")


def test_mixed_names_the_kinds_or_counts_the_datasets() -> None:
    kinds = together(effects(spread(4, 1, 8), stratum="label"), effects(spread(-4, 1, 8), stratum="target"))
    text = sentence(kinds, claim(strata=STRATA))
    assert text.startswith("It depends on the kind of outlier: it holds for label noise (+4.0 percentage points")
    assert "; the opposite holds for vertical outliers (−4.0 percentage points" in text
    split = sentence(effects([4.0] * 4 + [-4.0] * 3 + [0.0] * 3))
    assert split == "It depends on the dataset: of 10 datasets, 4 decisively show it and 3 decisively the reverse."


def test_what_cannot_be_judged_says_why() -> None:
    assert sentence(effects([3.0] * 3)) == (
        "This study cannot judge it: 3 of 3 planned datasets could be scored, and 5 are needed."
    )
    assert "no dataset was planned" in sentence(effects([]))
    assert "hardly acted" in sentence(effects([0.0] * 6, active=False))


def test_cut_datasets_are_admitted_and_the_estimate_is_not_cut() -> None:
    text = sentence(effects([30.0, 12.0, 8.0, 8.0, 9.0]))
    assert text.startswith("Averaged over 5 datasets, the effect is +13.4 percentage points of test error [1.7, 25.1]")
    assert text.endswith(
        "(In the test a dataset counts at most 10 times the smallest effect that counts; 2 do, and the mean judged is"
        " +9.0 times it.)"
    )


def test_equal_scores_keep_their_interval() -> None:
    assert "+8.0 percentage points of test error [8.0, 8.0]" in sentence(effects([8.0] * 6))


def in_situations(linear: float, mlp: float, *, label: float = 0.0) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Three situations with these average effects, spread by half a delta over eight datasets."""
    rows = together(
        effects(spread(linear, 0.5, 8), stratum="target", arms=["linear"]),
        effects(spread(mlp, 0.5, 8), stratum="target", arms=["mlp-adam"]),
        effects(spread(label, 0.5, 8), stratum="label", arms=["linear"]),
    )
    return rows, situated("x", {"target": ["linear", "mlp-adam"], "label": ["linear"]}, multiplicity="situations")


@pytest.mark.parametrize(
    ("means", "verdict", "text"),
    [
        (
            (4.0, -4.0),
            "depends",
            "It depends. It holds for linear models under vertical outliers; the opposite holds for networks by Adam "
            "under vertical outliers.",
        ),
        ((-4.0, -4.0), "refuted", "No. Of 3 situations 3 speak against the claim, and none supports it."),
        ((4.0, 4.0), "open", "Open. Of 3 situations 2 support the claim and 1 speak against it."),
    ],
)
def test_the_situations_of_a_claim_make_its_verdict(means: tuple[float, float], verdict: str, text: str) -> None:
    rows, said = in_situations(*means)
    found = verdicts(rows, said, claim("y"))
    entry = found["claims"][0]
    assert (entry["verdict"], entry["sentence"]) == (verdict, text)
    assert [(row["stratum"], row["kind"], row["family"]) for row in entry["strata"]] == [
        ("target/linear", "target", "linear"),
        ("target/mlp-adam", "target", "mlp-adam"),
        ("label/linear", "label", "linear"),
    ]
    assert found["families"] == {"situations": 3, "claims": 1}


def test_no_average_over_model_families_stands_as_the_estimate() -> None:
    rows, said = in_situations(4.0, -2.0)
    entry = verdicts(rows, said)["claims"][0]
    assert [entry[name] for name in ("estimate", "ci_low", "ci_high")] == [None] * 3
    assert all("m" not in one for one in entry["parts"])
    assert entry["record"]["stratum"] == "all" and entry["record"]["estimate"] is not None
    assert entry["record"]["rows_in_family"] == 1
    assert (entry["n_datasets"], entry["n_planned_datasets"]) == (8, 8)
    lines = verdict_table(verdicts(rows, said)).splitlines()
    head = next(line for line in lines if line.startswith("x "))
    assert head.split() == ["x", "depends", "8", "of", "8"]
    assert next(line for line in lines if line.startswith("  target/linear")).split()[1:4] == [
        "supported",
        "+4.0",
        "[3.6,",
    ]
    table = markdown(verdicts(rows, said)).splitlines()
    assert table[0].startswith("**Does it?** It depends.")
    assert table[2:6] == [
        "| | linear models | networks by Adam |",
        "|---|---|---|",
        "| vertical outliers | supported | refuted (reversed) |",
        "| label noise | no meaningful effect |  |",
    ]
    assert table[-1].startswith("| x | “it does” (the answerer) | **depends** | It depends.")


def test_situations_without_enough_datasets_give_no_headline() -> None:
    rows = together(effects([3.0] * 3, arms=["linear"]), effects([3.0] * 4, arms=["mlp-sgd"]))
    entry = verdicts(rows, situated("x", {"all": ["linear", "mlp-sgd"]}))["claims"][0]
    assert entry["verdict"] == "inconclusive (too few datasets)"
    assert entry["sentence"] == "This study cannot judge it: none of 2 situations has the 5 datasets that are needed."
    assert entry["situations"] == {"judged": 0, "supported": 0, "reversed": 0, "negative": 0}


def test_identities() -> None:
    one = {"id": "b1", "statement": "The penalty is quadratic.", "checks": ["c"], "holds_means": "supported"}
    check = {"claim": "b", "check": "c", "expected": 2, "obtained": 2.5, "holds": False}
    settings = claim("b", family="identity", parts=[one])
    assert sentence(effects([]), settings).startswith("Not settled: an exact check")
    false = verdicts(effects([]), settings, identities=[check])["claims"][0]["sentence"]
    assert false == "False by calculation: “The penalty is quadratic” does not hold; expected 2, obtained 2.5."
    true = verdicts(effects([]), settings, identities=[{**check, "holds": True}])["claims"][0]["sentence"]
    assert true == "True by calculation: 1 exact check out of 1 hold."


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [(2.345, 1.0, "2.3"), (-0.04, 1.0, "0.0"), (-0.0512, 0.02, "−0.051"), (None, 1.0, "?"), (12.3, 10, "12")],
)
def test_numbers_show_two_digits_of_their_step(value: float | None, step: float, expected: str) -> None:
    assert number(value, step) == expected


def test_an_added_claim_is_listed_by_its_question_and_its_checks_count() -> None:
    one = {"id": "A", "statement": "It is so.", "checks": ["c"], "holds_means": "supported"}
    exact = claim("A", family="added-identity", quote="", author="this study", parts=[one])
    measured = claim("B", family="added", quote="", author="this study", question="Does it rise?")
    check = {"claim": "A", "check": "c", "expected": 2, "obtained": 2, "holds": True}
    found = verdicts(effects(spread(3, 0.5, 10), name="B"), claim(), exact, measured, identities=[check])
    assert [entry["id"] for entry in found["claims"]] == ["x"]
    assert [(entry["id"], entry["verdict"]) for entry in found["added"]] == [("A", "supported"), ("B", "supported")]
    assert found["families"] == {"claims": 1, "added": 1}
    assert "| B | Does it rise? (added) | **supported** |" in markdown(found)


def everything() -> tuple[pd.DataFrame, Registration]:
    rows = together(
        effects(spread(4, 1, 8), stratum="label"),
        effects(spread(-4, 1, 8), stratum="target"),
        effects([2.0] * 3, name="few"),
        effects([-3.0] * 6, name="pc", role="control"),
    )
    settings = registration(
        claim("x", strata=STRATA),
        claim("few", family="added"),
        claim("pc", family="control", role="control", expects=["supported"]),
    )
    return rows, settings


@pytest.mark.parametrize("width", [30, 60, 80, 120])
def test_the_table_fits_the_terminal_and_is_ascii(width: int) -> None:
    text = verdict_table(judge(*everything()), width)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= width


def test_text_tables_keep_names_and_align_numbers() -> None:
    rows = [["1.25", 3, 2.04, "a"], ["  1e5", None, 11.0, "bcd"]]
    assert [line.split() for line in text_table(rows, ["name", "n", "x", "word"]).splitlines()] == [
        ["name", "n", "x", "word"],
        ["1.25", "3", "2.0", "a"],
        ["1e5", "-", "11.0", "bcd"],
    ]
    lines = text_table(rows, ["name", "n", "x", "word"]).splitlines()
    assert lines[2].startswith("  1e5")
    assert lines[1].index("2.0") == lines[2].index("11.0") + 1
    assert lines[1].index("a") == lines[2].index("bcd")


def test_a_changed_registration_is_told_above_the_verdicts() -> None:
    found = judge(*everything())
    assert (
        "registration"
        not in verdict_table({**found, "registered": registration_status("a" * 64, {"a" * 64: 3})}).lower()
    )
    changed = {**found, "registered": registration_status("a" * 64, {"b" * 64: 3})}
    told = "The registration was changed after training: 3 of 3 shards of runs were trained under bbbbbbbbbbbb, and are"
    assert " ".join(verdict_table(changed, 60).split()).startswith(told)
    assert markdown(changed).startswith(f"**{told}")


def test_the_table_shows_claims_kinds_and_controls() -> None:
    lines = verdict_table(judge(*everything()), 100).splitlines()
    assert any(line.split()[:2] == ["x", "mixed"] for line in lines)
    assert any(line.startswith("  label ") and "supported" in line and "+4.0 [3.2, 4.8]" in line for line in lines)
    assert "    control failed: expected supported" in lines
    assert [line for line in lines if line.isupper()] == ["CLAIMS", "ADDED", "CONTROLS"]
