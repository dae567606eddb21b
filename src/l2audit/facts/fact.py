"""A fact: a statement that must hold exactly or is known from print, and the numbers by which our code is held to it.

A fact compares two numbers that come by different ways. What it puts to the test is an argument with a default, so
that a test can hand over a wrong thing and see the fact fail. Nothing here imports TensorFlow.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from l2audit.registry import Registry

CLAIMS = {
    "A2": ("batch_norm_ignores_scale", "layer_norm_ignores_scale", "scaled_kernel_gets_the_inverse_gradient"),
    "A3": ("ridge_shift_is_unbounded_at_every_beta", "huber_shift_is_bounded"),
    "A7": ("penalised_intercept_is_biased", "free_intercept_is_not"),
    "a": (
        "l2_loss_is_half_the_sum_of_squares",
        "gradient_is_the_weight",
        "penalty_adds_to_a_vector_loss",
        "penalty_adds_to_a_scalar_loss",
        "evaluating_leaves_the_weights",
        "quoted_code_step_by_step",
        "plain_sgd_equals_weight_decay",
        "momentum_departs_from_weight_decay",
        "adam_departs_from_weight_decay",
    ),
    "b1": ("penalty_is_quadratic", "pull_is_linear"),
    "b2": ("penalty_is_exponential",),
    "d2": ("equal_weights_have_the_least_penalty", "concentrating_weights_raises_the_penalty"),
    "h1": ("bayesian_ridge_is_ridge", "ridge_maximises_the_posterior"),
}
"""Claim -> the facts that settle it by calculation, in the order of `identities.json`."""

EXACT = 1e-9
"""Tolerance of an equality in float64 after a factorisation or two."""

RELATIONS = {"at most": operator.le, "below": operator.lt, "above": operator.gt}
Expected = float | Sequence[float] | str
Check = dict[str, Any]
"""statement, expected, obtained, tolerance, holds, source, and what the function adds."""


@dataclass(frozen=True)
class Fact:
    """A statement, its source, and what the numbers of a function must be for it to hold.

    expected: a number, a list of numbers, or a bound such as "at most 1"; the function may return it instead.
    tolerance: how far each number obtained may be from the one expected, or beyond an "at most".
    function: gives the number or numbers obtained, or a dictionary of `obtained` and other entries of the check.
    """

    function: Callable[..., Any]
    statement: str
    source: str
    expected: Expected
    tolerance: float

    @property
    def about(self) -> str:
        """What it is put to: the name of its module."""
        return self.function.__module__.rpartition(".")[2]

    def __call__(self, *parts: Any, **named: Any) -> Check:
        """The check of the project's own parts, or of those handed over; ValueError: the count of numbers is wrong."""
        found = self.function(*parts, **named)
        given = found if isinstance(found, dict) else {"obtained": found}
        check = {
            "statement": self.statement,
            "expected": self.expected,
            "tolerance": self.tolerance,
            "source": self.source,
            **given,
        }
        obtained = np.asarray(check["obtained"], dtype=float).tolist()
        return {**check, "obtained": obtained, "holds": holds(check["expected"], obtained, self.tolerance)}


def holds(expected: Expected, obtained: Any, tolerance: float) -> bool:
    """Whether numbers are as expected; NaN never is. ValueError: not as many numbers as expected."""
    if isinstance(expected, str):
        relation, _, limit = expected.rpartition(" ")
        return bool(RELATIONS[relation](obtained, float(limit) + tolerance))
    if np.shape(expected) != np.shape(obtained):
        raise ValueError(f"numbers of shape {np.shape(obtained)} where {np.shape(expected)} is expected")
    return bool((np.abs(np.subtract(obtained, expected)) <= tolerance).all())


FACTS: Registry[Fact] = Registry("fact")


def fact(source: str, expected: Expected = 0.0, tolerance: float | None = None) -> Callable[[Callable[..., Any]], Fact]:
    """Register a function under its name as a fact, whose statement is the first paragraph of its docstring."""
    if tolerance is None:
        tolerance = 0.0 if isinstance(expected, str) else EXACT

    def register(function: Callable[..., Any]) -> Fact:
        assert function.__doc__
        statement = " ".join(function.__doc__.split("\n\n")[0].split()).removesuffix(".")
        return FACTS.add(function.__name__, Fact(function, statement, source, expected, tolerance))

    return register


def largest(difference: Any) -> float:
    """The largest absolute entry."""
    return float(np.max(np.abs(np.asarray(difference))))


def farthest(values: Any, centre: float) -> float:
    """The entry that lies farthest from `centre`."""
    flat = np.ravel(np.asarray(values, dtype=float))
    return float(flat[np.argmax(np.abs(flat - centre))])
