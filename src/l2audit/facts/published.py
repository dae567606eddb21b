"""Numbers that others have printed, which the exact solvers must reproduce on the same data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import statsmodels.api as sm

from l2audit.facts.fact import fact
from l2audit.facts.ridge import Solve
from l2audit.linear.coordinates import Array
from l2audit.linear.huber import residual_scale, solve_huber
from l2audit.linear.squared import solve_squared

BROWNLEE = "Brownlee (1965), stack loss; R, help page of stackloss"
MASS = "MASS::rlm(stack.loss ~ .), Venables & Ripley (2002), section 6.5"
ROBUSTBASE = (
    "robustbase::ltsReg(stack.loss ~ .), reweighted least trimmed squares; rows 1, 3, 4 and 21 are its outliers"
)
LONGLEY = "MASS::lm.ridge(Employed ~ ., longley), Venables & Ripley (2002)"
STARS = (
    "Rousseeuw & Leroy (1987), Robust Regression and Outlier Detection, p. 27, table 3; robustbase, starsCYG and ltsReg"
)
STARS_RIDGE = "computed here from the same table: no published ridge fit is known to us"

OFF_SEQUENCE = (7, 9, 11, 20, 30, 34)
"""The stars that reweighted least trimmed squares leaves out; 11, 20, 30 and 34 are the giants."""


@cache
def stackloss() -> tuple[Array, Array]:
    """Brownlee's 21 days of a plant: X (21, 3), y (21,)."""
    data = sm.datasets.stackloss.load_pandas().data
    return data.iloc[:, 1:].to_numpy(float), data.iloc[:, 0].to_numpy(float)


@cache
def longley() -> tuple[Array, Array]:
    """Longley's 16 years, columns scaled by their population SD as in lm.ridge; the response is Employed."""
    data = sm.datasets.longley.load_pandas().data
    X = data[["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR"]].to_numpy(float)
    return (X - X.mean(axis=0)) / X.std(axis=0), data["TOTEMP"].to_numpy(float) / 1000


@cache
def stars() -> tuple[Array, Array]:
    """The Hertzsprung-Russell diagram of CYG OB1, 47 stars: log temperature (47, 1), log light (47,)."""
    with resources.files("l2audit.facts").joinpath("stars_cyg.csv").open(encoding="utf-8") as lines:
        table = np.loadtxt(lines, delimiter=",", comments="#", skiprows=3)
    return table[:, :1], table[:, 1]


def line(solve: Solve, X: Array, y: Array, alpha: float = 0.0, without: Sequence[int] = ()) -> Array:
    """Intercept and weights at alpha = n * beta, of all rows but those that `without` numbers from 1."""
    if without:
        X, y = (np.delete(one, np.subtract(without, 1), axis=0) for one in (X, y))
    weights, intercept = solve(X, y, np.array([alpha / len(y)]))
    return np.append(intercept, weights[0])


@fact(BROWNLEE, [-39.9197, 0.7156, 1.2953, -0.1521], tolerance=5e-5)
def stackloss_least_squares(solve: Solve = solve_squared) -> Any:
    """Least squares on the stack loss data: intercept and coefficients."""
    return line(solve, *stackloss())


@fact(BROWNLEE, 3.243, tolerance=5e-4)
def stackloss_residual_error(solve: Solve = solve_squared) -> Any:
    """Residual standard error of that fit."""
    X, y = stackloss()
    fitted = line(solve, X, y)
    return np.linalg.norm(y - fitted[0] - X @ fitted[1:]) / np.sqrt(21 - 4)


@fact(MASS, [-41.0265, 0.8294, 0.9261, -0.1278], tolerance=5e-5)
def stackloss_huber(solve: Solve = solve_huber) -> Any:
    """Huber regression on the stack loss data: intercept and coefficients."""
    return line(solve, *stackloss())


@fact(MASS, 2.441, tolerance=5e-4)
def stackloss_huber_scale(solve: Solve = solve_huber) -> Any:
    """Residual scale of that fit."""
    X, y = stackloss()
    fitted = line(solve, X, y)
    return residual_scale(y - fitted[0] - X @ fitted[1:])


@fact(ROBUSTBASE, [-37.652, 0.798, 0.577, -0.067], tolerance=5e-4)
def stackloss_without_outliers(solve: Solve = solve_squared) -> Any:
    """Least squares on the stack loss data without their four outliers: intercept and coefficients."""
    return line(solve, *stackloss(), without=(1, 3, 4, 21))


@fact(LONGLEY, [0.2200, 0.7694, -1.1894, -0.5223, -0.6862, 4.0064], tolerance=5e-5)
def longley_ridge(solve: Solve = solve_squared) -> Any:
    """Ridge regression on the Longley data, λ = n·beta = 0.03: coefficients."""
    return line(solve, *longley(), 0.03)[1:]


@fact(LONGLEY, [0.004275357, 0.03229531], tolerance=1e-8)
def longley_lambda(solve: Solve = solve_squared) -> Any:
    """Choice of λ on the Longley data: Hoerl, Kennard & Baldwin; Lawless & Wang."""
    X, y = longley()
    n, p = X.shape
    intercept, *weights = line(solve, X, y)
    explained = X @ weights
    variance = np.sum((y - intercept - explained) ** 2) / (n - p - 1)
    return [(p - 2) * variance / np.sum(np.square(weights)), (p - 2) * variance * n / np.sum(explained**2)]


@fact(LONGLEY, 0.0028, tolerance=1e-9)
def longley_cross_validation(solve: Solve = solve_squared) -> Any:
    """Choice of λ on the Longley data by generalised cross-validation, steps of 0.0001."""
    X, y = longley()
    lambdas = np.arange(0, 0.1, 1e-4)
    weights, intercept = solve(X, y, lambdas / len(y))
    squares = np.sum((y - intercept[:, None] - weights @ X.T) ** 2, axis=1)
    s = np.linalg.svd(X, compute_uv=False)
    freedom = np.sum(s**2 / (s**2 + lambdas[:, None]), axis=1)
    return lambdas[np.argmin(squares / (len(y) - freedom) ** 2)]


@fact("scikit-learn user guide, section 1.1.2", [0.13636, 0.34545, 0.34545], tolerance=5e-6)
def ridge_of_the_user_guide(solve: Solve = solve_squared) -> Any:
    """Ridge(alpha=0.5) of three rows: intercept and coefficients."""
    X, y = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]), np.array([0.0, 0.1, 1.0])
    return line(solve, X, y, 0.5)


@fact(STARS, [6.7935, -0.4133], tolerance=5e-5)
def stars_least_squares(solve: Solve = solve_squared) -> Any:
    """Light against temperature of 47 stars, four of them giants: intercept and slope of least squares."""
    return line(solve, *stars())


@fact(STARS, [-8.500, 3.046], tolerance=5e-4)
def stars_main_sequence(solve: Solve = solve_squared) -> Any:
    """The same without the six stars off the main sequence: intercept and slope."""
    return line(solve, *stars(), without=OFF_SEQUENCE)


@fact(STARS_RIDGE, [-0.413, -0.329, -0.116], tolerance=5e-4)
def stars_ridge_does_not_resist(solve: Solve = solve_squared) -> Any:
    """The slope with the giants under L2, λ = n·beta = 0, 1, 10: it goes to 0, never towards +3.046."""
    return [line(solve, *stars(), alpha)[1] for alpha in (0.0, 1.0, 10.0)]


@fact(STARS_RIDGE, [3.46, 0.29, 1.14, 1.66], tolerance=5e-3)
def stars_two_readings_of_sensitivity(solve: Solve = solve_squared) -> Any:
    """How far the six stars shift the slope at λ = 0 and 10: absolutely it falls, relative to the slope it rises."""
    clean = np.array([line(solve, *stars(), alpha, without=OFF_SEQUENCE)[1] for alpha in (0.0, 10.0)])
    shift = np.abs(clean - [line(solve, *stars(), alpha)[1] for alpha in (0.0, 10.0)])
    return [*shift, *(shift / np.abs(clean))]
