"""The page as a document: whole, valid, self-contained, byte-stable, and honest about what it does not know."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from l2audit.config.claims import VERDICTS
from l2audit.errors import UserError
from l2audit.judge.verdicts import judge
from l2audit.report import words
from l2audit.report.page import PLUMBING, build_page
from l2audit.report.pictures import Published
from l2audit.report.words import interval, plain
from report_example import example, identities, registration

VOID = {"br", "hr", "img", "input", "link", "meta", "col", "source", "wbr"}
FETCHING = {"script", "iframe", "img", "object", "embed", "audio", "video", "source", "base", "form"}


class Document(HTMLParser):
    """What the checks need of a page: tags with attributes, ids, links, text, and whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        repeated = [name for name, count in Counter(name for name, _ in attrs).items() if count > 1]
        self.faults += [f"<{tag}> has '{name}' twice" for name in repeated]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open[-1:]:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def ids(self) -> Counter[str]:
        return Counter(str(attributes["id"]) for _, attributes in self.tags if "id" in attributes)


def changed(**parts: Any) -> dict[str, Any]:
    """The example's arguments, deep enough copied to be changed, with `parts` replaced."""
    arguments = example()
    arguments["verdicts"] = copy.deepcopy(arguments["verdicts"])
    return {**arguments, **parts}


@pytest.fixture(scope="module")
def html() -> str:
    return build_page(Published(**example()))


@pytest.fixture(scope="module")
def document(html: str) -> Document:
    return Document(html)


def test_every_tag_is_closed_and_no_attribute_repeats(document: Document) -> None:
    assert document.faults == []
    assert document.open == []


def test_ids_are_unique(document: Document) -> None:
    assert [name for name, count in document.ids().items() if count > 1] == []


def test_internal_links_and_label_references_resolve(document: Document) -> None:
    ids = set(document.ids())
    wanted = {str(a["href"])[1:] for a in document.all("a") if str(a.get("href", "")).startswith("#")}
    wanted |= {str(a["href"])[1:] for a in document.all("use")}
    for _, attributes in document.tags:
        wanted |= set((attributes.get("aria-labelledby") or "").split())
        wanted |= set(re.findall(r"url\(#([^)]+)\)", " ".join(str(value) for value in attributes.values())))
    assert len(wanted) > 50
    assert wanted - ids == set()


def test_nothing_is_fetched(html: str, document: Document) -> None:
    assert [tag for tag, _ in document.tags if tag in FETCHING] == []
    assert [link["href"] for link in document.all("link")] == ["data:,"]
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_every_drawing_has_a_text_alternative(document: Document) -> None:
    drawings = document.all("svg")
    assert len(drawings) > 10
    assert all(one["role"] == "img" and one["aria-labelledby"] for one in drawings)
    assert len(document.all("title")) == len(drawings) + 1
    assert len(document.all("desc")) == len(drawings)


def test_headings_go_down_one_level_at_a_time(document: Document) -> None:
    levels = [int(tag[1]) for tag, _ in document.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    after_contents = [level for level in levels if level != 1]
    assert set(after_contents) == {2, 3}
    assert levels[0] == 1


def test_every_claim_is_there_with_quote_author_verdict_sentence_and_counts(html: str, document: Document) -> None:
    text = " ".join(" ".join(document.text).split())
    ids = set(document.ids())
    for claim in example()["verdicts"]["claims"]:
        assert f"claim-{claim['id']}" in ids
        for key in ("quote", "author", "question", "sentence", "verdict"):
            assert " ".join(claim[key].split()) in text, (claim["id"], key)
    assert "https://datascience.stackexchange.com/questions/53354" in html
    assert "CC BY-SA 4.0" in text


def test_the_description_is_the_answer(document: Document) -> None:
    metas = {attributes.get("name") or attributes.get("property"): attributes for attributes in document.all("meta")}
    central = next(claim for claim in example()["verdicts"]["claims"] if claim["id"] == "g")
    assert central["sentence"] in str(metas["description"]["content"])
    assert central["sentence"] in str(metas["og:description"]["content"])
    assert metas["og:title"]["content"] == central["question"]


@pytest.mark.parametrize("claim_id", ["c", "i"])
def test_any_claim_can_be_the_one_that_answers_the_study(claim_id: str) -> None:
    """As the first measured claim of a registration of one's own, which names no headline."""
    arguments = changed()
    arguments["verdicts"]["headline"] = claim_id
    claim = next(one for one in arguments["verdicts"]["claims"] if one["id"] == claim_id)
    document = Document(build_page(Published(**arguments)))
    metas = {attributes.get("name") or attributes.get("property"): attributes for attributes in document.all("meta")}
    assert metas["og:title"]["content"] == claim["question"]
    assert claim["sentence"] in str(metas["description"]["content"])
    assert ("claim-i-damage" in document.ids()) and ("claim-c-curves" not in document.ids())


def test_same_inputs_give_the_same_bytes_in_any_row_order(html: str) -> None:
    arguments = changed()
    arguments["effects"] = arguments["effects"].sample(frac=1, random_state=1)
    arguments["summary"] = arguments["summary"].sample(frac=1, random_state=2)
    assert build_page(Published(**arguments)) == html


def test_no_clock_and_no_path(html: str) -> None:
    for folder in (Path.cwd(), Path.home(), Path(tempfile.gettempdir()), Path(__file__).parents[2]):
        assert f"{folder}/" not in html
    assert re.findall(r"\b20\d\d-\d\d-\d\d\b", html) == []


def test_the_page_is_small_enough_to_send(html: str) -> None:
    assert len(html.encode()) < 3_000_000


def test_text_from_the_configuration_is_escaped() -> None:
    attack = "<script>alert(1)</script> \"'&$x$"
    arguments = changed()
    claim = arguments["verdicts"]["claims"][5]
    for key in ("quote", "author", "question", "sentence", "note"):
        claim[key] = f"{key} {attack}"
    claim["labels"] = [attack]
    claim["parts"][0]["statement"] = f"short: {attack}"
    arguments["provenance"] = copy.deepcopy(arguments["provenance"])
    arguments["provenance"]["datasets"][0] |= {"name": attack, "description": attack, "licence": attack}
    arguments["study"] = {"name": "x", "title": attack, "verdicts": True}
    renamed = {"example_cells": f"example {attack}"}
    arguments["effects"] = arguments["effects"].replace({"dataset": renamed})
    arguments["summary"] = arguments["summary"].replace({"dataset": renamed})
    rows = [claim, claim.get("record", claim), *claim["strata"]]
    for part in (part for row in rows for part in row["parts"]):
        for one in part.get("datasets", ()):
            one["dataset"] = renamed.get(one["dataset"], one["dataset"])
    found = build_page(Published(**arguments))
    document = Document(found)
    assert document.all("script") == []
    assert document.faults == []
    assert "<script" not in found
    assert f"quote {attack}" in " ".join(document.text)


def test_a_study_without_verdicts_is_stamped_and_shows_none() -> None:
    arguments = changed(study={"name": "smoke", "title": "", "verdicts": False})
    found = build_page(Published(**arguments))
    document = Document(found)
    text = " ".join(document.text)
    assert PLUMBING in text
    assert PLUMBING in str(next(meta for meta in document.all("meta") if meta.get("name") == "description")["content"])
    assert LABEL not in found
    before_the_rule = found[: found.index('id="rule"')]
    assert 'class="badge' not in before_the_rule
    for claim in arguments["verdicts"]["claims"]:
        assert claim["sentence"] not in text


def test_a_failed_control_stamps_the_page(html: str) -> None:
    assert "do not rely on the verdicts" not in html
    arguments = changed()
    arguments["verdicts"]["controls"][0]["outcome"] = "failed"
    found = build_page(Published(**arguments))
    document = Document(found)
    assert "do not rely on the verdicts" in " ".join(document.text)
    description = next(meta for meta in document.all("meta") if meta.get("name") == "description")["content"]
    assert str(description).startswith("A control failed (planted-isotropic)")


def between(html: str, start: str, end: str) -> str:
    """The text after the first `start` and before the next `end`."""
    return html.partition(start)[2].partition(end)[0]


def test_what_is_added_is_listed_apart_and_by_its_question(html: str) -> None:
    listed = between(html, 'id="h-claims"', "</table>")
    said, added = listed.split('id="added"')
    for claim in registration().claims:
        if claim.family in ("claims", "identity"):
            assert f'href="#claim-{claim.id}"' in said
        elif claim.family != "control":
            assert f'href="#claim-{claim.id}"' in added and claim.question in added
            assert claim.question not in said
    assert "<q></q>" not in html
    assert html.count("nobody in the thread said so") == len(registration().family("added", "added-identity"))


def test_a_claim_whose_arms_are_not_in_the_study_says_so_and_shows_no_empty_table(html: str) -> None:
    own = between(html, 'id="claim-A1"', "</section>")
    assert "no dataset was planned for which it trains both mlp-adam and adamw" in own
    assert "No comparison was planned for it: this study has no model that enters a verdict here." in own
    assert "<table" not in own and "δ" not in own


def test_parts_of_different_units_name_them_and_parts_of_one_unit_leave_it_to_the_head(html: str) -> None:
    several, one = (between(html, f'id="claim-{name}"', "</section>") for name in ("h3", "g"))
    assert "h3a: percentage points of test error | nRMSE on test rows</td>" in several
    assert "h3b: percentage points of test rows given another class | of the target’s variance</td>" in several.replace(
        "&#39;", "’"
    )
    assert "Classification, percentage points of test error</th>" in one and "<td>g1</td>" in one


LABEL = "<b>Exploratory, no verdict rests on it.</b>"


def test_the_rank_correlation_stands_with_the_claim_about_damage_and_is_labelled(html: str) -> None:
    told = example()["verdicts"]["exploratory"]["evenness_and_damage"]
    own = between(html, 'id="claim-h3"', "</section>")
    assert html.count(LABEL) == own.count(LABEL) == 1
    assert told["sentence"] in own and "claim-h3-ranks-figure" in own
    for row in told["rows"]:
        known = f"{plain(row['rho'], 2, sign=True)} {interval(row['ci_low'], row['ci_high'], 2)}"
        known = "–" if row["rho"] is None else known
        assert f'<td class="r">{row["n_datasets"]}</td><td class="r">{known}</td>' in own
    known = [row for row in told["rows"] if row["rho"] is not None]
    panels = [row for row in known if row["stratum"] == "all" and row["arm"] != "all"]
    assert [row["arm"] for row in panels] == ["linear", "mlp-adam"]
    marks = between(own, 'id="claim-h3-ranks-figure"', '<svg class="narrow"').count("<use ")
    assert marks == sum(len(row["datasets"]) for row in panels) + len({"classification", "regression"})


def test_a_control_whose_arm_is_not_in_the_study_was_not_run(html: str) -> None:
    (question,) = (claim.question for claim in registration().claims if claim.id == "placebo")
    row = between(html, f'scope="row">{question}</th>', "</tr>")
    assert 'data-label="Obtained">–</td><td role="cell" data-label="Result">not run</td>' in row
    assert 'id="claim-placebo-figure"' not in html and 'id="claim-planted-collinear-figure"' in html


def test_what_was_left_out_is_counted_by_reason(document: Document) -> None:
    text = " ".join(" ".join(document.text).split())
    effects: pd.DataFrame = example()["effects"]
    lost = effects[(effects["claim"] == "g") & ~effects["ok"]]
    for reason, count in lost["reason"].value_counts().items():
        assert f"{reason} {count}" in text


def test_every_verdict_can_be_shown() -> None:
    """Each as a badge of its own glyph and word; "open", "inconclusive" and its kinds share the open one."""
    glyphs = {verdict: words.badge(verdict).glyph for verdict in VERDICTS}
    settled = [glyph for verdict, glyph in glyphs.items() if not verdict.startswith(("inconclusive", "open"))]
    assert len(set(settled)) == len(settled) == len(glyphs) - 4
    assert set(glyphs.values()) - set(settled) == {"○"}


def test_a_study_of_few_datasets_has_a_page() -> None:
    """Fewer datasets than the rule asks for: strata without a dataset, averages without an interval."""
    kept = ["example_wine", "example_sugar"]
    arguments = changed()
    effects = arguments["effects"][arguments["effects"]["dataset"].isin(kept)].reset_index(drop=True)
    summary = arguments["summary"][arguments["summary"]["dataset"].isin(kept)]
    verdicts = json.loads(json.dumps(judge(effects, registration(), identities())))
    own = {**arguments, "effects": effects, "summary": summary, "verdicts": verdicts}
    document = Document(build_page(Published(**own)))
    assert document.faults == []
    assert "inconclusive (too few datasets)" in " ".join(document.text)


def test_building_a_page_does_not_import_tensorflow() -> None:
    code = "import sys, l2audit.report.page; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_verdicts_of_an_earlier_version_are_refused_with_what_to_do() -> None:
    arguments = changed()
    del arguments["verdicts"]["headline"]
    with pytest.raises(UserError, match="earlier version"):
        build_page(Published(**arguments))
