"""The specification curve on the page: what is counted, what is drawn, and that a drawing tells the truth."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest

from l2audit.report.specifications import (
    TITLES,
    ChoiceRow,
    SpecificationCurve,
    curve_section,
    neighbours,
    specification_curve,
)
from l2audit.report.style import SOFT, both

WORDS = [
    "inconclusive",
    "supported",
    "refuted (reversed)",
    "mixed",
    "inconclusive (too few datasets)",
    "depends",
    "open",
]
AXES = [
    {
        "axis": "metric",
        "choices": [{"name": "error", "reason": "as registered"}, {"name": "Brier", "reason": "proper"}],
    },
    {"axis": "delta", "choices": [{"name": "as registered", "reason": "r"}, {"name": "half", "reason": "s"}]},
    {"axis": "scaling", "choices": [{"name": "clean", "reason": "r"}, {"name": "robust", "reason": "s"}]},
]


def counted(*verdicts: str, **more: Any) -> dict[str, Any]:
    same = verdicts.count(verdicts[0])
    counts = {verdict: verdicts.count(verdict) for verdict in set(verdicts)}
    return {
        "verdict": verdicts[0],
        "same": same,
        "of": len(verdicts),
        "share": same / len(verdicts),
        "verdicts": counts,
        **more,
    }


def judged(row: str, *verdicts: str, p: float = 0.001, **more: Any) -> dict[str, Any]:
    joint = {"datasets": 45, "share": 0.5, "null_share": 0.02, "p_share": p, "median": 1.5, "p_median": 0.02}
    variance = {"metric": 0.7, "delta": 0.01, "scaling": 0.2, "residual": 0.09}
    return {"row": row, **counted(*verdicts), "estimates": [-0.5, 1.5, 3], "joint": joint, "variance": variance, **more}


def claim(name: str, made: list[tuple[str, str, float | None]], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """made: choices as digits, verdict, estimate of each specification of a claim that is judged as a whole."""
    chosen, verdicts, estimates = (list(each) for each in zip(*made, strict=True))
    columns = {
        "choices": chosen,
        "verdict": "".join(str(WORDS.index(verdict)) for verdict in verdicts),
        "rows": ["1"] * len(made),
        "counts": ["1"] * len(made),
        "estimate": estimates,
        "ci_low": [None if x is None else x - 1 for x in estimates],
        "ci_high": [None if x is None else x + 1 for x in estimates],
    }
    return {"id": name, **counted(*verdicts), "rows": rows, "specifications": columns}


def example() -> dict[str, Any]:
    """g is judged as a whole and hangs on the measure; c is firm; h in three situations."""
    made = [
        ("000", "supported", 3.0),
        ("100", "inconclusive", 0.5),
        ("010", "supported", 6.0),
        ("001", "inconclusive (too few datasets)", None),
        ("110", "inconclusive", 1.0),
    ]
    firm = [("000", "supported", 5.0), ("010", "supported", 9.9)]
    situations = [
        judged("all", "mixed", "mixed"),
        judged("label/linear", "supported", "supported", "inconclusive"),
        judged("label/mlp-adam", "refuted (reversed)", *["supported"] * 299, p=0.03),
        judged("target/linear", "inconclusive (too few datasets)", estimates=[], joint={}, variance={}),
    ]
    columns = {
        "choices": ["000", "010"],
        "verdict": "56",
        "rows": ["3124", "3120"],
        "counts": ["1111", "1111"],
    }
    return {
        "specifications_sha256": "f" * 64,
        "note": "what was known",
        "words": WORDS,
        "alpha": 0.05,
        "flips": 999,
        "axes": AXES,
        "absent": [{"axis": "metric", "choice": "other", "reason": "there is none"}],
        "claims": [
            claim("g", made, [judged("all", *(verdict for _, verdict, _ in made))]),
            claim("c", firm, [judged("all", *(verdict for _, verdict, _ in firm))]),
            {"id": "h", **counted("depends", "open"), "rows": situations, "specifications": columns},
        ],
    }


ENTRIES = [
    {"id": "c", "family": "claims", "question": "Do they shrink?"},
    {"id": "b", "family": "identity", "question": "?"},
    {"id": "g", "family": "claims", "question": "Worse?"},
    {"id": "h", "family": "claims", "question": "Better?"},
]


@pytest.fixture(scope="module")
def section() -> dict[str, Any]:
    found = curve_section(example(), ENTRIES, 10.0, "g")
    assert found is not None
    return found


def test_one_line_a_claim_in_the_order_of_the_page(section: dict[str, Any]) -> None:
    keys = ("claim", "verdict", "same", "share", "others")
    told = [tuple({**line, "verdict": line["badge"].text}[key] for key in keys) for line in section["lines"]]
    other = "inconclusive 2, inconclusive (too few datasets) 1"
    assert told == [
        ("c", "supported", "2 of 2", "100\u202f%", "none"),
        ("g", "supported", "2 of 5", "40\u202f%", other),
        ("h", "depends", "1 of 2", "50\u202f%", "open 1"),
    ]


def test_situations_stand_by_kind_and_model_family(section: dict[str, Any]) -> None:
    table = section["situations"]
    assert table.head == ["Claim", "Kind of contamination", "linear", "mlp-adam"]
    assert [list(row) for row in table.rows] == [
        ["(h)", "label noise", "▲\u202f67\u202f%", "▼\u202f<1\u202f%"],
        ["", "vertical outliers", "○\u202f100\u202f%", ""],
    ]


def test_joint_tests_stand_by_situation_without_the_record_over_all(section: dict[str, Any]) -> None:
    moved = "measure of error 70\u202f%, scaled by rows 20\u202f%"
    figures = ["+1.5 [−0.5, 3.0]", "50\u202f% (2\u202f%)"]
    assert [list(row) for row in section["tests"].rows] == [
        ["(c)", "all together", *figures, "0.001", "0.020", moved],
        ["(g)", "all together", *figures, "0.001", "0.020", moved],
        ["(h)", "label noise, linear", *figures, "0.001", "0.020", moved],
        ["", "label noise, mlp-adam", *figures, "0.030", "0.020", moved],
    ]


def test_the_joint_test_of_the_headline_is_one_sentence(section: dict[str, Any]) -> None:
    assert section["joint"] == (
        "Taken together, 50\u202f% of the specifications of claim (g) have a significant effect as claimed; where the "
        "signs of whole datasets are flipped at random, 999 times, 2\u202f% have (p = 0.001)."
    )
    of_situations = curve_section(example(), ENTRIES, 10.0, "h")
    assert of_situations is not None
    assert of_situations["joint"] == (
        "Taken together, the specifications of claim (h) show an effect as claimed in 1 of 2 situations: more of them "
        "are significant there than where the signs of whole datasets are flipped at random, 999 times (p at most "
        "0.05, corrected for 2 situations)."
    )


def test_a_claim_in_situations_has_no_curve_but_what_each_choice_does(section: dict[str, Any]) -> None:
    found = section["drawn"][-1]
    assert (found["id"], found["picture"]) == ("h", None)
    assert found["alone"].head[-1] == "Situations with the same verdict"
    assert [row[1:] for row in found["alone"].rows] == [["depends", "3 of 3"], ["open", "2 of 3"]]


def test_nearly_all_is_not_all() -> None:
    found = example()
    found["claims"][1] |= {"same": 299, "of": 300, "share": 299 / 300}
    section = curve_section(found, ENTRIES, 10.0, "g")
    assert section is not None
    assert section["lines"][0]["share"] == ">99\u202f%"


def test_what_is_printed_as_ninety_per_cent_counts_as_firm() -> None:
    found = example()
    found["claims"][1] |= {"same": 404, "of": 450, "share": 404 / 450}
    section = curve_section(found, ENTRIES, 10.0, "g")
    assert section is not None
    assert section["lines"][0]["share"] == "90\u202f%"
    assert section["sentence"].endswith("stays as it is for (c).")


def test_the_sentence_is_about_the_central_claim_and_names_the_firm_ones(section: dict[str, Any]) -> None:
    assert section["sentence"] == (
        "For claim (g), 2 of 5 specifications, 40\u202f%, give the verdict “supported” as registered. In at least "
        "90\u202f% of theirs, the verdict stays as it is for (c)."
    )
    assert section["absent"] == ["Not among them is “other” under “measure of error”: there is none."]


def test_a_claim_whose_verdict_often_changes_is_drawn_and_a_firm_one_is_not(section: dict[str, Any]) -> None:
    assert [one["id"] for one in section["drawn"]] == ["g", "h"]
    picture = section["drawn"][0]["picture"]
    assert "The same verdict in 2 of 5 specifications." in picture.caption
    described = re.findall(r"<desc[^>]*>(.*?)</desc>", picture.body)
    assert len(described) == 2
    assert described[0].startswith("Estimates from +0.5 δ to +6.0 δ.")
    assert "Measure of error: error 67\u202f%, Brier 0\u202f%" in described[0]


def test_each_choice_alone_is_told_without_the_others(section: dict[str, Any]) -> None:
    told = [(re.sub(r"<.*?>", " ", str(choice)), verdict) for choice, verdict, _ in section["drawn"][0]["alone"].rows]
    assert told == [
        ("all as registered", "supported"),
        ("Brier  Measure of error ", "inconclusive"),
        ("half  Smallest effect, δ ", "supported"),
        ("robust  Scaled by rows ", "inconclusive (too few datasets)"),
    ]


def test_the_order_of_specifications_does_not_change_a_drawing(section: dict[str, Any]) -> None:
    found = copy.deepcopy(example())
    columns = found["claims"][0]["specifications"]
    for name, values in columns.items():
        columns[name] = values[:1] + values[:0:-1]
    again = curve_section(found, ENTRIES, 10.0, "g")
    assert again is not None
    assert again["drawn"][0]["picture"].body == section["drawn"][0]["picture"].body


def test_without_a_measured_claim_there_is_no_section() -> None:
    assert curve_section({**example(), "claims": []}, ENTRIES, 10.0, "g") is None


def test_every_axis_has_a_title() -> None:
    from l2audit.specifications.choices import AXES as known

    assert set(TITLES) == set(known)


@pytest.mark.parametrize(("n", "most"), [(3, 10), (10, 10), (11, 10), (1350, 114)])
def test_columns_hold_every_specification_once_and_in_order(n: int, most: int) -> None:
    found = neighbours(n, most)
    assert np.concatenate(found).tolist() == list(range(n))
    assert len(found) == min(n, most)
    sizes = {len(one) for one in found}
    assert max(sizes) - min(sizes) <= 1


def curve(n: int, made: np.ndarray) -> SpecificationCurve:
    estimate = np.linspace(-2, 2, n)
    rows = [ChoiceRow("this", made, "50", SOFT, True), ChoiceRow("that", ~made, "50", SOFT, False)]
    return SpecificationCurve(estimate, estimate - 1, estimate + 1, n // 3, [("Choice", rows)], 10.0)


def drawn(found: SpecificationCurve) -> str:
    return str(both(lambda width: specification_curve(width, found), "x", "t", "d"))


def test_a_choice_is_drawn_where_its_specifications_stand() -> None:
    """Forty of them, the lower half by one choice: one stroke over the left half of its row, one over the right."""
    svg = drawn(curve(40, np.arange(40) < 20))
    assert svg.count("<svg") == 2
    wide = svg.split("</svg>", maxsplit=1)[0]
    bars = re.findall(r'd="M ([\d.]+) ([\d.]+) *\nL ([\d.]+) ([\d.]+) *\n"[^>]*stroke-width: 11\.1', wide)
    left, middle, right = 250.0, (250.0 + 880 - 46) / 2, 880.0 - 46
    ends = sorted((float(start), float(end)) for start, _, end, _ in bars)
    assert ends == [pytest.approx((left, middle), abs=0.1), pytest.approx((middle, right), abs=0.1)]


def test_a_thousand_specifications_stay_small() -> None:
    made = np.random.default_rng(0).random(1350) < 0.5
    svg = drawn(curve(1350, made))
    assert len(svg) < 60_000


@pytest.mark.parametrize(("family", "drawn"), [("claims", ["c", "g", "h"]), ("added", ["g", "h"])])
def test_of_claims_that_are_not_firm_only_the_threads_are_drawn(family: str, drawn: list[str]) -> None:
    found = example()
    found["claims"] = [
        {**one, "same": 1, "of": 4, "share": 0.25} if one["id"] == "c" else one for one in found["claims"]
    ]
    section = curve_section(found, [{**ENTRIES[0], "family": family}, *ENTRIES[1:]], 10.0, "g")
    assert section is not None
    assert [one["id"] for one in section["drawn"]] == drawn
