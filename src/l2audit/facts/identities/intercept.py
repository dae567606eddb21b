"""Claim A7: a penalty that reaches the intercept makes every prediction wrong by a constant.

With features of mean 0 the derivative of mean(1/2 (y - b - X w)^2) + beta * 1/2 (|w|^2 + b^2) in b is
b - mean(y) + beta b, so b = mean(y) / (1 + beta). Where y has mean s, the predictions, whose mean is b, are too small
by s - s / (1 + beta) = s beta / (1 + beta). Without beta b^2 they are right on average at every beta.
"""

from __future__ import annotations

import numpy as np

from l2audit.facts.checks import Check, largest
from l2audit.facts.identities.entries import agrees, of_claim
from l2audit.linear import fit_linear
from l2audit.linear.basis import Array
from l2audit.models.penalties import read_penalty
from l2audit.models.problem import Problem
from l2audit.seeds import generator

SOURCE = "computed; Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, 3.4.1"

BETAS = np.array([0.0, 0.01, 0.1, 1.0, 10.0])
SHIFT = 4.0
SINGLE = 1e-6
"""Models are handed over in float32, about seven digits."""


def shortfall(penalty: str) -> Array:
    """(betas,): by how much the mean prediction falls short of the mean target, as a share of it.

    40 rows, of which the second 20 mirror the first: means are exactly 0, for y before it is shifted to mean 4.
    """
    rng = generator("identity intercept")
    half = np.round(rng.normal(size=(20, 3)) * 256) / 256  # few binary digits: float32 holds them all
    target = np.round((half @ [1.0, -2.0, 0.5] + rng.normal(size=20)) * 256) / 256
    X = np.concatenate([half, -half]).astype(np.float32)[None]
    y = (np.concatenate([target, -target]) + SHIFT).astype(np.float32)[None]
    each = np.zeros(len(BETAS), dtype=np.int64)
    problem = Problem("regression", 1, X, y, data=each, beta=BETAS, seed=each, dataset="identity-intercept")
    predicted = fit_linear(problem, "squared", read_penalty(penalty)).predict(X, each)
    return np.asarray(1 - predicted[:, :, 0].mean(axis=1, dtype=np.float64) / SHIFT)


@of_claim("A7")
def penalised_intercept_is_biased(penalty: str = "l2 with biases") -> Check:
    """Shortfall of the mean prediction where the intercept is penalised, against beta / (1 + beta)."""
    statement = (
        "With a penalised intercept a target of mean s is predicted too small by s·beta/(1 + beta) on average:"
        " largest difference over five betas, as a share of s"
    )
    obtained = largest(shortfall(penalty) - BETAS / (1 + BETAS))
    return agrees(statement, SOURCE, expected=0.0, obtained=obtained, tolerance=SINGLE)


@of_claim("A7")
def free_intercept_is_not(penalty: str = "l2") -> Check:
    """The same where the intercept is free, against 0."""
    statement = (
        "With a free intercept the mean prediction is the mean target at every beta:"
        " largest difference over five betas, as a share of it"
    )
    return agrees(statement, SOURCE, expected=0.0, obtained=largest(shortfall(penalty)), tolerance=SINGLE)
