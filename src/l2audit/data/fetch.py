"""All `https` datasets of a study at once: hosts side by side, the files of one host one after the other.

No number depends on this module: `raw.py` decides which bytes are right. So a change here redoes no data.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from l2audit.data.entries import RemoteFile, read_entry
from l2audit.data.raw import (
    FAILED,
    MANIFEST,
    NotDownloaded,
    Stopped,
    Traffic,
    listed_files,
    mirrored,
    missing_files,
    offline_error,
)
from l2audit.data.sources import download_dataset
from l2audit.errors import UserError, one_line
from l2audit.stored import ORIGIN, read_json, stamp, write_json

log = logging.getLogger(__name__)

HOSTS = 8
"""How many hosts are asked at once."""
PATIENCE = 3
"""So many datasets in a row that a host does not give, though it might, and the rest of that host is not tried."""
TOLD = 5
"""So many failed datasets are named with their reasons in the summary; the log has all."""


@dataclass
class Fetched:
    """How the fetch of some datasets ended. `failed`: why, by dataset; `offline`: what must be brought by hand."""

    wanted: list[str]
    traffic: Traffic
    got: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    offline: UserError | None = None
    stopped: bool = False

    def summary(self, log_file: str | Path) -> str:
        """One line: how many datasets and bytes, how many from which host, what failed, and what to do."""
        hosts: dict[str, str] = {}
        for dataset, host, _ in self.traffic.sent:
            hosts.setdefault(dataset, host)
        came = Counter(hosts[name] for name in self.got if name in hosts)
        parts = [f"{count} from {host}" for host, count in came.most_common()]
        if there := len(self.got) - came.total():
            parts.append(f"{there} there already")
        size = sum(count for *_, count in self.traffic.sent)
        datasets = f"{len(self.wanted)} dataset{'s' * (len(self.wanted) != 1)}"
        line = f"{datasets}, {readable(size)}: {', '.join(parts) or 'none came'}"
        if self.stopped:
            line += f"; stopped before {len(self.wanted) - len(self.got)} of them"
        elif self.failed:
            told = [f"{name} ({reason})" for name, reason in list(self.failed.items())[:TOLD]]
            more = [f"{len(self.failed) - TOLD} more"] if len(self.failed) > TOLD else []
            line += f"; {len(self.failed)} failed: {', '.join(told + more)}"
        else:
            return line
        return f"{line}; run the same command again: what is there is kept (all faults, with fixes: {log_file})"


def readable(size: float) -> str:
    """A number of bytes as people write it."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def is_prepared(made: Sequence[str | Path], card: str | Path, origin: str) -> bool:
    """Whether the files `made` of a dataset are there, and its `card` is of the entry and code of the hash `origin`."""
    try:
        return all(Path(path).exists() for path in made) and read_json(card).get(ORIGIN) == origin
    except (OSError, UserError):
        return False


def is_fetched(folder: str | Path, dataset: str, origin: str) -> bool:
    """Whether `folder` has the manifest of the entry and code of the hash `origin`, and the files that it lists.

    The files count by their sizes: who reads them hashes them.
    """
    manifest = Path(folder) / MANIFEST
    try:
        sizes = {manifest.parent / one["name"]: one["bytes"] for one in listed_files(manifest, dataset)}
        return read_json(manifest).get(ORIGIN) == origin and all(
            path.stat().st_size == size for path, size in sizes.items()
        )
    except (OSError, UserError):
        return False


def fetch(
    entries: Mapping[str, Mapping[str, Any]],
    origins: Mapping[str, str],
    root: str | Path,
    mirror: str | None = None,
    offline: bool = False,
) -> Fetched:
    """Put the raw files of each dataset into its folder below `root`, and its manifest, stamped with its origin.

    entries: `https` entries of `config/datasets.yaml` by name. A manifest is written as soon as its dataset is whole.
    A dataset that fails stops no other. Ctrl-C ends the fetch; what is whole stays.
    """
    from tqdm import tqdm

    result = Fetched(list(entries), Traffic(None))
    files = 0
    waiting: dict[str, list[str]] = defaultdict(list)
    missing: list[tuple[Path, RemoteFile]] = []
    for name, declared in entries.items():
        try:
            entry = read_entry(name, declared)
            host = urlsplit(mirrored(entry.files[0].url, mirror)).netloc.rpartition("@")[2]
        except UserError as error:
            _note(result, name, error)
            continue
        files += len(entry.files)
        missing += (lacking := missing_files(entry.files, Path(root) / name))
        if offline and lacking:
            result.failed[name] = "offline"
        else:
            waiting[host].append(name)
    if offline and missing:
        result.offline = offline_error(missing, files, root)
    hosts: queue.SimpleQueue[str] = queue.SimpleQueue()
    for host in waiting:
        hosts.put(host)

    def work() -> None:
        while not result.traffic.stopped.is_set():
            try:
                host = hosts.get_nowait()
            except queue.Empty:
                return
            in_vain = 0
            for name in waiting[host]:
                if result.traffic.stopped.is_set():
                    return
                if in_vain == PATIENCE:
                    _note(result, name, f"not asked: {host} gave none of {PATIENCE} datasets before")
                    continue
                try:
                    folder = Path(root) / name
                    stamp(download_dataset(name, entries[name], folder, mirror, offline, result.traffic), origins[name])
                    result.got.append(name)
                    in_vain = 0
                except Stopped:
                    return
                except Exception as error:
                    _note(result, name, error)
                    in_vain = in_vain + 1 if isinstance(error, NotDownloaded) and error.passing else 0

    size = sum(file.bytes or 0 for _, file in missing)
    with tqdm(total=size, desc="data", unit="B", unit_scale=True, leave=False, disable=None) as bar:
        result.traffic.bar = bar
        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(HOSTS, len(waiting)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            result.traffic.stopped.set()
            result.stopped = True
            for thread in threads:
                thread.join(timeout=1)
    return result


def stand_ins(result: Fetched, root: str | Path) -> None:
    """Where a dataset failed, write what `refuse_failed` knows, so that the workflow goes on with the others."""
    for name, reason in result.failed.items():
        write_json(Path(root) / name / MANIFEST, {"dataset": name, FAILED: reason})


def _note(result: Fetched, name: str, error: Exception | str) -> None:
    log.error("%s: %s", name, error, exc_info=isinstance(error, Exception) and not isinstance(error, UserError))
    if isinstance(error, NotDownloaded):
        error = "; ".join(f"{address}: {fault}" for address, fault in error.faults.items())
    elif isinstance(error, UserError):
        error = error.problem
    result.failed[name] = one_line(str(error) or type(error).__name__)
