"""Tables that are no files of their own: shipped inside a package, drawn from a known distribution, or OpenML's.

A loader returns a table as scikit-learn or statsmodels ships it, columns named, with one target column. It changes
nothing but what its docstring says.

A generator draws a table from a `numpy.random.Generator` and its declared parameters: `rows` independent rows with the
columns x1..xp and `target`. Values are rounded to six decimals: the last bits of a matrix product differ between
linear-algebra libraries, and the raw bytes should not.

OpenML's answers are not the same to the byte from one day to the next. So what is pinned, and kept, is the CSV form of
the table in them.
"""

from __future__ import annotations

import contextlib
import inspect
import shutil
import socket
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaincinv, ndtr

from l2audit.data.entries import Entry, RemoteFile
from l2audit.data.raw import PAUSE, ROUNDS, exclusive, is_whole, mirrored
from l2audit.errors import UserError
from l2audit.files import atomic, sha256_of
from l2audit.registry import Registry
from l2audit.seeds import generator

if TYPE_CHECKING:
    import pandas as pd

Load = Callable[[], "pd.DataFrame"]
Generate = Callable[..., "pd.DataFrame"]
loaders: Registry[Load] = Registry("bundled source")
generators: Registry[Generate] = Registry("synthetic source")
DECIMALS = 6
SILENCE = 30.0
"""Seconds that OpenML may stay silent."""
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}  # packages that are installed under another name


def loader_of(entry: Entry) -> Load:
    """What loads the table of a `bundled:` entry; UserError: nothing has that name."""
    return entry.known(loaders, entry.locator, "source")


def package_of(entry: Entry) -> str:
    """The package and version that a `bundled:` entry comes from, as `scikit-learn 1.9.1`."""
    package = entry.locator.partition("/")[0]
    distribution = _DISTRIBUTIONS.get(package, package)
    return f"{distribution} {version(distribution)}"


def _sklearn(name: str) -> Load:
    def load() -> pd.DataFrame:
        import pandas as pd
        from sklearn import datasets

        frame = pd.DataFrame(getattr(datasets, f"load_{name}")(as_frame=True).frame)
        return frame.rename(columns=lambda column: str(column).replace(" ", "_"))

    return load


for _name in ("digits", "breast_cancer", "wine", "iris", "diabetes"):
    loaders.add(f"sklearn/{_name}", _sklearn(_name))


def _statsmodels(name: str) -> pd.DataFrame:
    import pandas as pd

    module = import_module(f"statsmodels.datasets.{name}")  # `statsmodels.api` would load all of statsmodels
    return pd.DataFrame(module.load_pandas().data)


for _name in ("anes96", "fair", "randhie", "engel"):
    loaders.add(f"statsmodels/{_name}", partial(_statsmodels, _name))


@loaders.register("statsmodels/star98")
def star98() -> pd.DataFrame:
    """Gill (2000): 303 Californian school districts in 1998.

    `share_above` replaces the two counts it is made of: NABOVE / (NABOVE + NBELOW), the share of ninth-graders above
    the national median in mathematics. The other 20 columns, eight of them interactions, are as shipped.
    """
    table = _statsmodels("star98")
    share = table["NABOVE"] / (table["NABOVE"] + table["NBELOW"])
    return table.drop(columns=["NABOVE", "NBELOW"]).assign(share_above=share)


# World Bank rows that are sums over countries, hence not exchangeable with the countries.
_AGGREGATES = (
    "Latin America & Caribbean (all income levels)",
    "OECD members",
    "Other small states",
    "Pacific island small states",
    "Sub-Saharan Africa (IFC classification)",
)


@loaders.register("statsmodels/fertility")
def fertility() -> pd.DataFrame:
    """World Bank: births per woman in 1960, 1970, 1980, 1990 and 2010 (the target), one row a country or territory.

    Left out: the five rows that aggregate countries, the other years, and the columns of names. Cells are missing.
    """
    table = _statsmodels("fertility")
    countries = table[~table["Country Name"].isin(_AGGREGATES)]
    return countries[["1960", "1970", "1980", "1990", "2010"]].reset_index(drop=True)


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


def page_of(entry: Entry) -> str:
    """The address of the dataset's page, where a reader can check it."""
    return f"https://www.openml.org/d/{entry.locator}"


def fetch_table(entry: Entry, table: RemoteFile, folder: Path, mirror: str | None) -> None:
    """Put the table of an `openml:` entry into `folder` as CSV unless it is there; UserError if it cannot be had.

    All columns of OpenML's table but those it marks as row ids or to be ignored. `table`: the name to keep it under
    and the SHA-256 that it must have.
    """
    target = folder / table.name
    with exclusive(target):
        if is_whole(target, table):
            return
        cache = folder / ".openml"
        try:
            frame = _ask(entry, cache, mirror)
            with atomic(target) as temporary:
                frame.to_csv(temporary, index=False, lineterminator="\n")
                found = sha256_of(temporary)
                if found != table.sha256:
                    raise entry.fault(
                        f"the table that OpenML sent has the SHA-256 {found}, not {table.sha256}",
                        key="sha256",
                        fix="if you have checked the table, write this SHA-256 into the entry, in quotes",
                    )
        except Exception:
            shutil.rmtree(cache, ignore_errors=True)  # a wrong answer must not be asked again
            raise
        shutil.rmtree(cache, ignore_errors=True)


def _ask(entry: Entry, cache: Path, mirror: str | None) -> Any:
    from sklearn.datasets import fetch_openml

    try:
        with _opener(mirror), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns at each try
            return fetch_openml(
                data_id=int(entry.locator),
                data_home=str(cache),
                as_frame=True,
                parser="liac-arff",  # the faster one, pandas, stops at categories that are whole numbers
                n_retries=ROUNDS - 1,
                delay=PAUSE,
            ).frame
    except (OSError, ValueError, KeyError) as error:  # URLError and time-outs are OSErrors, OpenMLError a ValueError
        raise UserError(
            f"dataset {entry.locator} cannot be had from OpenML: {error}",
            file=page_of(entry),
            key=f"{entry.name}.source",
            fix="check the number and the network and run the same command again, or set L2AUDIT_MIRROR to a server"
            " that holds HOST/PATH",
        ) from error


@contextlib.contextmanager
def _opener(mirror: str | None) -> Iterator[None]:
    """Let urllib, which scikit-learn asks through, use the mirror and give up on a server that stays silent."""

    class Rewritten(urllib.request.BaseHandler):
        handler_order = 100  # before the handler that reads the host from the address

        def https_request(self, request: urllib.request.Request) -> urllib.request.Request:
            asked = urllib.request.Request(mirrored(request.full_url, mirror), headers=dict(request.header_items()))
            asked.timeout = request.timeout
            return asked

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    if mirror:
        urllib.request.install_opener(urllib.request.build_opener(Rewritten))
    try:
        yield
    finally:
        urllib.request.install_opener(None)
        socket.setdefaulttimeout(before)
