"""The page in a real Chromium, at the width of a desk and of a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import chromium
from l2audit.report.page import build_page
from l2audit.report.pictures import Published
from report_example import example

pytestmark = pytest.mark.skipif(chromium.executable() is None, reason="Chromium is not installed")

OVERFLOWING = """
[...document.querySelectorAll('body *')].filter(e => {
  if (e.closest('.scroll, pre, svg, .skip, .hidden')) return false;
  const box = e.getBoundingClientRect();
  return box.width > 0 && box.right > document.documentElement.clientWidth + 1;
}).map(e => e.tagName + '.' + e.className).slice(0, 5)
"""
# Text of a drawing must stay inside the drawing: what sticks out is cut off.
CUT_OFF = """
[...document.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().width > 0).flatMap(s => {
  const frame = s.getBoundingClientRect();
  return [...s.querySelectorAll('text')].filter(t => {
    const box = t.getBoundingClientRect();
    const beyond = (low, high, from, to) => low < from - 1 || high > to + 1;
    return beyond(box.left, box.right, frame.left, frame.right) || beyond(box.top, box.bottom, frame.top, frame.bottom);
  }).map(t => s.getAttribute('aria-labelledby') + ': ' + t.textContent);
}).slice(0, 5)
"""
# Contrast of text against the page, after WCAG 2: relative luminance of the two colours.
CONTRAST = """
(() => {
  const light = c => { const v = c / 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = c => 0.2126 * light(c[0]) + 0.7152 * light(c[1]) + 0.0722 * light(c[2]);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const kinds = 'p, a, td, th, li, dd, dt, figcaption, .badge, .label, svg text, caption, summary';
  const faults = new Set();
  for (const e of document.querySelectorAll(kinds)) {
    if (!e.getClientRects().length || e.closest('.anchor')) continue;
    const style = getComputedStyle(e);
    const text = parse(e.namespaceURI.endsWith('svg') ? style.fill : style.color);
    const [a, b] = [luminance(text), luminance(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faults.add(e.tagName + '.' + (e.className.baseVal ?? e.className) + ' ' + text);
  }
  return [...faults].slice(0, 5);
})()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "example.html"
    target.write_text(build_page(Published(**example())), encoding="utf-8")
    return target


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium.browser() as tab:
        yield tab


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_page_fits_its_window(browser: Any, page: Path, width: int) -> None:
    browser.open(page, width=width)
    browser.value("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    assert browser.value("document.documentElement.clientWidth") == width
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value(OVERFLOWING) == []
    assert browser.value(CUT_OFF) == []


def test_claims_and_controls_are_cards_on_a_phone_with_a_label_at_each_number(browser: Any, page: Path) -> None:
    sideways = (
        "[...document.querySelectorAll('table.cards')].map(table => table.closest('.scroll'))"
        ".map(box => box.scrollWidth - box.clientWidth)"
    )
    labels = (
        "[...document.querySelectorAll('#controls tbody tr:first-child td')]"
        ".map(cell => getComputedStyle(cell, '::before').content)"
    )
    heads = ["Expected", "Obtained", "Result", "Datasets"]
    for width, shown in ((390, [f'"{head} "' for head in heads]), (1280, ["none"] * 4)):
        browser.open(page, width=width)
        assert set(browser.value(sideways)) == {0}
        assert browser.value(labels) == shown


@pytest.mark.parametrize("width", [390, 1280])
def test_it_asks_for_nothing_and_nothing_is_complained_about(browser: Any, page: Path, width: int) -> None:
    browser.open(page, width=width)
    assert browser.requests() == [page.resolve().as_uri()]
    assert browser.problems() == []


def test_the_headings_and_one_drawing_of_each_pair_are_seen(browser: Any, page: Path) -> None:
    for width in (390, 1280):
        browser.open(page, width=width)
        sections = browser.value("[...document.querySelectorAll('section h2')].map(h => h.getClientRects().length)")
        assert len(sections) > 10
        assert all(sections)
        seen = browser.value(
            "[...document.querySelectorAll('figure')].map(f => [...f.querySelectorAll('svg')]"
            ".filter(s => s.getClientRects().length).length)"
        )
        assert seen == [1] * len(seen)
        assert len(seen) > 5


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(browser: Any, page: Path, dark: bool) -> None:
    browser.open(page, width=1280, dark=dark)
    ground = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(21, 24, 27)") is dark
    assert browser.value(CONTRAST) == []


def test_contents_stay_beside_the_text_on_a_wide_window(browser: Any, page: Path) -> None:
    browser.open(page, width=1280)
    browser.value("window.scrollTo({top: 4000, behavior: 'instant'})")
    box = browser.value(
        "(() => { const b = document.querySelector('.toc').getBoundingClientRect(); return [b.top, b.right]; })()"
    )
    left = browser.value("document.querySelector('main').getBoundingClientRect().left")
    assert 0 <= box[0] < 100
    assert box[1] <= left
