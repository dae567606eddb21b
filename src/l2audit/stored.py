"""Files that the workflow writes and reads again: tables as Parquet, the rest as JSON. A damaged one is noticed.

Each table holds the SHA-256 of all its other bytes, its seal. Parquet's own checksums, of pages, protect the values and
not the footer: one flipped bit there renames a column or alters the provenance, and no reader complains.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from l2audit.errors import DamagedFile
from l2audit.files import atomic, write_text

if TYPE_CHECKING:
    import pandas as pd

SEAL = b"l2audit.seal"
_BLANK = b"0" * 64
# Key and value stand in the footer as plain text; the two bytes between them say that 64 bytes of text follow.
_SEALED = re.compile(re.escape(SEAL) + rb"\x18\x40([0-9a-f]{64})")


def write_table(table: pa.Table, path: str | Path, **options: Any) -> None:
    """Write a table atomically and sealed, with settings that give the same bytes for the same table.

    options: further ones of `pyarrow.parquet.write_table`. Pages carry checksums for readers other than `read_table`.
    """
    sealed = table.replace_schema_metadata({**(table.schema.metadata or {}), SEAL: _BLANK})
    with atomic(path) as temporary:
        pq.write_table(sealed, temporary, compression="zstd", version="2.6", write_page_checksum=True, **options)
        content = temporary.read_bytes()
        start, end = _place_of_seal(content)
        temporary.write_bytes(content[:start] + hashlib.sha256(content).hexdigest().encode() + content[end:])


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A table that `write_table` wrote, or some of its columns. DamagedFile: not a byte may have changed since."""
    table = pq.read_table(pa.BufferReader(_whole(path)), columns=columns)
    return table.replace_schema_metadata(_without_seal(table.schema))


def metadata_of(path: str | Path) -> dict[bytes, bytes]:
    """The metadata of the schema of a table that `write_table` wrote; DamagedFile as `read_table`."""
    return _without_seal(pq.read_schema(pa.BufferReader(_whole(path))))


def write_frame(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a data frame, its index left out, as `write_table` does."""
    write_table(pa.Table.from_pandas(frame, preserve_index=False), path)


def read_frame(path: str | Path) -> pd.DataFrame:
    """A table that `write_table` or `write_frame` wrote, as pandas reads it; DamagedFile as `read_table`."""
    frame: pd.DataFrame = read_table(path).to_pandas()
    return frame


def write_json(path: str | Path, value: object) -> None:
    """Write `value` as JSON that a person can read, atomically; equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """The value in a JSON file. DamagedFile: it is not JSON, as when it was cut."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError:  # UnicodeDecodeError is one
        raise DamagedFile(path) from None


ORIGIN = "origin_sha256"
"""Key of a JSON file that `stamp` was put to: the hash of all that is declared of what the file was made of."""


def stamp(path: str | Path, origin: str) -> None:
    """Add to a JSON mapping what it was made of."""
    write_json(path, {**read_json(path), ORIGIN: origin})


def check_stamp(path: str | Path, origin: str, *others: str | Path) -> None:
    """DamagedFile, of `path` and the `others` made with it, if it was made of something else than `origin` says.

    Snakemake sees to that by what it remembers in .snakemake/, which can be lost.
    """
    if read_json(path).get(ORIGIN) != origin:
        raise DamagedFile(path, *others, problem="made of another entry, local file or code than is declared now")


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
