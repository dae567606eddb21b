"""Datasets that ship inside scikit-learn and statsmodels.

Each loader returns the table as shipped, columns named, with one target column; it changes nothing but what its
docstring says. pandas, scikit-learn and statsmodels are imported when a loader runs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from l2audit.data.entries import Entry
from l2audit.registry import Registry, UnknownName

if TYPE_CHECKING:
    import pandas as pd

Load = Callable[[], "pd.DataFrame"]
loaders: Registry[Load] = Registry("bundled source")
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}  # packages that are installed under another name


def load_bundled(entry: Entry) -> pd.DataFrame:
    """The table of a `bundled:` entry."""
    return loader_of(entry)()


def loader_of(entry: Entry) -> Load:
    """What loads the table of a `bundled:` entry; UserError: nothing has that name."""
    try:
        return loaders[entry.locator]
    except UnknownName as error:
        raise entry.fault(str(error), key="source", fix="use one of the known names") from None


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


@loaders.register("statsmodels/anes96")
def anes96() -> pd.DataFrame:
    """American National Election Study of 1996: 944 respondents; `vote` is 0 (Clinton) or 1 (Dole)."""
    return _statsmodels("anes96")


@loaders.register("statsmodels/fair")
def fair() -> pd.DataFrame:
    """Fair (1978): 6366 women; `affairs` is a measure of time spent in extramarital affairs, 0 for 68 %."""
    return _statsmodels("fair")


@loaders.register("statsmodels/randhie")
def randhie() -> pd.DataFrame:
    """RAND Health Insurance Experiment: 20190 person-years; `mdvis` counts visits to a doctor."""
    return _statsmodels("randhie")


@loaders.register("statsmodels/engel")
def engel() -> pd.DataFrame:
    """Engel (1857): 235 Belgian households; `foodexp` and `income` in francs a year."""
    return _statsmodels("engel")


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
