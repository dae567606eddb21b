"""The gallery: pictures that the registered functions make, one for each kind, in the page's own manner."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import escape

from l2audit.config.load import table
from l2audit.contamination import FEATURES, FEATURES_AND_TARGET, KINDS, TARGET, Kind, random_rows
from l2audit.report import gallery as module
from l2audit.report.gallery import ROWS, gallery
from l2audit.report.page import build_page
from l2audit.report.pictures import Published
from l2audit.report.style import NARROW
from report_example import example

ENTRIES = table(Path(__file__).parents[2], "contaminations")
USED = {"sym", "vert"}
STEP = NARROW / 2  # from a place in the left panel to the same place in the right one, where there are two


@pytest.fixture
def fresh() -> None:
    module._picture.cache_clear()


def cards(kinds: Mapping[str, Any] = ENTRIES) -> dict[str, dict[str, Any]]:
    found = gallery(kinds, USED)
    assert found is not None
    return {card["name"]: card for card in (*found["used"], *found["others"])}


def marks(card: dict[str, Any], colour: str, panel: int = 1) -> list[tuple[float, float]]:
    """Where the marks of a colour stand in one panel (0: clean)."""
    panels = ElementTree.fromstring(card["body"]).findall("./g/g")[1:]
    style = f"fill: var(--{colour})"
    return [
        (float(use.attrib["x"]), float(use.attrib["y"]))
        for group in panels[panel].iter("g")
        if group.get("style") == style
        for use in group.findall("use")
    ]


def test_every_kind_has_a_card_those_of_the_study_first() -> None:
    found = gallery(ENTRIES, USED)
    assert found is not None
    assert [card["name"] for card in found["used"]] == ["sym", "vert"]
    assert {card["name"] for card in found["others"]} == set(KINDS) - USED


@pytest.mark.parametrize("name", [name for name in KINDS.names() if KINDS[name].hits in (TARGET, FEATURES)])
def test_as_many_marks_as_rows_and_as_many_hits_as_the_rate_asks_for(name: str) -> None:
    card, entry = cards()[name], ENTRIES[name]
    rate = entry["levels"][0]["rate"]
    assert len(marks(card, "against", 0)) == ROWS
    hit, kept = marks(card, "agree"), marks(card, "against")
    assert len(hit) + len(kept) == ROWS
    assert len(hit) == round(rate * ROWS) if entry["rate"] != "cells" else len(hit) <= round(rate * 2 * ROWS)


def test_a_vertical_outlier_stands_above_the_place_that_it_had() -> None:
    card = cards()["vert"]
    left = marks(card, "against", 0)
    for x, y in marks(card, "agree"):
        ((_, before),) = [place for place in left if abs(place[0] + STEP - x) < 0.02]
        assert y < before - 30  # SVG counts from the top


@pytest.mark.parametrize("name", ["sym", "pair", "local"])
def test_flipped_labels_change_their_class_and_stay_in_their_place(name: str) -> None:
    colours = ("against", "agree", "mixed")
    clean, after = ({c: set(marks(cards()[name], c, panel)) for c in colours} for panel in (0, 1))
    moved = {c: {(round(x + STEP, 2), y) for x, y in clean[c]} for c in colours}
    assert set().union(*moved.values()) == set().union(*after.values())
    gone = {c: moved[c] - after[c] for c in colours}
    assert sum(map(len, gone.values())) == round(0.2 * ROWS)
    if name == "pair":
        assert all(gone[c] <= after[colours[(k + 1) % 3]] for k, c in enumerate(colours))


def test_good_leverage_lies_on_the_line_and_bad_leverage_does_not() -> None:
    def off(name: str) -> float:
        body = ElementTree.fromstring(cards()[name]["body"])
        panel = body.findall("./g/g")[3]
        (line,) = [one.attrib["d"] for one in panel.iter("path") if "stroke: var(--soft)" in one.get("style", "")]
        x0, y0, x1, y1 = map(float, re.findall(r"-?[\d.]+", line))
        return float(
            np.mean([abs(y - (y0 + (y1 - y0) * (x - x0) / (x1 - x0))) for x, y in marks(cards()[name], "agree", 2)])
        )

    assert off("goodlev") < 0.1
    assert min(off(name) for name in ("badlev", "badlev_pc1", "badlev_last")) > 20


def test_the_same_bytes_every_time_in_any_order(fresh: None) -> None:
    once = {name: str(card["body"]) for name, card in cards().items()}
    module._picture.cache_clear()
    again = {name: str(card["body"]) for name, card in cards(dict(reversed(ENTRIES.items()))).items()}
    assert again == once


@pytest.mark.parametrize("name", KINDS.names())
def test_a_picture_is_well_formed_themed_and_told_in_words(name: str) -> None:
    card = cards()[name]
    drawn = ElementTree.fromstring(card["body"])
    assert drawn.attrib["role"] == "img"
    assert ENTRIES[name]["description"] in str(drawn.findtext("desc"))
    assert re.findall(r"#[0-9a-f]{6}\b", card["body"]) == []
    ids = re.findall(r' id="([^"]*)"', card["body"])
    assert len(ids) == len(set(ids))
    assert all(one.startswith(f"kind-{name}-") for one in ids)


def test_all_pictures_together_are_small() -> None:
    assert sum(len(card["body"].encode()) for card in cards().values()) < 120_000


def test_a_picture_shows_what_the_function_does(monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    before = cards()["vert"]["body"]
    twins = KINDS["vert"].twins
    down = Kind(
        lambda rows, reference, magnitude, draws: twins(rows, reference, -magnitude, draws), TARGET, random_rows
    )
    monkeypatch.setitem(KINDS._items, "vert", down)
    module._picture.cache_clear()
    assert cards()["vert"]["body"] != before
    module._picture.cache_clear()


def test_a_kind_of_ones_own_is_drawn_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Kind(lambda rows, reference, magnitude, draws: (-rows.X, -rows.y), FEATURES_AND_TARGET, random_rows)
    monkeypatch.setitem(KINDS._items, "mirror", own)
    entry = {**ENTRIES["goodlev"], "description": "Everything is <mirrored> & turned."}
    card = cards({**ENTRIES, "mirror": entry})["mirror"]
    assert card["heading"] == "mirror"
    assert "&lt;mirrored&gt; &amp; turned" in card["body"]


def test_what_is_not_described_or_no_longer_registered_is_left_out() -> None:
    assert gallery({}, USED) is None
    assert gallery({"forgotten": ENTRIES["sym"]}, USED) is None
    assert set(cards({"sym": ENTRIES["sym"], "forgotten": ENTRIES["sym"]})) == {"sym"}


def test_the_page_explains_its_kinds_and_folds_the_others() -> None:
    page = build_page(Published(**example()))
    start = page.index('<section id="outliers"')
    shown, folded = page[start : page.index("</section>", start)].split("<details")
    for name in KINDS:
        place = shown if name in ("sym", "vert", "badlev", "badlev_class") else folded
        assert f"<code>{name}</code>" in place, name
        for key in ("description", "formula", "source"):
            assert escape(ENTRIES[name][key]) in place
    assert page.count('href="#outliers"') >= 3


def test_evidence_that_describes_no_kind_gives_a_page_without_the_section() -> None:
    arguments = example()
    del arguments["provenance"]["contaminations"]
    page = build_page(Published(**arguments))
    assert 'outliers"' not in page
