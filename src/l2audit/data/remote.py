"""Files that come from elsewhere: what their bytes must be, and which of them are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

from l2audit.errors import UserError
from l2audit.files import sha256_of


@dataclass(frozen=True)
class RemoteFile:
    """A file on the network: its first address, what its bytes must be, and where else it can be had."""

    url: str
    sha256: str
    bytes: int | None = None
    mirrors: tuple[str, ...] = ()
    kept_as: str | None = None

    @property
    def name(self) -> str:
        """The file's name on disk: the last segment of its address, unless it is kept under another."""
        return self.kept_as or PurePosixPath(unquote(urlsplit(self.url).path)).name

    @property
    def public_url(self) -> str:
        """`url` as results and the page show it: without a user's name and password."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def is_whole(path: Path, file: RemoteFile) -> bool:
    """Whether `path` exists with the bytes that `file` must have."""
    return path.is_file() and file.bytes in (None, path.stat().st_size) and sha256_of(path) == file.sha256


def missing_files(files: Sequence[RemoteFile], directory: str | Path) -> list[str]:
    """A line for every one of `files` that `directory` does not hold whole: its path, size, SHA-256 and address."""
    lines = []
    for file in files:
        path = Path(directory) / file.name
        if not is_whole(path, file):
            state = " (there with other bytes)" if path.exists() else ""
            size = f"{file.bytes} bytes, " if file.bytes is not None else ""
            lines.append(f"{path}{state}: {size}SHA-256 {file.sha256}, from {file.url}")
    return lines


def require_files(files: Sequence[RemoteFile], directory: str | Path) -> None:
    """Do without the network: one UserError that lists every missing or wrong file with the place where it belongs."""
    absent = missing_files(files, directory)
    if absent:
        lines = "".join(f"\n    {line}" for line in absent)
        raise UserError(
            f"offline, and {len(absent)} of {len(files)} files are not there:{lines}",
            file=directory,
            fix="put each file at the path shown, or unset L2AUDIT_OFFLINE to download it",
        )


def mirrored(address: str, mirror: str | None) -> str:
    """`https://HOST/PATH` as `mirror`/HOST/PATH; the address itself if there is no mirror."""
    if not mirror:
        return address
    if urlsplit(mirror).scheme not in ("http", "https"):
        raise UserError(
            f"the mirror '{mirror}' is no web address",
            key="L2AUDIT_MIRROR",
            fix="set it to https://HOST or http://HOST",
        )
    return f"{mirror.rstrip('/')}/{address.partition('://')[2]}"
