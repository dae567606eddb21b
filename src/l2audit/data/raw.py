"""The raw files of a dataset: the manifest that lists them, what their bytes must be, and how they are downloaded.

A file gets its name only once its SHA-256 is right. A download that fails or is killed leaves nothing that counts.
The manifest is written last: it is what the workflow's download rule makes. Its bytes depend on the entry and the data
alone. It names neither the server that answered nor the folder that a file lay in.

Known limit: a server that sends one byte now and then is never given up. The time-out counts silence, not slowness.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from l2audit.data.entries import Entry, RemoteFile, public
from l2audit.errors import UserError
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
_WORTH_ANOTHER_TRY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class _Fault(Exception):
    """An address that did not give the file; it may at the next try."""


class _LastingFault(_Fault):
    """An address that will not give the file at the next try either."""


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


def require_files(files: Sequence[RemoteFile], directory: str | Path) -> None:
    """Do without the network: one UserError that lists every missing or wrong file with the place where it belongs."""
    lines = []
    for file in files:
        path = Path(directory) / file.name
        if not is_whole(path, file):
            state = " (there with other bytes)" if path.exists() else ""
            size = f"{file.bytes} bytes, " if file.bytes is not None else ""
            lines.append(f"\n    {path}{state}: {size}SHA-256 {file.sha256}, from {file.public_url}")
    if lines:
        raise UserError(
            f"offline, and {len(lines)} of {len(files)} files are not there:{''.join(lines)}",
            file=directory,
            fix="put each file at the path shown, or unset L2AUDIT_OFFLINE to download it",
        )


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


def download(file: RemoteFile, folder: Path, dataset: str, mirror: str | None = None) -> Path:
    """`folder`/NAME with the right bytes, downloaded unless it is there already.

    Every address is tried in turn. Those whose fault may pass are tried again after a pause. UserError if none gives
    the file: it names `dataset` and says what each address did.
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
                        _receive(address, file, temporary)
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
    told = "".join(f"\n    {address}: {fault}" for address, fault in faults.items())
    raise UserError(
        f"cannot be downloaded{told}",
        file=target,
        key=dataset,
        fix="check the network and run the same command again, or set L2AUDIT_MIRROR to a server that holds HOST/PATH,"
        f" or put the file (SHA-256 {file.sha256}) there by hand",
    )


def _receive(address: str, file: RemoteFile, temporary: Path) -> None:
    """Fill `temporary` with what `address` sends; a fault unless that is the file."""
    import pooch
    from requests import Response, exceptions
    from tqdm import tqdm

    def keep_as_sent(response: Response, **settings: object) -> None:
        """A server may call a file that is itself compressed a compressed transfer: it must not be undone."""
        response.raw.headers.pop("Content-Encoding", None)

    bar = tqdm(total=file.bytes or 1, desc=file.name, unit="B", unit_scale=True, leave=False, disable=None)
    get = pooch.HTTPDownloader(
        progressbar=bar,
        chunk_size=_BLOCK,
        timeout=TIMEOUTS,
        headers={"Accept-Encoding": "identity"},
        hooks={"response": keep_as_sent},
    )
    try:
        with bar:
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
