"""The section about ranks from its entry of verdicts.json: what is shown, and what where there is little."""

from __future__ import annotations

from typing import Any

from l2audit.report.sections import rank_sections

QUESTION = "Where L2 moved the weights further towards even (d1), did it also take away more of the damage (h3a)?"
UNKNOWN = {"rho": None, "ci_low": None, "ci_high": None, "across_cells": None}
TASKS = ("classification", "regression")


def row(arm: str = "linear", stratum: str = "all", **changes: Any) -> dict[str, Any]:
    """Ten datasets, five of each task."""
    points = [
        {"dataset": f"d{k}", "task": TASKS[k % 2], "evenness": k / 20 - 0.2, "damage": (7 * k % 10) / 20 - 0.2}
        for k in range(10)
    ]
    figures = {"rho": -0.25, "ci_low": -0.71, "ci_high": 0.38, "across_cells": 0.5}
    place = {"arm": arm, "stratum": stratum, "n_datasets": 10, "n_cells": 12}
    return {**place, **figures, "datasets": points, **changes}


def entry(*rows: dict[str, Any]) -> dict[str, Any]:
    parts = {"evenness": {"claim": "d1", "part": "d1"}, "damage": {"claim": "h3", "part": "h3a"}}
    return {"evenness_and_damage": {**parts, "sentence": "So it is.", "rows": list(rows)}}


def test_it_belongs_to_the_claim_about_damage_and_names_both_parts() -> None:
    (claim, found), *others = rank_sections(entry(row())).items()
    assert (claim, others) == ("h3", [])
    assert (found["question"], found["sentence"]) == (QUESTION, "So it is.")


def test_nothing_is_shown_where_there_is_nothing() -> None:
    assert rank_sections({}) == rank_sections({"evenness_and_damage": {}}) == {}


def test_too_few_datasets_leave_the_sentence_alone() -> None:
    found = rank_sections(entry(row("all", **UNKNOWN), row(**UNKNOWN)))["h3"]
    assert (found["sentence"], found["picture"], found["table"]) == ("So it is.", None, None)


def test_the_table_names_an_architecture_once_and_prints_real_minus_signs() -> None:
    rows = [row(name, stratum) for name in ("all", "linear") for stratum in ("all", "label")]
    rows[3] |= {**UNKNOWN, "n_datasets": 3}
    table = rank_sections(entry(*rows))["h3"]["table"]
    assert table is not None
    assert [list(line) for line in table.rows] == [
        ["all architectures", "all together", "10", "−0.25 [−0.71, 0.38]", "+0.50"],
        ["", "label noise", "10", "−0.25 [−0.71, 0.38]", "+0.50"],
        ["linear", "all together", "10", "−0.25 [−0.71, 0.38]", "+0.50"],
        ["", "label noise", "3", "–", "–"],
    ]


def test_there_is_a_panel_an_architecture_with_a_mark_a_dataset() -> None:
    rows = [row("all"), row("all", "label"), row("linear"), row("linear", "label"), row("net"), row("deep", **UNKNOWN)]
    picture = rank_sections(entry(*rows))["h3"]["picture"]
    assert picture is not None
    wide, narrow = str(picture.body).split('<svg class="narrow"')
    for drawn in (wide, narrow):
        texts = [part.split("</text>")[0] for part in drawn.split("<text")[1:]]
        shown = [name for name in ("linear", "net", "deep", "all architectures") if any(f">{name}" in t for t in texts)]
        assert shown == ["linear", "net"]
        assert drawn.count("<use ") == 2 * 10 + len(TASKS)
    assert "linear: −0.25 [−0.71, 0.38] over 10 datasets; net:" in wide
    assert rank_sections(entry(*rows))["h3"]["picture"] == picture


def test_one_architecture_and_one_kind_are_drawn_too() -> None:
    found = rank_sections(entry(row("linear", "label")))["h3"]
    assert found["picture"] is not None and found["table"] is not None
