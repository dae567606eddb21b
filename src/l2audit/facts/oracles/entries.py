"""The registry that all oracles are in."""

from __future__ import annotations

from collections.abc import Callable

from l2audit.facts.checks import Check
from l2audit.registry import Registry

Oracle = Check
"""A check; `oracles()` puts the name and what it is about beside it."""

ORACLES: Registry[Callable[[], Oracle]] = Registry("oracle")
"""Name to a function whose arguments all have defaults: the parts of the pipeline that it puts to the test."""
