"""Tables of text: the verdicts for a terminal and for a README, and any rows under a head."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from l2audit.wording.display import MINUS, number
from l2audit.wording.phrases import Entry, multiple
from l2audit.wording.registered import CHANGED

HEADINGS = ("claim", "verdict", "estimate [low, high]*", "datasets")
FOOT = "* in multiples of the smallest effect that counts; plus agrees with the claim"


def text_table(rows: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    """Rows of cells as lines under `head`: names first, then numbers to the right, words to the left, "-" for None."""
    if not rows:  # which `disable_numparse` cannot take
        return "  ".join(head)
    style = {"tablefmt": "plain", "missingval": "-", "floatfmt": ".1f", "preserve_whitespace": True}
    text: str = tabulate(rows, head, disable_numparse=[0], **style)
    return text


def verdict_table(verdicts: Mapping[str, Any], width: int = 100) -> str:
    """The verdicts for a terminal, in lines of at most `width` characters, ASCII wherever the statements are."""
    sections = [("CLAIMS", verdicts["claims"]), ("ADDED", verdicts["added"]), ("CONTROLS", verdicts["controls"])]
    blocks = [textwrap.fill(notice(verdicts), width)] if notice(verdicts) else []
    blocks += ["\n".join([title, *_section(entries, width)]) for title, entries in sections if entries]
    return "\n\n".join(blocks).translate({ord(MINUS): "-", ord("“"): '"', ord("”"): '"'}) + "\n"


def markdown(verdicts: Mapping[str, Any]) -> str:
    """The verdicts as a Markdown table: claim, quote and author, verdict, sentence."""
    lines = [f"**{notice(verdicts)}**", ""] if notice(verdicts) else []
    lines += ["| | what was said | verdict | |", "|---|---|---|---|"]
    for entry in (*verdicts["claims"], *verdicts["added"]):
        said = f"“{entry['quote']}” ({entry['author']})" if entry["quote"] else f"{entry['question']} (added)"
        lines.append(f"| {entry['id']} | {said} | **{entry['verdict']}** | {entry['sentence']} |")
    return "\n".join(lines) + "\n"


def notice(verdicts: Mapping[str, Any]) -> str:
    """What stands above all verdicts where the registration was changed after training; else ""."""
    about = verdicts.get("registered")
    return str(about["sentence"]) if about and about["status"] == CHANGED else ""


def _section(entries: Sequence[Entry], width: int) -> Iterator[str]:
    """A line per claim and per stratum, the claim's sentence below; without columns where `width` is too narrow."""
    rows = [[_cells(row) for row in (entry, *entry["strata"])] for entry in entries]
    head, *lines = text_table([cells for own in rows for cells in own], HEADINGS).splitlines()
    wide = max(map(len, [head, *lines])) <= width
    if wide:
        yield from (head, "-" * len(head))
    for entry, own in zip(entries, rows, strict=True):
        for cells in own:
            line = lines.pop(0)
            yield from [line.rstrip()] if wide else textwrap.wrap(": ".join(cells[:2]), width)
        controlled = (
            f"control {entry['outcome']}: expected {' or '.join(entry['expects'])}" if "outcome" in entry else ""
        )
        for text in (entry["sentence"], controlled):
            yield from textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
    if wide and any(entry["estimate"] is not None for entry in entries):
        yield from textwrap.wrap(FOOT, width)


def _cells(row: Entry) -> tuple[str, ...]:
    low, mean, high, planned = (row[key] for key in ("ci_low", "estimate", "ci_high", "n_planned_datasets"))
    value = "" if mean is None else number(mean, 1, sign=True) if low is None else multiple(mean, low, high)
    name = row["id"] if "id" in row else f"  {row['stratum']}"
    return name, row["verdict"], value, f"{row['n_datasets']} of {planned}" if planned else ""
