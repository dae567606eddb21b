"""What figures look like, and how a matplotlib figure becomes inline SVG that follows the page's theme."""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from html import escape
from typing import Any, NamedTuple

from markupsafe import Markup
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from l2audit.report.words import plain

Pair = tuple[float, float]

# Matplotlib draws in these stand-in colours; `to_svg` replaces each by the CSS variable of the same name, so that one
# drawing serves both themes. The values themselves are never seen.
_NAMES = ("ink", "soft", "line", "paper", "band", "agree", "against", "mixed", "null")
_VARIABLES = {f"#0a01{number:02d}": name for number, name in enumerate(_NAMES, start=1)}
INK, SOFT, LINE, PAPER, BAND, AGREE, AGAINST, MIXED, NULL = _VARIABLES
WIDE, NARROW = 880.0, 356.0  # CSS pixels: the column of the page, and a phone held upright
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: smaller, selectable, in the reader's own font
    "svg.hashsalt": "l2audit",  # ids that do not change from build to build
    "font.family": "DejaVu Sans",  # ships with matplotlib, so that the layout is the same on every machine
    "font.size": 13.0,
    "axes.titlesize": 12.0,
    "axes.labelsize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.labelsize": 12.0,
    "ytick.labelsize": 12.0,
    "legend.fontsize": 12.0,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": LINE,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 72.0,  # one point is one CSS pixel at full width
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "lines.linewidth": 1.6,
}


def drawing() -> AbstractContextManager[None]:
    """Draw inside this context: the project's style and nothing from the user's own matplotlib settings."""
    return style.context(_RC, after_reset=True)


def both(draw: Callable[[float], Figure], name: str, title: str, description: str) -> Markup:
    """What `draw` makes of the width of a page and of that of a phone; the style sheet shows one of the two."""
    with drawing():
        wide = to_svg(draw(WIDE), f"{name}-w", title, description, css_class="wide-only")
        return wide + to_svg(draw(NARROW), f"{name}-n", title, description, css_class="narrow")


class Picture(NamedTuple):
    """A figure with its caption; `heading` names it, `caption` says what to see."""

    id: str
    body: Markup
    heading: str
    caption: str


def picture(
    name: str, draw: Callable[[float], Figure], heading: str, caption: str, told: tuple[str, str], id: str = ""
) -> Picture:
    """What `draw` makes of the width of a page and of a phone; `told`: title and description, its text alternative.

    name: of the drawings, unique within the page; id: of the figure, where it is another one.
    """
    return Picture(id or name, both(draw, name, *told), heading, caption)


def blank(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` CSS pixels (no pyplot: no global state, no display)."""
    return Figure(figsize=(width / 72, height / 72))


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes on `figure` at a place in CSS pixels."""
    across, up = figure.get_size_inches() * 72
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


class Room(NamedTuple):
    """Room in CSS pixels: around each panel, and at the left, right and upper edge of the figure."""

    above: float
    below: float
    left: float
    right: float
    gap: float
    top: float = 0.0


def grid(width: float, count: int, columns: int, tall: float, room: Room) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels in rows of `columns`, each `tall`; all sizes in CSS pixels."""
    height = room.top + math.ceil(count / columns) * (room.above + tall + room.below)
    span = (width - room.left - room.right - room.gap * (columns - 1)) / columns
    figure = blank(width, height)
    for number in range(count):
        row, column = divmod(number, columns)
        bottom = height - room.top - (room.above + tall) * (row + 1) - room.below * row
        panel(figure, room.left + column * (span + room.gap), bottom, span, tall)
    return figure, figure.axes


def legend(figure: Figure, columns: int, **look: Any) -> None:
    """One legend for all panels in the upper left corner."""
    marks = {text: mark for axes in figure.axes for mark, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(marks.values(), marks.keys(), loc="upper left", ncols=columns, bbox_to_anchor=(0, 1),
                  borderaxespad=0, **look)  # fmt: skip


def note(axes: Axes, text: str, at: Pair, shift: Pair, by: Any = "axes fraction", **look: Any) -> None:
    """Write `text` at `shift` pixels from the point `at`, in units of `by`: the axes' own extent unless told."""
    axes.annotate(text, at, shift, xycoords=by, textcoords="offset points",
                  **{"fontsize": 11.5, "color": SOFT, **look})  # fmt: skip


def headings(axes: Axes, title: str, lift: float, told: str, told_lift: float) -> None:
    """A title over a panel and a line of text below it, at heights in pixels above the upper edge."""
    note(axes, title, (0, 1), (0, lift), fontsize=12, fontweight="bold", color=INK)
    note(axes, told, (0, 1), (0, told_lift), fontsize=12, fontweight="normal")


def wrapped(text: str, most: int) -> str:
    """`text` in lines of at most `most` characters, broken between words."""
    return textwrap.fill(text, most, break_long_words=False, break_on_hyphens=False)


def axis_limit(reach: Iterable[float], clip: float) -> float:
    """Half width of an axis in deltas: 3, 5 or a little over `clip`, the smallest that shows every point of `reach`."""
    most = max(reach, default=0.0)
    return next((limit for limit in (3.0, 5.0) if most < limit), clip + 0.6)


def delta_axis(axes: Axes, axis: Axis, limit: float) -> None:
    """An axis of effects in units of delta from -`limit` to `limit`, without a frame and without other ticks."""
    step = 5 if limit > 6 else 2 if limit > 3 else 1
    ticks = [tick for tick in range(-int(limit), int(limit) + 1) if tick % step == 0]
    axes.set(xticks=[], yticks=[])
    axis.set_ticks(ticks, [plain(tick, 0, sign=True) + "δ" if tick else "0" for tick in ticks])
    axes.tick_params(axis="both", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)


def to_svg(figure: Figure, name: str, title: str, description: str, *, css_class: str = "") -> Markup:
    """`figure` as one `<svg role="img">` element that can stand in an HTML page beside others.

    `name` prefixes every id (unique within the page); `title` and `description` are its text alternative.
    The bytes depend on the drawing alone: no date, no version, no random id.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn = buffer.getvalue()
    box = re.findall(r'viewBox="([^"]+)"', drawn)[0]
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 : drawn.rindex("</svg>")]
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', body))
    replacements: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
        (r"(?s)<metadata>.*?</metadata>|<!--.*?-->", ""),
        (r"(?s)<defs>\s*<style.*?</style>\s*</defs>", ""),  # would style the whole page
        (r"xlink:href", "href"),
        (r"font-family: [^;\"]*;? ?", ""),
        (r"font: (\d+) ([\d.]+)px [^;\"]*", r"font-weight: \1; font-size: \2px"),
        (r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px"),
        (r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else ""),
        (r'(url\(|href=")#', rf"\1#{name}-"),
        (r' transform="rotate\(-0 [^)]*\)"', ""),
        (r"<[^>]*>", lambda tag: re.sub(r"\b(\d+\.\d\d)\d+", r"\1", tag[0])),  # coordinates, not labels
        ("|".join(_VARIABLES), lambda colour: f"var(--{_VARIABLES[colour[0]]})"),
        (r"\n\s*", "\n"),
        # Equal marks, <use .../> lines of one style: written once, on their group, it takes a third of the bytes.
        (
            r'<g([^>]*)>\n((?:<use [^>]*) style="([^"]*)"/>\n(?:<use [^>]* style="\3"/>\n)*)</g>',
            lambda found: f'<g{found[1]} style="{found[3]}">\n' + found[2].replace(f' style="{found[3]}"', "") + "</g>",
        ),
    ]
    for pattern, by in replacements:
        body = re.sub(pattern, by, body)
    attributes = f'class="{css_class}" ' if css_class else ""
    return Markup(
        f'<svg {attributes}viewBox="{box}" style="max-width:{float(box.split()[2]):.0f}px" role="img" '
        f'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>\n{body.strip()}</svg>'
    )
