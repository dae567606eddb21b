"""How an effect is shown: an estimand names its display, so that a logarithm reaches the reader as a ratio.

A display changes words and figures alone. Delta, estimand and every test stay on the registered scale.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from l2audit.registry import Registry

MINUS = "\u2212"
SMALLEST = "the smallest effect that counts"


def number(value: float | None, step: float, *, sign: bool = False) -> str:
    """`value` with the decimals that show two digits of `step` and a real minus sign; "?" if not finite."""
    if value is None or not math.isfinite(value):
        return "?"
    decimals = min(6, max(0, 1 - math.floor(math.log10(step))))
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0:
        return text
    return (MINUS if value < 0 else "+" if sign else "") + text


def ratio(value: float | None) -> str:
    """A positive number with two significant digits, whole from 10 on, and two decimals near 1; "?" if not finite.

    >>> ratio(0.4213), ratio(1.047), ratio(2.31), ratio(14.3), ratio(0.0071)
    ('0.42', '1.05', '2.3', '14', '0.0071')
    """
    if value is None or not math.isfinite(value):
        return "?"
    return f"{value:.{max(2 if round(value, 2) < 2 else 0, 1 - math.floor(math.log10(value)))}f}"


BEYOND = f"beyond {{value}}, {SMALLEST},"
SHARE = (BEYOND, BEYOND, f"less than a change to {{value}}, {SMALLEST}, either way")
NEAR_1 = f"nearer to 1 than a factor of {{value}}, {SMALLEST}, either way"
TIMES = (f"more than {{value}} times, {SMALLEST},", f"less than {{value}} times, {SMALLEST},", NEAR_1)
FACTOR = (f"more than {{value}}, {SMALLEST},", f"less than {{value}}, {SMALLEST} the other way,", NEAR_1)


@dataclass(frozen=True)
class Display:
    """Words for an effect; `{value}` is a number, `{unit}` the registered unit.

    larger, reverse, within   beyond the smallest effect that counts, beyond it the other way, smaller either way
    effect, opposite   a mean effect of either sign, before its interval
    average   an average effect of some size, as a noun
    at_least  one of that size or more, as a noun
    heading   of a column of such numbers
    of        the number shown for an effect on the registered scale; a falling one swaps the ends of an interval
    """

    larger: str = f"larger than {{value}}, {SMALLEST},"
    reverse: str = f"the other way by more than {{value}}, {SMALLEST},"
    within: str = f"smaller than {{value}}, {SMALLEST}, either way"
    effect: str = "the effect is {value} {unit}"
    opposite: str = "the effect is {value} {unit}"
    average: str = "an average effect of {value} {unit}"
    at_least: str = "an average effect of at least {value} {unit}"
    heading: str = "{unit}"
    of: Callable[[float], float] | None = None

    @property
    def amount(self) -> str:
        """The smallest effect that counts, as a noun."""
        return re.sub("^an average (effect of |of )?", lambda found: "" if found[1] else "a ", self.average)

    @property
    def excluded(self) -> str:
        """That an average effect of some size is ruled out."""
        return f"{self.average} is excluded"

    def number(self, value: float | None, step: float, *, sign: bool = False) -> str:
        """One figure as it is shown; `step` is delta."""
        if self.of is None:
            return number(value, step, sign=sign)
        return ratio(None if value is None else self.of(value))

    def ends(self, low: float | None, high: float | None, step: float) -> tuple[str, str]:
        """The two ends of an interval, the smaller number first."""
        falling = self.of is not None and self.of(1.0) < self.of(0.0)
        first, second = (high, low) if falling else (low, high)
        return self.number(first, step), self.number(second, step)


def _left(what: str) -> Display:
    """The display of a fall of the logarithm of `what`."""
    fall = f"an average fall of the {what} to {{value}} of itself"
    return Display(
        *SHARE,
        effect=f"the {what} falls to {{value}} of itself",
        opposite=f"the {what} rises to {{value}} of itself",
        average=fall,
        at_least=f"{fall} or less",
        heading=f"{what} with the penalty / without",
        of=lambda effect: math.exp(-effect),
    )


PLAIN_DISPLAY = "plain"
DISPLAYS: Registry[Display] = Registry("display")
for name, display in {
    PLAIN_DISPLAY: Display(),
    "share left": _left("norm"),
    "gradient left": _left("gradient"),
    "times the damage": Display(
        *TIMES,
        effect="the best penalty leaves {value} times the damage that Huber loss leaves",
        opposite="the best penalty leaves {value} times the damage that Huber loss leaves",
        average="an average of {value} times the damage",
        at_least="an average of {value} times the damage or more",
        heading="damage left: penalty / Huber loss",
        of=math.exp,
    ),
    "times the beta": Display(
        *TIMES,
        effect="the best beta is {value} times the one for clean rows",
        opposite="the best beta is {value} times the one for clean rows",
        average="an average of {value} times the beta",
        at_least="an average of {value} times the beta or more",
        heading="best beta: outliers / clean",
        of=lambda effect: 10.0**effect,
    ),
    "layers closer": Display(
        *FACTOR,
        effect="the norms of the layers come closer by a factor of {value}",
        opposite="the norms of the layers come closer by a factor of {value}, which is further apart",
        average="an average factor of {value} between the norms of the layers",
        at_least="norms of the layers that come closer by an average factor of {value} or more",
        heading="typical ratio of layer norms: without the penalty / with",
        of=math.exp,
    ),
    "tenfold weights": Display(
        *FACTOR,
        effect="a weight ten times larger shrinks by a further factor of {value}",
        opposite="a weight ten times larger shrinks by only {value} times the factor of the smaller one",
        average="an average further factor of {value} for a weight ten times larger",
        at_least="an average further factor of {value} or more for a weight ten times larger",
        heading="shrinking factor: weight ten times larger / smaller",
        of=lambda effect: 10.0**effect,
    ),
}.items():
    DISPLAYS.add(name, display)
