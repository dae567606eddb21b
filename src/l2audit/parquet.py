"""Parquet files that notice when they were damaged: each holds the SHA-256 of all its other bytes, its seal.

Checksums of pages, which Parquet has, protect the values and not the footer: one flipped bit there renames a column or
alters the provenance, and no reader complains.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from l2audit.errors import DamagedFile
from l2audit.files import atomic

SEAL = b"l2audit.seal"
_BLANK = b"0" * 64
# Key and value stand in the footer as plain text; the two bytes between them say that 64 bytes of text follow.
_SEALED = re.compile(re.escape(SEAL) + rb"\x18\x40([0-9a-f]{64})")


def write(table: pa.Table, path: str | Path, **options: Any) -> None:
    """Write a table atomically and sealed, with settings that give the same bytes for the same table.

    options: further ones of `pyarrow.parquet.write_table`. Pages carry checksums for readers other than `read`.
    """
    sealed = table.replace_schema_metadata({**(table.schema.metadata or {}), SEAL: _BLANK})
    with atomic(path) as temporary:
        pq.write_table(sealed, temporary, compression="zstd", version="2.6", write_page_checksum=True, **options)
        content = temporary.read_bytes()
        start, end = _place_of_seal(content)
        temporary.write_bytes(content[:start] + hashlib.sha256(content).hexdigest().encode() + content[end:])


def read(path: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A table that `write` wrote, or some of its columns. DamagedFile: not a byte may have changed since."""
    table = pq.read_table(pa.BufferReader(_whole(path)), columns=columns)
    return table.replace_schema_metadata(_without_seal(table.schema))


def metadata_of(path: str | Path) -> dict[bytes, bytes]:
    """The metadata of the schema of a table that `write` wrote; DamagedFile as `read`."""
    return _without_seal(pq.read_schema(pa.BufferReader(_whole(path))))


def _without_seal(schema: pa.Schema) -> dict[bytes, bytes]:
    return {key: value for key, value in (schema.metadata or {}).items() if key != SEAL}


def _whole(path: str | Path) -> bytes:
    """The bytes of a file whose seal is intact."""
    content = Path(path).read_bytes()
    try:
        start, end = _place_of_seal(content)
    except ValueError:
        raise DamagedFile(path) from None
    if hashlib.sha256(content[:start] + _BLANK + content[end:]).hexdigest().encode() != content[start:end]:
        raise DamagedFile(path)
    return content


def _place_of_seal(content: bytes) -> tuple[int, int]:
    """Where the seal's digits stand; ValueError unless there is one seal."""
    (found,) = _SEALED.finditer(content)
    return found.span(1)
