"""What the page says of the code and the judge themselves: known results, how often it errs, when the rule was made."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from l2audit.report import apparatus
from l2audit.report.page import build_page, write_page
from l2audit.report.pictures import Published
from l2audit.stored import write_frame
from l2audit.trial.calibration import TARGETS
from l2audit.wording.sentences import registration_status
from report_example import ROOT, example, oracles

CALIBRATION = json.loads((ROOT / "report/published/study-1/calibration.json").read_text(encoding="utf-8"))


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture
def arguments() -> dict[str, Any]:
    """The example without the claims that have figures: they take seconds to draw."""
    found = example()
    drawn = {**found["verdicts"], "claims": found["verdicts"]["claims"][:1], "controls": []}
    no_curves = {**found["specifications"], "claims": []}
    return {**found, "verdicts": copy.deepcopy(drawn), "oracles": oracles(), "specifications": no_curves}


def test_known_results_are_shown_with_expected_obtained_tolerance_and_source(arguments: dict[str, Any]) -> None:
    text = text_of(build_page(Published(**arguments)))
    assert "3 of 3 are reproduced." in text
    assert "Least squares on stack loss source of stackloss −39.9197 0.7156 −39.9197 0.71564 5e−05 holds" in text
    assert "1/(beta·n) source of bound at most 1 0.96 holds" in text


def test_a_known_result_that_fails_stamps_the_page_and_stands_first(arguments: dict[str, Any]) -> None:
    assert "not reproduced" not in "".join(re.findall(r'class="stamp".*', build_page(Published(**arguments))))
    arguments["oracles"][0]["holds"] = False
    html = build_page(Published(**arguments))
    stamp = re.findall(r'<p class="stamp"[^>]*>(.*)</p>', html)
    assert stamp == ["A known result was not reproduced (deletion): do not rely on the numbers of this page."]
    text = text_of(html)
    assert "2 of 3 are reproduced." in text
    assert text.index("FAILS") < text.index("Least squares on stack loss")


def test_a_registration_that_was_changed_is_stamped_with_both_hashes(arguments: dict[str, Any]) -> None:
    text = text_of(build_page(Published(**arguments)))
    present = arguments["verdicts"]["registration_sha256"]
    assert f"Registered before training: all 40 shards of runs carry this registration, {present[:12]}." in text
    arguments["verdicts"]["registered"] = registration_status(present, {"b" * 64: 3, present: 37})
    html = build_page(Published(**arguments))
    (stamp,) = re.findall(r'<p class="stamp"[^>]*>(.*)</p>', html)
    assert "3 of 40 shards of runs were trained under bbbbbbbbbbbb" in stamp
    assert present[:12] in stamp
    assert f"registration of 3 shards at their training {'b' * 64}" in text_of(html)
    assert "Registered before training" not in html


def test_shards_that_do_not_say_are_unknown_and_no_stamp(arguments: dict[str, Any]) -> None:
    del arguments["verdicts"]["registered"]
    html = build_page(Published(**arguments))
    assert "It is not known whether this registration is older than the results" in html
    assert 'class="stamp"' not in html


def test_the_calibration_is_told_in_plain_words_and_in_full(arguments: dict[str, Any]) -> None:
    text = text_of(build_page(Published(**arguments)))
    null = [r for r in CALIBRATION["scenarios"] if r["group"] in ("family", "family t3") and r["truth"] == "all 0"]
    worst = max(row["wrong_in_family"]["rate"] for row in null)
    told = "If nothing were true, a study like this one would still call one of nine claims supported or reversed in"
    assert f"{told} {100 * worst:.1f}" in text
    assert f"All {len(CALIBRATION['scenarios'])} settings" in text
    without = build_page(Published(**{**arguments, "calibration": None}))
    assert "The judge has not been put on trial here" in text_of(without)
    assert len(build_page(Published(**arguments))) - len(without) < 60_000


def test_every_target_has_its_question() -> None:
    assert set(apparatus.QUESTIONS) == {target.name for target in TARGETS}


def test_a_missed_demand_is_shown_as_missed() -> None:
    missed = copy.deepcopy(CALIBRATION)
    missed["targets"][0]["met"] = False
    found = apparatus.calibration(missed, None)
    assert found is not None
    assert found["targets"].rows[0][-1] == "NO"
    assert (found["met"], found["of"]) == (len(missed["targets"]) - 1, len(missed["targets"]))


def test_it_is_told_whether_the_judge_of_the_page_was_the_one_on_trial(arguments: dict[str, Any]) -> None:
    judge = arguments["provenance"]["code_sha256"]["judge"]

    def told(tried: dict[str, str]) -> str:
        table = {key: value for key, value in CALIBRATION.items() if key != "judge_sha256"} | tried
        return build_page(Published(**{**arguments, "calibration": table}))

    assert f"The judge on trial was the very one that made the verdicts here, {judge[:12]}." in told(
        {"judge_sha256": judge}
    )
    other = told({"judge_sha256": "9" * 64})
    assert (
        f"<b>Another version of the judge was on trial: {'9' * 12}, and the verdicts here are by {judge[:12]}." in other
    )
    assert "<b>It is not known whether the judge on trial was the one of this page" in told({})


def test_a_page_takes_the_calibration_that_it_is_given_or_that_lies_beside_it(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    evidence = arguments
    for name in ("verdicts", "identities", "provenance", "oracles", "specifications"):
        (tmp_path / f"{name}.json").write_text(json.dumps(evidence[name]), encoding="utf-8")
    for name in ("effects", "summary"):
        write_frame(evidence[name], tmp_path / f"{name}.parquet")
    page, trial = tmp_path / "page.html", tmp_path / "elsewhere.json"
    write_page(tmp_path, page)
    assert "has not been put on trial" in page.read_text(encoding="utf-8")
    trial.write_text(json.dumps(CALIBRATION), encoding="utf-8")
    write_page(tmp_path, page, trial)
    assert "If nothing were true" in page.read_text(encoding="utf-8")
    trial.rename(tmp_path / "calibration.json")
    write_page(tmp_path, page)
    assert "If nothing were true" in page.read_text(encoding="utf-8")
