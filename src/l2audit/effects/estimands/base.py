"""What an estimand is, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from l2audit.effects.contrast import Contrast
from l2audit.effects.grid import Array
from l2audit.measures import MEASURES, UNPENALISED_RUN
from l2audit.registry import Registry, nearest

CLEAN_ROWS, CONTAMINATED, BOTH, ACROSS = "clean", "contaminated", "both", "across"
"""Where an estimand lives: one row at the clean level; one a contaminated level; both; one at the clean level for which
every level is read."""

KINDS = "kinds"
"""The parameter, open to every estimand with contaminated rows, that keeps a part to some kinds of contamination."""
MEASURE = "measure"
"""The parameter that names the measure which an estimand is about."""

TOLD_BY_MEASURE = {"layer_spread": "layers closer"}
"""Measures whose falls are told in a way of their own, whatever estimand takes them."""

Theta = Callable[[Contrast], Array]


@dataclass(frozen=True)
class Estimand:
    """A registered estimand: theta as a function of a contrast, where it lives and what it asks of a run.

    levels        clean | contaminated | both | across.
    judged_band   The chosen beta must lie in the judged band.
    losses        Those needed beside the primary one.
    takes         Parameters that a part must give.
    display       How an effect is shown: a name in l2audit.wording.display.
    has_slope     Theta can be taken at any beta in place of the chosen one.
    falls         Theta is the fall of the measure that the part names.
    from_zero     That measure is read at beta = 0, too.
    """

    theta: Theta
    formula: str
    levels: str
    judged_band: bool = True
    losses: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    display: str = "plain"
    has_slope: bool = True
    falls: bool = False
    from_zero: bool = False

    def told(self, parameters: Mapping[str, Any]) -> str:
        """The display of an effect of a part with these parameters."""
        return TOLD_BY_MEASURE.get(parameters.get(MEASURE, ""), self.display) if self.falls else self.display


ESTIMANDS: Registry[Estimand] = Registry("estimand")


def estimand(name: str, **says: Any) -> Callable[[Theta], Theta]:
    """Register a function as the estimand `name`; `says`: the other fields of `Estimand`."""

    def register(theta: Theta) -> Theta:
        ESTIMANDS.add(name, Estimand(theta, **says))
        return theta

    return register


def parameter_faults(name: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(parameter, what is wrong with it, fix) of a part with the estimand `name`; UnknownName: no such estimand."""
    known = ESTIMANDS[name]
    open_to_it = {*known.takes, *([KINDS] if known.levels in (CONTAMINATED, BOTH) else [])}
    for missing in sorted(set(known.takes) - set(parameters)):
        yield missing, f"the estimand '{name}' needs this parameter", f"add `{missing}:`"
    for extra in sorted(set(parameters) - open_to_it):
        fix = nearest(extra, open_to_it) if open_to_it else "remove it"
        yield extra, f"the estimand '{name}' has no such parameter", fix
    measure = parameters.get(MEASURE)
    if MEASURE in known.takes and measure is not None and measure not in MEASURES:
        yield MEASURE, f"unknown measure '{measure}'", nearest(str(measure), MEASURES.names())
    elif known.from_zero and measure is not None and UNPENALISED_RUN in MEASURES[measure].rests_on:
        problem = f"'{measure}' compares a run with beta = 0, where it has no value, but '{name}' needs one"
        yield MEASURE, problem, "name another measure, or an estimand that reads it at the chosen beta alone"
