"""Raw files to the bytes of tables: archives are opened, compression is undone.

Three layers, each chosen on its own: a container (zip, tar) gives members, gzip gives the bytes inside it, and a table
reader (`l2audit.data.readers`) turns bytes into a table. Containers and compression are recognised by their content,
never by a file's name.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from l2audit.data.entries import Entry
from l2audit.errors import UserError
from l2audit.registry import Registry

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_OFFICE = "[Content_Types].xml"  # an .xlsx file is a zip archive, but not a container of tables
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)


@dataclass(frozen=True)
class Part:
    """One table's worth of bytes, uncompressed, and the name to call it by when it is broken."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Container:
    """An archive format: whether bytes are one, its members' names, and the bytes of a member."""

    recognises: Callable[[bytes], bool]
    names: Callable[[bytes], list[str]]
    member: Callable[[bytes, str], bytes]


containers: Registry[Container] = Registry("container")


def parts_of(paths: list[Path], entry: Entry) -> list[Part]:
    """The parts of a dataset's raw files in the order declared; of an archive, the `members` that the entry names.

    UserError for an archive without `members`, for `members` without an archive, for a member that is not in it, and
    for a file that is broken.
    """
    parts = []
    for path in paths:
        try:
            parts += [Part(name, _uncompressed(content)) for name, content in _unpacked(path, entry)]
        except _BROKEN as error:
            raise UserError(
                f"cannot be unpacked: {error}",
                file=path,
                key=f"{entry.name}.files",
                fix="delete the file and download it again, or correct it at its source",
            ) from error
    return parts


def _unpacked(path: Path, entry: Entry) -> Iterator[tuple[str, bytes]]:
    content = path.read_bytes()
    container = next((containers[name] for name in containers if containers[name].recognises(content)), None)
    if container is None:
        if entry.members:
            raise entry.fault(f"'{path.name}' is no archive", key="members", fix="remove the key `members`")
        yield str(path), content
        return
    known = container.names(content)
    if not entry.members and _OFFICE not in known:
        raise entry.fault(f"'{path.name}' is an archive", key="members", fix=_choice(known))
    if not entry.members:
        yield str(path), content
    for name in entry.members:
        if name not in known:
            raise entry.fault(f"'{path.name}' has no member '{name}'", key="members", fix=_choice(known))
        yield f"{path}: {name}", container.member(content, name)


def _choice(known: list[str]) -> str:
    return f"name under `members` which files to read; it holds {', '.join(known[:20])}"


def _uncompressed(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(_GZIP) else content


def _zip_names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [item.filename for item in archive.infolist() if not item.is_dir()]


def _zip_member(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def _is_tar(content: bytes) -> bool:
    """Plain or compressed. A truncated gzip stream is not taken for one, and is told as broken further on."""
    try:
        return tarfile.is_tarfile(io.BytesIO(content))
    except _BROKEN:
        return False


def _tar_names(content: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return [item.name for item in archive if item.isfile()]


def _tar_member(content: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        stream = archive.extractfile(name)
        if stream is None:
            raise tarfile.TarError(f"'{name}' is no file")
        return stream.read()


containers.add("zip", Container(lambda content: content.startswith(_ZIP), _zip_names, _zip_member))
containers.add("tar", Container(_is_tar, _tar_names, _tar_member))
