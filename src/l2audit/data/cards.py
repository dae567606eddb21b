"""What the data cards of all datasets say, in one small file that comes with the repository.

Most people have prepared a few datasets only. Of the others this file tells what is to be known before they are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from l2audit.stored import read_json, read_table, write_table

FILE = Path("data/cards.parquet")
PREPARED = Path("data/prepared")
COLUMNS = pa.schema(
    {
        "name": pa.string(),
        "task": pa.string(),
        "rows": pa.int64(),
        "columns": pa.int64(),
        "classes": pa.int64(),  # null for regression
        "condition_number": pa.float64(),
        "collinear": pa.bool_(),
        "missing": pa.string(),
        "warnings": pa.string(),
        "licence": pa.string(),
        "source": pa.string(),
    }
)


def row_of(card: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a data card; its warnings are one text."""
    return {key: card.get(key) for key in COLUMNS.names} | {"warnings": "; ".join(card.get("warnings", ()))}


def rows_of(root: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Those of the datasets `names` that are known: by the card in data/prepared/, which is newer, else by `FILE`."""
    kept = {row["name"]: row for row in read_table(root / FILE).to_pylist()} if (root / FILE).is_file() else {}
    found = {}
    for name in names:
        card = root / PREPARED / f"{name}.json"
        if card.is_file():
            found[name] = row_of(read_json(card))
        elif name in kept:
            found[name] = kept[name]
    return found


def write_cards(root: Path, names: Iterable[str]) -> int:
    """Write `FILE`, one row for each of the datasets `names` that is known, sorted; how many these are."""
    rows = rows_of(root, sorted(names))
    write_table(pa.Table.from_pylist(list(rows.values()), schema=COLUMNS), root / FILE)
    return len(rows)


def doubtful(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Those of the datasets `names` whose cards warn, and what they say."""
    return {name: row["warnings"] for name, row in rows_of(root, names).items() if row["warnings"]}
