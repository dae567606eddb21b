"""Sources: how the raw files of a dataset get into data/raw/<name>/, beside the `manifest.json` that lists them.

A source is one small function, registered by the word before the colon in `source:`. What a source needs is imported
when it runs, so that a drawn dataset does not wait for scikit-learn, nor a download for pandas.

A loader returns a table as scikit-learn or statsmodels ships it, columns named, with one target column. It changes
nothing but what its docstring says. OpenML's answers are not the same to the byte from one day to the next. So what is
pinned, and kept, is the CSV form of the table in them.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import socket
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l2audit.data.entries import Entry, RemoteFile, local_file, read_entry
from l2audit.data.raw import (
    PAUSE,
    ROUNDS,
    Traffic,
    download,
    exclusive,
    is_whole,
    mirrored,
    require_files,
    write_manifest,
)
from l2audit.errors import UserError
from l2audit.files import atomic, sha256_of
from l2audit.registry import Registry

if TYPE_CHECKING:
    import pandas as pd

TABLE = "table.csv"
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class Network:
    """How the network may be used: https://HOST/PATH is asked at `mirror`/HOST/PATH; `offline`, nothing is asked.

    `traffic`: what downloads side by side share.
    """

    mirror: str | None = None
    offline: bool = False
    traffic: Traffic | None = None


@dataclass(frozen=True)
class Obtained:
    """The raw files of a dataset, in order; where each came from, by its name; the package that shipped them."""

    files: list[Path]
    origin: dict[str, str]
    package: str | None = None


Obtain = Callable[[Entry, Path, Network], Obtained]
sources: Registry[Obtain] = Registry("kind of source")


def download_dataset(
    name: str,
    declared: Mapping[str, Any],
    directory: str | Path,
    mirror: str | None = None,
    offline: bool = False,
    traffic: Traffic | None = None,
) -> Path:
    """Put the raw files of dataset `name` into `directory` and return the path of its manifest.

    `declared`: the dataset's entry in `config/datasets.yaml`. `mirror`: a base address that https://HOST/PATH is
    rewritten to, BASE/HOST/PATH. `offline`: use the network for nothing. `traffic`: what other downloads beside this
    one share with it. Files that are there with the right bytes are not fetched again. UserError for whatever the user
    can mend.
    """
    entry = read_entry(name, declared)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    obtained = sources[entry.kind](entry, folder, Network(mirror, offline, traffic))
    return write_manifest(folder, entry, obtained.files, obtained.origin, obtained.package)


@sources.register("bundled")
def _from_package(entry: Entry, folder: Path, network: Network) -> Obtained:
    package = entry.locator.partition("/")[0]
    distribution = _DISTRIBUTIONS.get(package, package)
    return Obtained([_write_table(loader_of(entry)(), folder)], {}, f"{distribution} {version(distribution)}")


@sources.register("synthetic")
def _from_generator(entry: Entry, folder: Path, network: Network) -> Obtained:
    from l2audit.data.synthetic import generate

    return Obtained([_write_table(generate(entry), folder)], {})


@sources.register("file")
def _from_disk(entry: Entry, folder: Path, network: Network) -> Obtained:
    source = local_file(entry)
    with atomic(folder / source.name) as temporary:
        shutil.copyfile(source, temporary)
    return Obtained([folder / source.name], {})


@sources.register("https")
def _from_web(entry: Entry, folder: Path, network: Network) -> Obtained:
    if network.offline:
        require_files(entry.files, folder)
    files = [download(file, folder, entry.name, network.mirror, network.traffic) for file in entry.files]
    return Obtained(files, {file.name: file.public_url for file in entry.files})


def network_settings(environment: Mapping[str, str]) -> tuple[str | None, bool]:
    """(mirror, offline) from L2AUDIT_MIRROR and L2AUDIT_OFFLINE; UserError if the latter is neither yes nor no."""
    told = environment.get("L2AUDIT_OFFLINE", "").strip().lower()
    if told not in (*_YES, *_NO):
        raise UserError(f"'{told}' is neither yes nor no", key="L2AUDIT_OFFLINE", fix="set it to 1 or 0")
    return environment.get("L2AUDIT_MIRROR", "").strip() or None, told in _YES


def _write_table(table: pd.DataFrame, folder: Path) -> Path:
    with atomic(folder / TABLE) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    return folder / TABLE


Load = Callable[[], "pd.DataFrame"]
loaders: Registry[Load] = Registry("bundled source")
SILENCE = 30.0
"""Seconds that OpenML may stay silent."""
# URLError and time-outs are OSErrors, OpenMLError and what pyarrow says of a damaged file ValueErrors.
_OPENML_FAULTS = (OSError, ValueError, KeyError, TypeError)
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}  # packages that are installed under another name


def loader_of(entry: Entry) -> Load:
    """What loads the table of a `bundled:` entry; UserError: nothing has that name."""
    return entry.known(loaders, entry.locator, "source")


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


@sources.register("openml")
def _from_openml(entry: Entry, folder: Path, network: Network) -> Obtained:
    """The table as CSV: all columns of OpenML's table but those it marks as row ids or to be ignored."""
    table = RemoteFile(f"https://www.openml.org/d/{entry.locator}", str(entry.sha256), kept_as=TABLE)
    if network.offline:
        require_files([table], folder)
    with exclusive(folder / TABLE):
        cache = folder / ".openml"
        try:
            if not is_whole(folder / TABLE, table):
                frame = _ask(entry, table.url, cache, network.mirror)
                with atomic(folder / TABLE) as temporary:
                    frame.to_csv(temporary, index=False, lineterminator="\n")
                    if (found := sha256_of(temporary)) != table.sha256:
                        raise entry.fault(
                            f"the table that OpenML sent has the SHA-256 {found}, not {table.sha256}",
                            key="sha256",
                            fix="if you have checked the table, write this SHA-256 into the entry, in quotes",
                        )
        finally:
            shutil.rmtree(cache, ignore_errors=True)  # a wrong answer must not be asked again
    return Obtained([folder / TABLE], {TABLE: table.url})


def _ask(entry: Entry, page: str, cache: Path, mirror: str | None) -> Any:
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
    except _OPENML_FAULTS as error:
        try:
            with _opener(mirror):
                return _from_parquet(entry.locator, mirror)
        except _OPENML_FAULTS as second:
            also = f"; nor as Parquet: {second or type(second).__name__}"
        raise UserError(
            f"dataset {entry.locator} cannot be had from OpenML: {error}{also}",
            file=page,
            key=f"{entry.name}.source",
            fix="check the number and the network and run the same command again, or set L2AUDIT_MIRROR to a server"
            " that holds HOST/PATH",
        ) from error


def _from_parquet(number: str, mirror: str | None) -> pd.DataFrame:
    """The table from OpenML's Parquet file, as scikit-learn would have read it from the ARFF file.

    OpenML's features say which columns count, in which order and as what: nominal ones become the text of the declared
    category, whatever Parquet holds them as (booleans, numbers), and numeric ones float64.
    """
    import pandas as pd

    described = _openml_json(f"data/{number}")["data_set_description"]
    features = _openml_json(f"data/features/{number}")["data_features"]["feature"]
    address = str(described["parquet_url"])
    if mirror:  # only addresses of that kind go to the mirror, and some are written as http://
        address = address.replace("http://", "https://", 1)
    raw = pd.read_parquet(io.BytesIO(_read(address, ROUNDS)))
    table = {}
    for feature in sorted(features, key=lambda one: int(one["index"])):
        marked = "true" in (feature["is_ignore"], feature["is_row_identifier"])
        if marked and feature["is_target"] != "true":
            continue
        column, kind = raw[feature["name"]], feature["data_type"].lower()
        if kind == "nominal":
            column = column.astype(object).map(_as_declared(_categories(feature)), na_action="ignore")
        elif kind == "integer":
            column = column.astype("float64").astype("Int64")
        elif kind in ("numeric", "real"):
            column = column.astype("float64")
        table[feature["name"]] = column
    return pd.DataFrame(table)


def _categories(feature: Mapping[str, Any]) -> list[str]:
    """The categories of a nominal feature; [] where OpenML does not tell them, as of old tables. Some stand in JSON."""
    told = feature.get("nominal_value") or json.loads(feature.get("nominal_values") or "[]")
    return [told] if isinstance(told, str) else list(told)


def _as_declared(categories: Sequence[str]) -> Callable[[object], str]:
    """How a value that Parquet holds was written in the ARFF file: as one of the categories, if they are known."""
    written: dict[str | float, str] = {}
    for category in categories:
        with contextlib.suppress(ValueError):
            written.setdefault(float(category), category)
        written.setdefault(category.casefold(), category)
    written |= {category: category for category in categories}

    def as_declared(value: object) -> str:
        text = str(value)
        if not categories:
            return text.lower() if isinstance(value, bool) else text
        for key in (text, text.casefold()):
            if key in written:
                return written[key]
        return written[float(text)]

    return as_declared


def _openml_json(path: str) -> Any:
    """OpenML's answer at `path`, from the second host of its interface where the first does not give it."""
    first, second = (f"https://{host}.openml.org/api/v1/json/{path}" for host in ("www", "api"))
    try:
        return json.loads(_read(first))
    except (OSError, ValueError):
        return json.loads(_read(second))


def _read(address: str, tries: int = 1) -> bytes:
    for left in reversed(range(tries)):
        try:
            with urllib.request.urlopen(address) as answer:
                return bytes(answer.read())
        except (OSError, HTTPException) as error:
            lasting = isinstance(error, urllib.error.HTTPError) and error.code < HTTPStatus.INTERNAL_SERVER_ERROR
            if lasting or not left:
                raise OSError(f"{address}: {error}") from error
        time.sleep(PAUSE)
    raise AssertionError("unreachable")


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
