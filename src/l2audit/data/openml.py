"""Datasets of OpenML by their number, through scikit-learn's `fetch_openml`.

OpenML's answers are not the same to the byte from one day to the next, so what is pinned is the table in them: its CSV
form, which is what is kept. scikit-learn tries each request again; a download that was killed goes on with the answers
it has. Known limit: within one answer it cannot go on from the middle.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from l2audit.data.entries import Entry
from l2audit.data.remote import RemoteFile, exclusive, is_whole, mirrored
from l2audit.errors import UserError
from l2audit.files import atomic, sha256_of

RETRIES = 3
PAUSE = 1.0
SILENCE = 30.0


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
                n_retries=RETRIES,
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
