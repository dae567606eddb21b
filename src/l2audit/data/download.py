"""Raw data: data/raw/<name>/ with the files of a dataset and `manifest.json`, whatever its source.

A source is one small function, registered by the word before the colon in `source:`. What a source needs is imported
when it runs, so that a drawn dataset does not wait for scikit-learn, nor a download for pandas.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l2audit.data.entries import Entry, RemoteFile, local_file, read_entry
from l2audit.data.raw import download, require_files, write_manifest
from l2audit.errors import UserError
from l2audit.files import atomic
from l2audit.registry import Registry

if TYPE_CHECKING:
    import pandas as pd

TABLE = "table.csv"
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class Network:
    """How the network may be used: https://HOST/PATH is asked at `mirror`/HOST/PATH; `offline`, nothing is asked."""

    mirror: str | None = None
    offline: bool = False


@dataclass(frozen=True)
class Obtained:
    """The raw files of a dataset, in order; where each came from, by its name; the package that shipped them."""

    files: list[Path]
    origin: dict[str, str]
    package: str | None = None


Obtain = Callable[[Entry, Path, Network], Obtained]
sources: Registry[Obtain] = Registry("kind of source")


def download_dataset(
    name: str, declared: Mapping[str, Any], directory: str | Path, mirror: str | None = None, offline: bool = False
) -> Path:
    """Put the raw files of dataset `name` into `directory` and return the path of its manifest.

    `declared`: the dataset's entry in `config/datasets.yaml`. `mirror`: a base address that https://HOST/PATH is
    rewritten to, BASE/HOST/PATH. `offline`: use the network for nothing. Files that are there with the right bytes are
    not fetched again. UserError for whatever the user can mend.
    """
    entry = read_entry(name, declared)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    obtained = sources[entry.kind](entry, folder, Network(mirror, offline))
    return write_manifest(folder, entry, obtained.files, obtained.origin, obtained.package)


@sources.register("bundled")
def _from_package(entry: Entry, folder: Path, network: Network) -> Obtained:
    from l2audit.data.sources import loader_of, package_of

    return Obtained([_write_table(loader_of(entry)(), folder)], {}, package_of(entry))


@sources.register("synthetic")
def _from_generator(entry: Entry, folder: Path, network: Network) -> Obtained:
    from l2audit.data.sources import generate

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
    files = [download(file, folder, entry.name, network.mirror) for file in entry.files]
    return Obtained(files, {file.name: file.public_url for file in entry.files})


@sources.register("openml")
def _from_openml(entry: Entry, folder: Path, network: Network) -> Obtained:
    from l2audit.data.sources import fetch_table, page_of

    table = RemoteFile(page_of(entry), str(entry.sha256), kept_as=TABLE)
    if network.offline:
        require_files([table], folder)
    fetch_table(entry, table, folder, network.mirror)
    return Obtained([folder / TABLE], {TABLE: table.url})


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
