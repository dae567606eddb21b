"""Numbers that others have printed, which the exact solvers must reproduce on the same data."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources

import numpy as np
import statsmodels.api as sm

from l2audit.facts.fact import Check, agrees, oracle
from l2audit.facts.ridge import Ridge
from l2audit.linear.basis import Array
from l2audit.linear.huber import residual_scale, solve_huber
from l2audit.linear.squared import solve_squared

Robust = Callable[[Array, Array, Array], tuple[Array, Array]]

BROWNLEE = "Brownlee (1965), stack loss; R, help page of stackloss"
MASS = "MASS::rlm(stack.loss ~ .), Venables & Ripley (2002), section 6.5"
ROBUSTBASE = (
    "robustbase::ltsReg(stack.loss ~ .), reweighted least trimmed squares; rows 1, 3, 4 and 21 are its outliers"
)
LONGLEY = "MASS::lm.ridge(Employed ~ ., longley), Venables & Ripley (2002)"
SKLEARN = "scikit-learn user guide, section 1.1.2"
STARS = (
    "Rousseeuw & Leroy (1987), Robust Regression and Outlier Detection, p. 27, table 3; robustbase, starsCYG and ltsReg"
)
STARS_RIDGE = "computed here from the same table: no published ridge fit is known to us"


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


NOT_MAIN_SEQUENCE = np.array([7, 9, 11, 20, 30, 34]) - 1
"""The stars that reweighted least trimmed squares leaves out; 11, 20, 30 and 34 are the giants."""


def _line(solve: Ridge | Robust, X: Array, y: Array, alpha: float = 0.0) -> Array:
    """Intercept and weights at alpha = n * beta."""
    weights, intercept = solve(X, y, np.array([alpha / len(y)]))
    return np.append(intercept, weights[0])


@oracle
def stackloss_least_squares(solve: Ridge = solve_squared) -> Check:
    """Intercept and three coefficients."""
    statement = "Least squares on the stack loss data: intercept and coefficients"
    expected = [-39.9197, 0.7156, 1.2953, -0.1521]
    return agrees(statement, BROWNLEE, expected=expected, obtained=_line(solve, *stackloss()), tolerance=5e-5)


@oracle
def stackloss_residual_error(solve: Ridge = solve_squared) -> Check:
    """Residual standard error on 17 degrees of freedom."""
    X, y = stackloss()
    line = _line(solve, X, y)
    obtained = np.linalg.norm(y - line[0] - X @ line[1:]) / np.sqrt(21 - 4)
    statement = "Residual standard error of that fit"
    return agrees(statement, BROWNLEE, expected=3.243, obtained=obtained, tolerance=5e-4)


@oracle
def stackloss_huber(solve: Robust = solve_huber) -> Check:
    """Huber's M-estimator with k = 1.345 and a re-estimated scale."""
    statement = "Huber regression on the stack loss data: intercept and coefficients"
    expected = [-41.0265, 0.8294, 0.9261, -0.1278]
    return agrees(statement, MASS, expected=expected, obtained=_line(solve, *stackloss()), tolerance=5e-5)


@oracle
def stackloss_huber_scale(solve: Robust = solve_huber) -> Check:
    """The residual scale at its fixed point."""
    X, y = stackloss()
    line = _line(solve, X, y)
    obtained = residual_scale(y - line[0] - X @ line[1:])
    return agrees("Residual scale of that fit", MASS, expected=2.441, obtained=obtained, tolerance=5e-4)


@oracle
def stackloss_without_outliers(solve: Ridge = solve_squared) -> Check:
    """The final step of reweighted LTS is least squares without the outliers."""
    X, y = stackloss()
    kept = np.setdiff1d(np.arange(21), [0, 2, 3, 20])
    statement = "Least squares on the stack loss data without their four outliers: intercept and coefficients"
    expected = [-37.652, 0.798, 0.577, -0.067]
    return agrees(statement, ROBUSTBASE, expected=expected, obtained=_line(solve, X[kept], y[kept]), tolerance=5e-4)


@oracle
def longley_ridge(solve: Ridge = solve_squared) -> Check:
    """Coefficients of the scaled columns at lambda = n * beta = 0.03."""
    statement = "Ridge regression on the Longley data, λ = n·beta = 0.03: coefficients"
    expected = [0.2200, 0.7694, -1.1894, -0.5223, -0.6862, 4.0064]
    return agrees(statement, LONGLEY, expected=expected, obtained=_line(solve, *longley(), 0.03)[1:], tolerance=5e-5)


@oracle
def longley_lambda(solve: Ridge = solve_squared) -> Check:
    """The choices of lambda by Hoerl, Kennard & Baldwin (1975) and by Lawless & Wang (1976)."""
    X, y = longley()
    n, p = X.shape
    line = _line(solve, X, y)
    fitted = X @ line[1:]
    variance = np.sum((y - line[0] - fitted) ** 2) / (n - p - 1)
    obtained = [(p - 2) * variance / np.sum(line[1:] ** 2), (p - 2) * variance * n / np.sum(fitted**2)]
    statement = "Choice of λ on the Longley data: Hoerl, Kennard & Baldwin; Lawless & Wang"
    return agrees(statement, LONGLEY, expected=[0.004275357, 0.03229531], obtained=obtained, tolerance=1e-8)


@oracle
def longley_cross_validation(solve: Ridge = solve_squared) -> Check:
    """Generalised cross-validation over lambda = 0, 0.0001, ..., 0.0999."""
    X, y = longley()
    lambdas = np.arange(0, 0.1, 1e-4)
    weights, intercept = solve(X, y, lambdas / len(y))
    squares = np.sum((y - intercept[:, None] - weights @ X.T) ** 2, axis=1)
    s = np.linalg.svd(X, compute_uv=False)
    freedom = np.sum(s**2 / (s**2 + lambdas[:, None]), axis=1)
    obtained = lambdas[np.argmin(squares / (len(y) - freedom) ** 2)]
    statement = "Choice of λ on the Longley data by generalised cross-validation, steps of 0.0001"
    return agrees(statement, LONGLEY, expected=0.0028, obtained=obtained, tolerance=1e-9)


@oracle
def ridge_of_the_user_guide(solve: Ridge = solve_squared) -> Check:
    """Ridge(alpha=0.5) on three rows: intercept and two equal coefficients."""
    X, y = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]), np.array([0.0, 0.1, 1.0])
    statement = "Ridge(alpha=0.5) of three rows: intercept and coefficients"
    expected = [0.13636, 0.34545, 0.34545]
    return agrees(statement, SKLEARN, expected=expected, obtained=_line(solve, X, y, 0.5), tolerance=5e-6)


@oracle
def stars_least_squares(solve: Ridge = solve_squared) -> Check:
    """Four giants turn the line of 47 stars round."""
    statement = "Light against temperature of 47 stars, four of them giants: intercept and slope of least squares"
    return agrees(statement, STARS, expected=[6.7935, -0.4133], obtained=_line(solve, *stars()), tolerance=5e-5)


@oracle
def stars_main_sequence(solve: Ridge = solve_squared) -> Check:
    """The final step of reweighted LTS is least squares without the six stars that it leaves out."""
    X, y = stars()
    kept = np.setdiff1d(np.arange(47), NOT_MAIN_SEQUENCE)
    statement = "The same without the six stars off the main sequence: intercept and slope"
    return agrees(statement, STARS, expected=[-8.500, 3.046], obtained=_line(solve, X[kept], y[kept]), tolerance=5e-4)


@oracle
def stars_ridge_does_not_resist(solve: Ridge = solve_squared) -> Check:
    """Ridge pulls the slope to zero and never towards the main sequence's."""
    slopes = [_line(solve, *stars(), alpha)[1] for alpha in (0.0, 1.0, 10.0)]
    statement = "The slope with the giants under L2, λ = n·beta = 0, 1, 10: it goes to 0, never towards +3.046"
    return agrees(statement, STARS_RIDGE, expected=[-0.413, -0.329, -0.116], obtained=slopes, tolerance=5e-4)


@oracle
def stars_two_readings_of_sensitivity(solve: Ridge = solve_squared) -> Check:
    """Absolute shift of the slope by the six stars, then relative to the clean slope, at lambda = 0 and 10."""
    X, y = stars()
    kept = np.setdiff1d(np.arange(47), NOT_MAIN_SEQUENCE)
    clean = np.array([_line(solve, X[kept], y[kept], alpha)[1] for alpha in (0.0, 10.0)])
    dirty = np.array([_line(solve, X, y, alpha)[1] for alpha in (0.0, 10.0)])
    shift = np.abs(clean - dirty)
    statement = (
        "How far the six stars shift the slope at λ = 0 and 10: absolutely it falls, relative to the slope it rises"
    )
    expected = [3.46, 0.29, 1.14, 1.66]
    obtained = [*shift, *(shift / np.abs(clean))]
    return agrees(statement, STARS_RIDGE, expected=expected, obtained=obtained, tolerance=5e-3)
