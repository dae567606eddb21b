"""The raw files of a dataset: the manifest that lists them, what their bytes must be, and how they are downloaded.

A file gets its name only once its SHA-256 is right. A download that fails or is killed leaves nothing that counts.
The manifest is written last: it is what the workflow's rules `fetch` and `download` make. Its bytes depend on the
entry and the data alone. It names neither the server that answered nor the folder that a file lay in.

Known limit: a server that sends one byte now and then is never given up. The time-out counts silence, not slowness.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from l2audit.data.entries import Entry, RemoteFile, public
from l2audit.errors import DamagedFile, UserError, one_line
from l2audit.files import atomic, sha256_of, write_text

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
ROUNDS = 4
"""How often every address is tried."""
PAUSE = 1.0
"""Seconds before the second round; doubled before each later one."""
TIMEOUTS = (10.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes."""
_BLOCK = 1 << 16
_HTML = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_WORTH_ANOTHER_TRY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class _Fault(Exception):
    """An address that did not give the file; it may at the next try."""


class _LastingFault(_Fault):
    """An address that will not give the file at the next try either."""


class NotDownloaded(UserError):
    """No address gave the file. `faults`: what each did; `passing`: whether one of them may do better next time."""

    def __init__(self, faults: dict[str, str], passing: bool, *, file: Path, key: str, fix: str) -> None:
        self.faults, self.passing = faults, passing
        told = "".join(f"\n    {address}: {fault}" for address, fault in faults.items())
        super().__init__(f"cannot be downloaded{told}", file=file, key=key, fix=fix)


@dataclass
class Traffic:
    """What downloads side by side share: one bar, a turn for each host, and who has sent how many bytes for whom."""

    bar: Any
    turns: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    sent: list[tuple[str, str, int]] = field(default_factory=list)
    """(dataset, host, bytes) of each file that came."""
    stopped: threading.Event = field(default_factory=threading.Event)


class Stopped(Exception):
    """The run was ended in the middle of a file."""


class _Part:
    """The part of one file in the bar of all. pooch calls it as it would call a bar of that file's own."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic, self.total, self.seen = traffic, 0, 0

    def update(self, count: int) -> None:
        if self.traffic.stopped.is_set():
            raise Stopped
        count = min(count, self.total - self.seen)  # pooch counts whole blocks, also where the file is shorter
        self.seen += count
        with self.traffic.bar.get_lock():
            self.traffic.bar.update(count)

    def reset(self) -> None:
        self.update(-self.seen)

    def close(self) -> None:
        """The bar goes on with the next file."""


def mirrored(address: str, mirror: str | None) -> str:
    """`https://HOST/PATH` as `mirror`/HOST/PATH; the address itself if there is no mirror."""
    if not mirror:
        return address
    if urlsplit(mirror).scheme not in ("http", "https"):
        raise UserError(
            f"the mirror '{public(mirror)}' is no web address",
            key="L2AUDIT_MIRROR",
            fix="set it to https://HOST or http://HOST",
        )
    return f"{mirror.rstrip('/')}/{public(address).partition('://')[2]}"


def is_whole(path: Path, file: RemoteFile) -> bool:
    """Whether `path` exists with the bytes that `file` must have."""
    return path.is_file() and file.bytes in (None, path.stat().st_size) and sha256_of(path) == file.sha256


def missing_files(files: Sequence[RemoteFile], directory: str | Path) -> list[tuple[Path, RemoteFile]]:
    """The files that are not in `directory` with the right bytes, and the place of each."""
    places = [(Path(directory) / file.name, file) for file in files]
    return [(path, file) for path, file in places if not is_whole(path, file)]


def offline_error(missing: Sequence[tuple[Path, RemoteFile]], files: int, directory: str | Path) -> UserError:
    """That of `files` files below `directory` those in `missing` must be brought by hand."""
    lines = []
    for path, file in missing:
        state = " (there with other bytes)" if path.exists() else ""
        size = f"{file.bytes} bytes, " if file.bytes is not None else ""
        lines.append(f"\n    {path}{state}: {size}SHA-256 {file.sha256}, from {file.public_url}")
    return UserError(
        f"offline, and {len(lines)} of {files} files are not there:{''.join(lines)}",
        file=directory,
        fix="put each file at the path shown, or unset L2AUDIT_OFFLINE to download it",
    )


def require_files(files: Sequence[RemoteFile], directory: str | Path) -> None:
    """Do without the network: one UserError that lists every missing or wrong file with the place where it belongs."""
    if missing := missing_files(files, directory):
        raise offline_error(missing, len(files), directory)


@contextlib.contextmanager
def exclusive(target: Path) -> Iterator[None]:
    """Hold the lock of `target`, waiting for whoever has it. It goes with the process, however that ends."""
    from filelock import FileLock, Timeout

    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning("waiting for another download of %s", target.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def download(
    file: RemoteFile, folder: Path, dataset: str, mirror: str | None = None, traffic: Traffic | None = None
) -> Path:
    """`folder`/NAME with the right bytes, downloaded unless it is there already.

    Every address is tried in turn. Those whose fault may pass are tried again after a pause. NotDownloaded if none
    gives the file: it names `dataset` and says what each address did. `traffic`: other downloads go on beside this one.
    """
    target = folder / file.name
    waiting = list(dict.fromkeys(mirrored(address, mirror) for address in (file.url, *file.mirrors)))
    faults: dict[str, str] = {}
    with exclusive(target):
        if is_whole(target, file):
            return target
        if target.exists():
            log.warning("%s has other bytes than declared and is downloaded again", target)
        for round_ in range(ROUNDS):
            if round_ and waiting:
                time.sleep(PAUSE * 2 ** (round_ - 1))
            for address in list(waiting):
                try:
                    with atomic(target) as temporary:
                        _receive(address, file, temporary, dataset, traffic)
                    return target
                except _Fault as fault:
                    faults[public(address)] = str(fault)
                    log.info("%s: %s", public(address), fault)
                    if isinstance(fault, _LastingFault):
                        waiting.remove(address)
                except OSError as error:
                    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                        raise
                    fix = "free space there, or move the project to a larger disk, and run the same command again"
                    raise UserError("the disk is full", file=folder, key=dataset, fix=fix) from error
    look = "look at the address in a browser, and correct it in the entry, or " if "HTML" in str(faults) else ""
    raise NotDownloaded(
        faults,
        bool(waiting),
        file=target,
        key=dataset,
        fix=f"{look}check the network and run the same command again, or set L2AUDIT_MIRROR to a server that holds"
        f" HOST/PATH, or put the file (SHA-256 {file.sha256}) there by hand",
    )


def _receive(address: str, file: RemoteFile, temporary: Path, dataset: str, traffic: Traffic | None) -> None:
    """Fill `temporary` with what `address` sends; a fault unless that is the file."""
    if traffic is None:
        _get(address, file, temporary, None)
        return
    host, part = urlsplit(address).netloc.rpartition("@")[2], _Part(traffic)
    try:
        with traffic.turns[host]:
            _get(address, file, temporary, part)
    finally:
        if not traffic.stopped.is_set():
            part.reset()
    part.total = temporary.stat().st_size
    part.update(part.total)
    traffic.sent.append((dataset, host, part.total))


def _get(address: str, file: RemoteFile, temporary: Path, part: _Part | None) -> None:
    import pooch
    from requests import Response, exceptions
    from tqdm import tqdm

    def keep_as_sent(response: Response, **settings: object) -> None:
        """A server may call a file that is itself compressed a compressed transfer: it must not be undone."""
        response.raw.headers.pop("Content-Encoding", None)

    bar: Any = part or tqdm(total=file.bytes or 1, desc=file.name, unit="B", unit_scale=True, leave=False, disable=None)
    get = pooch.HTTPDownloader(
        progressbar=bar,
        chunk_size=_BLOCK,
        timeout=TIMEOUTS,
        headers={"Accept-Encoding": "identity"},
        hooks={"response": keep_as_sent},
    )
    try:
        with contextlib.closing(bar):
            get(address, str(temporary), None)
    except exceptions.HTTPError as error:
        status = 0 if error.response is None else error.response.status_code
        passes = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_ANOTHER_TRY
        raise (_Fault if passes else _LastingFault)(f"answered {status}") from None
    except (ValueError, exceptions.TooManyRedirects) as error:  # requests' word for a malformed address
        raise _LastingFault(type(error).__name__) from None
    except exceptions.RequestException as error:
        silent = isinstance(error, exceptions.Timeout) or "timed out" in str(error)
        raise _Fault("no answer in time" if silent else _cause(error)) from None
    size, sha256 = temporary.stat().st_size, sha256_of(temporary)
    with temporary.open("rb") as stream:
        start = stream.read(200)
    if sha256 != file.sha256 and _HTML.match(start):
        begins = one_line(start.decode(errors="replace"))[:60]
        raise _LastingFault(f'sent an HTML page (it begins "{begins}…") and not the file')
    if file.bytes is not None and size < file.bytes:
        raise _Fault(f"sent {size} of {file.bytes} bytes")
    if sha256 != file.sha256:
        raise _LastingFault(f"sent other bytes ({size} bytes, SHA-256 {sha256}, not {file.sha256})")


def _cause(error: BaseException) -> str:
    """The system's or library's word for a failed connection, without the object addresses in the whole message."""
    inner: object = error
    while isinstance(inner, BaseException):
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = getattr(inner, "reason", None) or inner.__cause__ or inner.__context__
    return type(error).__name__


FAILED = "failed"
"""Key of what stands in for a manifest where the download failed and the workflow shall go on with the others."""


def refuse_failed(manifest: str | Path) -> None:
    """DamagedFile if `manifest` stands for a download that failed: removed, it is tried again."""
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(Path(manifest).read_text(encoding="utf-8"))
        if isinstance(told, dict) and FAILED in told:
            raise DamagedFile(manifest, problem=f"stands for a download that failed ({told[FAILED]})")


def write_manifest(
    folder: Path, entry: Entry, files: Sequence[Path], origin: dict[str, str], package: str | None
) -> Path:
    """List `files` of `folder`, with size and SHA-256; `origin`: file name -> address, where it has one."""
    listed = [
        {"name": one.name, "bytes": one.stat().st_size, "sha256": sha256_of(one), "url": origin.get(one.name)}
        for one in files
    ]
    manifest = {"dataset": entry.name, "source": entry.public_source, "package": package, "files": listed}
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return folder / MANIFEST


def listed_files(manifest: Path, dataset: str) -> list[dict[str, Any]]:
    """Name, bytes, sha256 and url of each raw file, in order; UserError if there is no whole manifest."""
    try:
        files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        return [{key: item[key] for key in ("name", "bytes", "sha256", "url")} for item in files]
    except OSError as error:
        problem = f"no manifest of dataset '{dataset}' ({error.strerror})"
        raise UserError(problem, file=manifest, fix="run the workflow again: it downloads the dataset") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"not a whole manifest of dataset '{dataset}' ({type(error).__name__})",
            file=manifest,
            fix=f"delete {manifest} and run the workflow again: it downloads the dataset",
        ) from error


def verified_files(manifest: Path, dataset: str) -> dict[Path, str]:
    """The raw files that the manifest lists, each with its SHA-256, in order; UserError if one is not as recorded."""
    files = {}
    for item in listed_files(manifest, dataset):
        path = manifest.parent / item["name"]
        if not path.is_file():
            damage = "it is gone"
        elif path.stat().st_size != item["bytes"]:
            damage = f"{path.stat().st_size} bytes, {item['bytes']} are recorded"
        elif sha256_of(path) != item["sha256"]:
            damage = "its SHA-256 differs"
        else:
            files[path] = str(item["sha256"])
            continue
        raise UserError(
            f"not the file that was downloaded for dataset '{dataset}': {damage}",
            file=path,
            fix=f"delete {manifest} and run the workflow again: it downloads the file again",
        )
    return files
