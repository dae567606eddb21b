"""Tables of text: the verdicts for a terminal and for a README, and any rows under a head."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from l2audit.wording.display import MINUS, number
from l2audit.wording.phrases import Entry, multiple
from l2audit.wording.sentences import CHANGED, shown_rows, stratum

HEADINGS = ("claim", "verdict", "estimate [low, high]*", "datasets")
FOOT = "* in multiples of the smallest effect that counts; plus agrees with the claim"


def text_table(rows: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    """Rows of cells as lines under `head`: names first, then numbers to the right, words to the left, "-" for None."""
    if not rows:  # which `disable_numparse` cannot take
        return "  ".join(head)
    style = {"tablefmt": "plain", "missingval": "-", "floatfmt": ".1f", "preserve_whitespace": True}
    return str(tabulate(rows, head, disable_numparse=[0], **style))


def verdict_table(verdicts: Mapping[str, Any], width: int = 100) -> str:
    """The verdicts for a terminal, in lines of at most `width` characters, ASCII wherever the statements are."""
    sections = [("CLAIMS", verdicts["claims"]), ("ADDED", verdicts["added"]), ("CONTROLS", verdicts["controls"])]
    blocks = [textwrap.fill(notice(verdicts), width)] if notice(verdicts) else []
    blocks += ["\n".join([title, *_section(entries, width)]) for title, entries in sections if entries]
    return "\n\n".join(blocks).translate({ord(MINUS): "-", ord("“"): '"', ord("”"): '"'}) + "\n"


def markdown(verdicts: Mapping[str, Any]) -> str:
    """The verdicts in Markdown: the situations of the headline by kind and family, then a row a claim.

    A row has the claim's id, quote and author, verdict and sentence.
    """
    lines = [f"**{notice(verdicts)}**", ""] if notice(verdicts) else []
    for entry in (*verdicts["claims"], *verdicts["added"]):
        if entry["id"] == verdicts["headline"] and "record" in entry:
            lines += [f"**{entry['question']}** {entry['sentence']}", "", *_situations(shown_rows(entry)), ""]
    lines += ["| | what was said | verdict | |", "|---|---|---|---|"]
    for entry in (*verdicts["claims"], *verdicts["added"]):
        said = f"“{entry['quote']}” ({entry['author']})" if entry["quote"] else f"{entry['question']} (added)"
        lines.append(f"| {entry['id']} | {said} | **{entry['verdict']}** | {entry['sentence']} |")
    return "\n".join(lines) + "\n"


def _situations(rows: Sequence[Entry]) -> Iterator[str]:
    """A Markdown table of the verdicts of situations: a line a kind of contamination, a column a model family."""
    kinds, families = (list(dict.fromkeys(row[key] for row in rows)) for key in ("kind", "family"))
    found = {(row["kind"], row["family"]): row["verdict"] for row in rows}
    yield f"| | {' | '.join(map(stratum, families))} |"
    yield "|---" * (1 + len(families)) + "|"
    for kind in kinds:
        yield f"| {' | '.join([stratum(kind), *(found.get((kind, family), '') for family in families)])} |"


def notice(verdicts: Mapping[str, Any]) -> str:
    """What stands above all verdicts where the registration was changed after training; else ""."""
    about = verdicts.get("registered")
    return str(about["sentence"]) if about and about["status"] == CHANGED else ""


def _section(entries: Sequence[Entry], width: int) -> Iterator[str]:
    """A line per claim and per stratum, the claim's sentence below; without columns where `width` is too narrow."""
    cells: list[list[str]] = []
    for row in (row for entry in entries for row in (entry, *shown_rows(entry))):
        low, mean, high, planned = (row[key] for key in ("ci_low", "estimate", "ci_high", "n_planned_datasets"))
        value = "" if mean is None else number(mean, 1, sign=True) if low is None else multiple(mean, low, high)
        name = row["id"] if "id" in row else f"  {row['stratum']}"
        cells.append([name, row["verdict"], value, f"{row['n_datasets']} of {planned}" if planned else ""])
    head, *lines = text_table(cells, HEADINGS).splitlines()
    wide = max(map(len, [head, *lines])) <= width
    if wide:
        yield from (head, "-" * len(head))
    rows = zip(lines, cells, strict=True)
    for entry in entries:
        for line, own in itertools.islice(rows, 1 + len(shown_rows(entry))):
            yield from [line.rstrip()] if wide else textwrap.wrap(": ".join(own[:2]), width)
        expected = f"expected {' or '.join(entry['expects'])}" if "outcome" in entry else ""
        for text in (entry["sentence"], f"control {entry['outcome']}: {expected}" if expected else ""):
            yield from textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
    if wide and any(row["estimate"] is not None for entry in entries for row in (entry, *shown_rows(entry))):
        yield from textwrap.wrap(FOOT, width)
