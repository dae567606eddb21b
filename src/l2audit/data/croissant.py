"""A dataset's card in Croissant, the JSON-LD form that dataset search engines and loaders read.

Akhtar et al. (2024) Croissant: a metadata format for ML-ready datasets, arXiv:2403.19546; format version 1.0. It
describes the raw files with their SHA-256. Where they are tables that name their own columns, it also says where each
feature and the target are found, so that a loader can read the records. Names are as in the table; the ids beside
them are words made of the names, because an id with a blank, a quote or a slash is not valid.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from l2audit.data.entries import Entry, read_entry
from l2audit.data.raw import listed_files
from l2audit.data.readers import parts_of, reader_of
from l2audit.files import write_text

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
# The context that the specification of version 1.0 gives, whole: readers compare it.
_OWN_TERMS = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format"),
    *("includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
    *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{term: f"cr:{term}" for term in _OWN_TERMS},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
ENCODINGS = {
    ".csv": "text/csv",
    ".gz": "application/gzip",
    ".parquet": "application/x-parquet",
    ".tgz": "application/x-tar",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
}
PLAIN = "text/plain"


def write_croissant(
    name: str, declared: Mapping[str, Any], manifest: str | Path, card: Mapping[str, Any], out: str | Path
) -> None:
    """Write the Croissant description of dataset `name` to `out`; equal data give equal bytes.

    `manifest`: what `download_dataset` wrote; `card`: the data card that `prepare_dataset` made of it.
    """
    entry = read_entry(name, declared)
    files = listed_files(Path(manifest), name)
    ids = unique_ids(file["name"] for file in files)
    reference = re.search(r"doi:(10\.\S+[^\s;,.])", entry.citation)  # what there is to visit without a download
    address = f"https://doi.org/{reference[1]}" if reference else None
    described = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": entry.name,
        "description": " ".join([entry.description, *([f"{card['notes']}."] if card["notes"] else [])]),
        "license": entry.licence,
        "citeAs": entry.citation,
        "url": next((file["url"] for file in files if file["url"]), address),
        "isAccessibleForFree": True,
        "keywords": [entry.task, f"{card['rows']} rows", f"{card['columns']} features"],
        "variableMeasured": [*card["feature_names"], card["target"]],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": ids[file["name"]],
                "name": file["name"],
                # Beside this description, where the file was made or copied on this machine.
                "contentUrl": file["url"] if entry.kind == "https" else f"../raw/{entry.name}/{file['name']}",
                "contentSize": f"{file['bytes']} B",
                "encodingFormat": ENCODINGS.get(PurePosixPath(file["name"]).suffix, PLAIN),
                "sha256": file["sha256"],
            }
            for file in files
        ],
    }
    # A loader that knows nothing of this project finds the columns by name in one plain CSV or Parquet file.
    told = (entry.members, entry.header, entry.skip_lines, entry.comment, entry.encoding, entry.thousands)
    plain = not any(told) and entry.separator == "," and entry.decimal == "." and len(files) == 1
    path = Path(manifest).parent / files[0]["name"]
    if plain and path.suffix in (".csv", ".parquet") and entry.reader in (None, path.suffix[1:]):
        described["recordSet"] = _records(entry, card, path, ids[files[0]["name"]])
    described = {key: value for key, value in described.items() if value}
    write_text(out, json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def unique_ids(names: Iterable[str]) -> dict[str, str]:
    """Name -> id: letters, digits and `_.-()` as they are, anything else as `_`, then a number if it is taken.

    A name that is its own id keeps it, whatever the others are and in whatever order they come.
    """
    words = {name: re.sub(r"[^\w.()-]", "_", name) or "_" for name in names}
    ids = {name: word for name, word in words.items() if name == word}
    taken = set(ids)
    for name, word in words.items():
        if name not in ids:
            numbered = (word if number == 1 else f"{word}_{number}" for number in itertools.count(1))
            ids[name] = next(one for one in numbered if one not in taken)
            taken.add(ids[name])
    return ids


def _records(entry: Entry, card: Mapping[str, Any], path: Path, file: str) -> list[dict[str, Any]]:
    """Where each feature and the target are found in the file at `path`, whose id is `file`.

    Nothing, where its bytes are of another format than its name says, or a loader would find other columns in it.

    A loader takes the names and types of columns as they stand. Our reader drops the blanks before a name of a CSV
    file, and knows more signs of a missing cell.
    """
    (part,) = parts_of([path], entry)
    if reader_of(part) != path.suffix[1:]:
        return []
    if path.suffix == ".parquet":
        table = pd.read_parquet(io.BytesIO(part.content))
        ours = list(table.columns)
    else:
        try:
            table = pd.read_csv(io.BytesIO(part.content), low_memory=False)
        except ValueError:  # another encoding, or lines that a loader cannot take apart
            return []
        if not isinstance(table.index, pd.RangeIndex):  # lines that end in a separator shift the columns
            return []
        ours = list(pd.read_csv(io.BytesIO(part.content), nrows=0).columns.str.strip())
    columns = {str(name): table[column] for name, column in zip(ours, table.columns, strict=True)}
    if entry.target not in columns or not set(entry.categorical) <= set(columns):
        return []
    numbers = [name for name in card["feature_names"] if name in columns]  # the others are indicators of categories
    amount = entry.task == "regression" or entry.target_transform != "identity"
    types = {
        **{name: "sc:Float" if is_numeric_dtype(columns[name]) else "sc:Text" for name in numbers},
        **dict.fromkeys(entry.categorical, "sc:Text"),
        entry.target: "sc:Float" if amount and is_numeric_dtype(columns[entry.target]) else "sc:Text",
    }
    ids = unique_ids(types)
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"rows/{ids[column]}",
            "name": column,
            "dataType": type_,
            "source": {"fileObject": {"@id": file}, "extract": {"column": str(columns[column].name)}},
        }
        for column, type_ in types.items()
    ]
    return [{"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": fields}]
