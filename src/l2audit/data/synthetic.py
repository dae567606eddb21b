"""Tables drawn from a known distribution.

A generator draws a table from a `numpy.random.Generator` and its declared parameters: `rows` independent rows with the
columns x1..xp and `target`. Values are rounded to six decimals: the last bits of a matrix product differ between
linear-algebra libraries, and the raw bytes should not.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaincinv, ndtr

from l2audit.data.entries import Entry
from l2audit.registry import Registry
from l2audit.seeds import generator

if TYPE_CHECKING:
    import pandas as pd

Generate = Callable[..., "pd.DataFrame"]
generators: Registry[Generate] = Registry("synthetic source")
DECIMALS = 6


def generate(entry: Entry) -> pd.DataFrame:
    """The table of a `synthetic:` entry; a function of the dataset's name and parameters alone."""
    make = recipe_of(entry)
    try:
        return make(generator("synthetic", entry.name)).round(DECIMALS)
    except ValueError as error:
        raise entry.fault(str(error), key="parameters", fix=f"see the docstring of synthetic:{entry.locator}") from None


def recipe_of(entry: Entry) -> Generate:
    """What draws the table of a `synthetic:` entry, given a generator of random numbers.

    UserError: nothing has that name, or it takes other parameters.
    """
    make = entry.known(generators, entry.locator, "source")
    taken = inspect.signature(make).parameters
    try:
        inspect.signature(make).bind(None, **entry.parameters)
    except TypeError as error:
        fix = f"the parameters of synthetic:{entry.locator} are {', '.join(name for name in taken if name != 'rng')}"
        raise entry.fault(str(error), key="parameters", fix=fix) from None
    for name, value in entry.parameters.items():
        if taken[name].annotation == "int" and (not isinstance(value, int) or value < 0):
            raise entry.fault(
                f"{value} is no count", key=f"parameters.{name}", fix="write a whole number of at least 0"
            )
    return partial(make, **entry.parameters)


def _table(X: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(X, columns=[f"x{j + 1}" for j in range(X.shape[1])])
    return frame.assign(target=y)


def toeplitz(columns: int, correlation: float) -> np.ndarray:
    """AR(1) correlation matrix (p, p): entry (i, j) is correlation^|i-j|; its condition grows to ((1+r)/(1-r))^2."""
    if not 0 <= correlation < 1:
        raise ValueError(f"correlation {correlation} lies outside [0, 1)")
    lag = np.abs(np.subtract.outer(np.arange(columns), np.arange(columns)))
    return np.asarray(np.power(float(correlation), lag))


def gaussian_rows(rng: np.random.Generator, rows: int, correlation_matrix: np.ndarray) -> np.ndarray:
    """Gaussian rows (n, p) of mean 0 with the given covariance."""
    draws = rng.standard_normal((rows, len(correlation_matrix)))
    return np.asarray(draws @ np.linalg.cholesky(correlation_matrix).T)


@generators.register("overlapping_gaussians")
def overlapping_gaussians(
    rng: np.random.Generator, rows: int, columns: int, classes: int, distance: float
) -> pd.DataFrame:
    """Equally likely classes N(m_k, I), every two means `distance` apart (vertices of a regular simplex).

    Known truth: with two classes the Bayes error is Phi(-distance/2); the optimal boundaries are linear.
    """
    if classes > columns:
        raise ValueError(f"{classes} means that are equally far apart need at least {classes} columns")
    basis, _ = np.linalg.qr(rng.standard_normal((columns, columns)))
    means = basis[:classes] * distance / np.sqrt(2)
    y = rng.integers(classes, size=rows)
    return _table(means[y] + rng.standard_normal((rows, columns)), y)


@generators.register("sparse_logits")
def sparse_logits(
    rng: np.random.Generator, rows: int, columns: int, active: int, correlation: float, signal: float
) -> pd.DataFrame:
    """Logistic regression whose truth is sparse in correlated features.

    x ~ N(0, S) with AR(1) S; P(y=1|x) = 1/(1+exp(-x.w)); w has `active` entries of equal size and random sign, evenly
    spaced, scaled so that the logit x.w has SD `signal`.
    """
    S = toeplitz(columns, correlation)
    X = gaussian_rows(rng, rows, S)
    w = np.zeros(columns)
    w[np.linspace(0, columns - 1, active).round().astype(int)] = rng.choice([-1.0, 1.0], size=active)
    logit = X @ (w * signal / np.sqrt(w @ S @ w))
    return _table(X, (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(int))


@generators.register("waveform")
def waveform(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """Breiman, Friedman, Olshen & Stone (1984), pages 49-55: mixes of two of three triangular waves at 21 points.

    h1(m) = max(6-|m-11|, 0), h2(m) = h1(m-4), h3(m) = h1(m+4), m = 1..21. Class k mixes the k-th of the pairs
    (h1,h2), (h1,h3), (h2,h3) as u*h + (1-u)*h' + e with u ~ U(0,1), e ~ N(0, I). Bayes error about 0.14.
    """
    m = np.arange(1, 22)
    waves = np.stack([np.maximum(6 - np.abs(m - centre), 0) for centre in (11, 15, 7)])
    pairs = np.array([(0, 1), (0, 2), (1, 2)])
    y = rng.integers(3, size=rows)
    u = rng.random((rows, 1))
    first, second = waves[pairs[y, 0]], waves[pairs[y, 1]]
    return _table(u * first + (1 - u) * second + rng.standard_normal((rows, 21)), y)


@generators.register("hastie")
def hastie(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """Hastie, Tibshirani & Friedman (2009), equation 10.2.

    x ~ N(0, I_10); y = 1 if |x|^2 exceeds the median of chi^2_10. The boundary is a sphere: a linear model cannot do
    better than chance.
    """
    X = rng.standard_normal((rows, 10))
    return _table(X, ((X**2).sum(axis=1) > 2 * gammaincinv(5, 0.5)).astype(int))


def friedman1_mean(X: np.ndarray) -> np.ndarray:
    """Friedman (1991): 10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 + 10 x4 + 5 x5, for `X` (n, >=5) in [0, 1]."""
    return np.asarray(10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2 + 10 * X[:, 3] + 5 * X[:, 4])


@generators.register("friedman1")
def friedman1(rng: np.random.Generator, rows: int, columns: int, noise: float, correlation: float) -> pd.DataFrame:
    """`friedman1_mean` of uniform features plus N(0, noise^2); features beyond the fifth do not matter.

    `correlation` 0 is Friedman's design of independent features. Above 0 the features are joined by a Gaussian copula
    with an AR(1) correlation matrix: each stays uniform on [0, 1], neighbours become collinear.
    """
    X = ndtr(gaussian_rows(rng, rows, toeplitz(columns, correlation)))
    return _table(X, friedman1_mean(X) + noise * rng.standard_normal(rows))


@generators.register("linear")
def linear(rng: np.random.Generator, rows: int, columns: int, noise: float, correlation: float) -> pd.DataFrame:
    """Linear regression: y = x.w + N(0, noise^2), x ~ N(0, S), S AR(1) (`correlation` 0: isotropic), dense truth.

    w is Gaussian, scaled so that x.w has variance 1: the best possible nRMSE is noise/sqrt(1+noise^2). In the isotropic
    design |w| = 1, so the best ridge penalty is known (p noise^2 / |w|^2 where squares are summed).
    """
    return _linear_table(rng, rows, noise, toeplitz(columns, correlation))


@generators.register("near_null_linear")
def near_null_linear(
    rng: np.random.Generator, rows: int, columns: int, noise: float, weak: int, condition: float
) -> pd.DataFrame:
    """As `linear`, with covariance whose `weak` smallest eigenvalues are 1/`condition` times the others.

    The eigenvectors are random, so every feature takes part; the covariance is then scaled to unit variances. `weak` 0
    is the isotropic design. The near-null directions are what makes a bad leverage point cheap to fit without a penalty
    and costly with one: the planted effect of the controls.
    """
    if not 0 <= weak < columns:
        raise ValueError(f"weak {weak} lies outside 0..{columns - 1}")
    basis, _ = np.linalg.qr(rng.standard_normal((columns, columns)))
    spectrum = np.where(np.arange(columns) < columns - weak, 1.0, 1.0 / condition)
    covariance = (basis * spectrum) @ basis.T
    deviation = np.sqrt(np.diag(covariance))
    return _linear_table(rng, rows, noise, covariance / np.outer(deviation, deviation))


def _linear_table(rng: np.random.Generator, rows: int, noise: float, S: np.ndarray) -> pd.DataFrame:
    w = rng.standard_normal(len(S))
    X = gaussian_rows(rng, rows, S)
    return _table(X, X @ (w / np.sqrt(w @ S @ w)) + noise * rng.standard_normal(rows))
