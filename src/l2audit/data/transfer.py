"""One file over the network: resumable, retried, locked, and visible under its name only once its SHA-256 is right.

pooch, the usual library, neither resumes by Range nor tries a second address; this does both on requests, the library
that pooch itself stands on, and so honours the same proxies and certificates.

Known limits: a server that sends one byte now and then is never given up (the read time-out counts silence, not
slowness); the lock is `flock`, which some network file systems ignore (two downloads then waste time, but the rename
still publishes whole files only).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

import requests
import urllib3
from tqdm import tqdm

from l2audit.data.locks import exclusive
from l2audit.data.remote import RemoteFile, is_whole, mirrored
from l2audit.errors import UserError
from l2audit.files import sha256_of

log = logging.getLogger(__name__)

_BLOCK = 1 << 16
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_WORTH_ANOTHER_TRY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_HOPELESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.TooManyRedirects,
)


@dataclass(frozen=True)
class Patience:
    """How long to try, in seconds.

    `rounds` over all addresses (a count), `pause` before the second round (doubled before each later one), time-outs
    of connecting and of silence in between.
    """

    rounds: int = 4
    pause: float = 1.0
    connect: float = 10.0
    read: float = 30.0


class _Transient(Exception):
    """This address failed now and may answer later."""


class _Permanent(Exception):
    """This address will not give the file."""


def transfer(file: RemoteFile, directory: Path, mirror: str | None, patience: Patience) -> Path:
    """`directory`/NAME with the right bytes, downloaded unless it is there already; UserError if it cannot be had.

    Every address is tried in turn, then all again after a pause. What was received is kept in a hidden partial file, so
    that the next attempt, at this or another address or after a kill, continues it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / file.name
    partial = directory / f".{file.name}.{file.sha256[:12]}.part"
    with exclusive(target):
        if is_whole(target, file):
            return target
        if target.exists():
            log.warning("%s has other bytes than declared and is downloaded again", target)
        if not is_whole(partial, file):
            _receive(file, partial, mirror, patience)
        with partial.open("rb") as received:
            os.fsync(received.fileno())
        os.replace(partial, target)
    return target


def _receive(file: RemoteFile, partial: Path, mirror: str | None, patience: Patience) -> None:
    """Fill `partial` with the right bytes from any address, or raise a UserError that says what each one did."""
    alive = list(dict.fromkeys(mirrored(address, mirror) for address in (file.url, *file.mirrors)))
    answers: dict[str, str] = {}
    with requests.Session() as session:
        for round_ in range(patience.rounds):
            if round_:
                time.sleep(patience.pause * 2 ** (round_ - 1))
            for address in list(alive):
                try:
                    return _receive_from(session, address, file, partial, patience)
                except _Transient as fault:
                    answers[address] = str(fault)
                except _Permanent as fault:
                    answers[address] = str(fault)
                    alive.remove(address)
                log.info("%s: %s", address, answers[address])
            if not alive:
                break
    told = "".join(f"\n    {address}: {answer}" for address, answer in answers.items())
    target = partial.with_name(file.name)
    raise UserError(
        f"cannot be downloaded{told}",
        file=target,
        fix="check the network and run the same command again (what was received is kept), or set L2AUDIT_MIRROR to a"
        f" server that holds HOST/PATH, or put the file (SHA-256 {file.sha256}) there by hand",
    )


def _receive_from(session: requests.Session, address: str, file: RemoteFile, partial: Path, patience: Patience) -> None:
    resumed = _stream(session, address, file, partial, patience)
    if is_whole(partial, file):
        return
    got = sha256_of(partial)
    partial.unlink()
    if resumed:  # the older part may be the wrong one: once more from zero
        _stream(session, address, file, partial, patience)
        if is_whole(partial, file):
            return
        got = sha256_of(partial)
        partial.unlink()
    raise _Permanent(f"sent other bytes (SHA-256 {got}, not {file.sha256})")


def _stream(session: requests.Session, address: str, file: RemoteFile, partial: Path, patience: Patience) -> bool:
    """Append the body from `address` to `partial`, whole; True if it continued bytes that were there before."""
    offset = partial.stat().st_size if partial.exists() else 0
    if offset and file.bytes is not None and offset >= file.bytes:
        partial.unlink()  # complete and yet not whole: wrong bytes
        offset = 0
    with _answer(session, address, offset, patience) as response:
        if offset and not _continues(response, offset):
            if response.status_code != HTTPStatus.OK:  # 416, or a part that was not asked for
                partial.unlink()
                response.close()
                return _stream(session, address, file, partial, patience)
            offset = 0
        total = _announced_total(response, offset)
        if None not in (total, file.bytes) and total != file.bytes:
            raise _Permanent(f"holds {total} bytes, not {file.bytes}")
        _refuse_full_disk(partial, (total or file.bytes or 0) - offset)
        with _writing(partial), partial.open("ab" if offset else "wb", buffering=0) as sink:
            _copy(response, sink, file, offset, total or file.bytes)
    size = partial.stat().st_size
    expected = file.bytes or total
    if expected is not None and size < expected:
        raise _Transient(f"the connection ended after {size} of {expected} bytes")
    return offset > 0


@contextlib.contextmanager
def _answer(session: requests.Session, address: str, offset: int, patience: Patience) -> Iterator[requests.Response]:
    # identity: a compressed transfer could not be resumed, and would be hashed in the wrong form
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    try:
        response = session.get(address, headers=headers, stream=True, timeout=(patience.connect, patience.read))
    except _HOPELESS as error:
        raise _Permanent(_short(error)) from error
    except requests.RequestException as error:
        raise _Transient(_short(error)) from error
    with response:
        status = response.status_code
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_ANOTHER_TRY:
            raise _Transient(f"answered {status}")
        if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
            raise _Permanent(f"answered {status}")
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and not offset:
            raise _Permanent(f"answered {status}")
        yield response


def _short(error: Exception) -> str:
    """The kind of failure, without the object addresses that requests puts into its messages."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    cause = re.search(r"\[Errno -?\d+\] ([^'\")]+)", str(error))
    return f"{type(error).__name__}{f' ({cause.group(1)})' if cause else ''}"


def _continues(response: requests.Response, offset: int) -> bool:
    """Whether the server honours the Range: it says so, and starts at the byte that was asked for."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return bool(response.status_code == HTTPStatus.PARTIAL_CONTENT and match and int(match.group(1)) == offset)


def _announced_total(response: requests.Response, offset: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return offset + int(length) if length.isdigit() else None


def _copy(response: requests.Response, sink: BinaryIO, file: RemoteFile, offset: int, total: int | None) -> None:
    bar: Any = tqdm(total=total, initial=offset, desc=file.name, unit="B", unit_scale=True, leave=False, disable=None)
    blocks = response.raw.stream(_BLOCK, decode_content=False)
    with bar:
        while True:
            try:
                block = next(blocks, None)
            except (urllib3.exceptions.HTTPError, requests.RequestException) as error:
                raise _Transient(f"the connection broke after {sink.tell()} bytes ({type(error).__name__})") from error
            if block is None:
                return
            if file.bytes is not None and sink.tell() + len(block) > file.bytes:
                raise _Permanent(f"sent more than {file.bytes} bytes")
            sink.write(block)
            bar.update(len(block))


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn a full disk into a message that says where and what is kept."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        raise _disk_full(path, "what was received is kept") from error


def _refuse_full_disk(path: Path, needed: int) -> None:
    with contextlib.suppress(OSError):
        status = os.statvfs(path.parent)
        if status.f_blocks and status.f_bavail * status.f_frsize < needed:
            raise _disk_full(path, f"{needed} more bytes are needed")


def _disk_full(path: Path, detail: str) -> UserError:
    return UserError(
        f"the disk is full ({detail})",
        file=path.parent,
        fix="free space there, or move the project to a larger disk, and run the same command again",
    )
