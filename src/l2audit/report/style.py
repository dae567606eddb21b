"""What figures look like, and how a matplotlib figure becomes inline SVG that follows the page's theme."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

# Matplotlib draws in these stand-in colours; `to_svg` replaces each by the CSS variable of the same name, so that one
# drawing serves both themes. The values themselves are never seen.
INK, SOFT, LINE, PAPER, BAND = "#0a0101", "#0a0102", "#0a0103", "#0a0104", "#0a0105"
AGREE, AGAINST, MIXED, NULL = "#0a0106", "#0a0107", "#0a0108", "#0a0109"
WIDE, NARROW = 880, 356  # CSS pixels: the column of the page, and a phone held upright
_VARIABLES = {
    INK: "ink",
    SOFT: "soft",
    LINE: "line",
    PAPER: "paper",
    BAND: "band",
    AGREE: "agree",
    AGAINST: "against",
    MIXED: "mixed",
    NULL: "null",
}
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: smaller, selectable, in the reader's own font
    "svg.hashsalt": "l2audit",  # ids that do not change from build to build
    "svg.id": "l2audit",
    "font.family": "DejaVu Sans",  # ships with matplotlib, so that the layout is the same on every machine
    "font.size": 13.0,
    "axes.titlesize": 13.0,
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
    "axes.titlecolor": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": LINE,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 72.0,  # one point is one CSS pixel at full width
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "lines.linewidth": 1.6,
    "path.simplify": True,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw inside this context: the project's style and nothing from the user's own matplotlib settings."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def blank(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` CSS pixels (no pyplot: no global state, no display)."""
    return Figure(figsize=(width / 72, height / 72))


def both(wide: Figure, narrow: Figure, name: str, title: str, description: str) -> Markup:
    """The same content drawn for a wide page and for a phone; the style sheet shows one of the two."""
    return to_svg(wide, f"{name}-w", title, description, css_class="wide-only") + to_svg(
        narrow, f"{name}-n", title, description, css_class="narrow"
    )


def to_svg(figure: Figure, name: str, title: str, description: str, *, css_class: str = "") -> Markup:
    """`figure` as one `<svg role="img">` element that can stand in an HTML page beside others.

    `name` prefixes every id (unique within the page); `title` and `description` are its text alternative.
    The bytes depend on the drawing alone: no date, no version, no random id.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn = buffer.getvalue()
    box = re.search(r'viewBox="([^"]+)"', drawn)
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 : drawn.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.S)  # would style the whole page
    body = re.sub(r"<!--.*?-->", "", body, flags=re.S)
    body = body.replace("xlink:href", "href")
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    body = re.sub(r"font: (\d+ )?([\d.]+)px [^;\"]*", _font, body)
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = re.sub(r'(url\(|href=")#', rf"\1#{name}-", body)
    body = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", body)
    body = re.sub(r"<[^>]*>", lambda tag: re.sub(r"\b(\d+\.\d\d)\d+", r"\1", tag[0]), body)  # coordinates, not labels
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    body = re.sub(r"\n\s*", "\n", body).strip()
    body = _MARKS.sub(_styled_once, body)
    width = float(box[1].split()[2]) if box else 0.0
    attributes = f'class="{css_class}" ' if css_class else ""
    return Markup(
        f'<svg {attributes}viewBox="{box[1] if box else ""}" style="max-width:{width:.0f}px" role="img" '
        f'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>\n{body}</svg>'
    )


# A group of equal marks: <use .../> lines of one style.
_MARKS = re.compile(r'<g([^>]*)>\n((?:<use [^>]*) style="([^"]*)"/>\n(?:<use [^>]* style="\3"/>\n)*)</g>')


def _styled_once(found: re.Match[str]) -> str:
    """The style of marks on their group, where it is written once: a third of the bytes of a scatter of points."""
    style = f' style="{found[3]}"'
    return f"<g{found[1]}{style}>\n{found[2].replace(style, '')}</g>"


def _font(found: re.Match[str]) -> str:
    weight = f"font-weight: {found[1].strip()}; " if found[1] else ""
    return f"{weight}font-size: {found[2]}px"
