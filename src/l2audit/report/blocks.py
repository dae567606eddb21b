"""What the templates print on any part of the page: a table, a figure with its caption, the id of a claim's section."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from l2audit.report.style import both


@dataclass(frozen=True)
class Table:
    """A plain table: `right` are the columns of numbers, `totals` the rows that sum up. One without rows is false."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    right: Collection[int] = ()
    totals: Collection[int] = ()

    @property
    def continued(self) -> set[int]:
        """Rows that go on with the subject of the row above: their first cell is empty."""
        return {number for number, row in enumerate(self.rows) if row[0] == ""}

    def __bool__(self) -> bool:
        return bool(self.rows)


@dataclass(frozen=True)
class Picture:
    """A figure with its caption; `heading` names it, `caption` says what to see."""

    id: str
    body: Markup
    heading: str
    caption: str


def picture(
    name: str,
    draw: Callable[[float], Figure],
    *,
    heading: str,
    caption: str,
    title: str,
    description: str,
    id: str = "",
) -> Picture:
    """What `draw` makes of the width of a page and of a phone; `title` and `description` are the text alternative.

    name: of the drawings, unique within the page; id: of the figure, where it is another one.
    """
    return Picture(id or name, both(draw, name, title, description), heading, caption)


def anchor(claim_id: str) -> str:
    """The id of a claim's section: letters, digits and hyphens."""
    return "claim-" + "".join(c if c.isalnum() or c in "-_" else "-" for c in claim_id)
