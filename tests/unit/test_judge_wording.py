"""Sentences say what the numbers say, in the units of the reader; the table fits its terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from judging import claim, effects, part, registration, spread, together
from l2audit.judge.claims import Registration
from l2audit.judge.verdicts import judge
from l2audit.judge.wording import number, table

STRATA = ["label", "target"]
WIDE = (-5, 5, -5, 5)


def verdicts(rows: pd.DataFrame, *claims: dict[str, Any], **options: Any) -> dict[str, Any]:
    return judge(rows, registration(*claims), resamples=20, **options)


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
    assert "larger than 1.0, the smallest effect that counts, after correction for 2 claims." in text
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
    assert f"it leans towards the claim; about {k} datasets would settle it at this spread" in entry["sentence"]
    settled = verdicts(effects(spread(2, 2, k), seeds=WIDE), *(claim(n) for n in "xyz"))["claims"][0]
    short = verdicts(effects(spread(2, 2, k - 1), seeds=WIDE), *(claim(n) for n in "xyz"))["claims"][0]
    assert (settled["verdict"], short["verdict"]) == ("supported", "inconclusive")


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


def test_clipped_datasets_are_admitted() -> None:
    text = sentence(effects([30.0, 12.0, 8.0, 8.0, 9.0]))
    assert text.endswith("(2 datasets beyond 10 times the smallest effect that counts entered as 10 times.)")


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
    text = table(judge(*everything(), resamples=20), width)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= width


def test_the_table_shows_claims_kinds_and_controls() -> None:
    lines = table(judge(*everything(), resamples=20), 100).splitlines()
    assert any(line.split()[:2] == ["x", "mixed"] for line in lines)
    assert any(line.startswith("  label ") and "supported" in line and "+4.0 [3.2, 4.8]" in line for line in lines)
    assert "    control failed: expected supported" in lines
    assert [line for line in lines if line.isupper()] == ["CLAIMS", "ADDED", "CONTROLS"]
