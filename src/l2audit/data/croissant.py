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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from l2audit.data.entries import Entry, read_entry
from l2audit.data.raw import listed_files
from l2audit.data.readers import parts_of
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
    columns = None
    if _names_its_columns(entry, files):
        columns = columns_in_file(Path(manifest).parent / files[0]["name"], entry)
    described = croissant(entry, card, files, columns)
    write_text(out, json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def croissant(
    entry: Entry, card: Mapping[str, Any], files: Sequence[Mapping[str, Any]], columns: Mapping[str, pd.Series] | None
) -> dict[str, Any]:
    """The JSON-LD of a dataset.

    `files`: name, bytes, sha256 and url of each raw file, as in its manifest; `columns`: see `columns_in_file`; None
    where a loader does not find the columns by name.
    """
    ids = unique_ids([file["name"] for file in files])
    described = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": entry.name,
        "description": " ".join(filter(None, [entry.description, _sentence(card["notes"])])),
        "license": entry.licence,
        "citeAs": entry.citation,
        "url": next((file["url"] for file in files if file["url"]), None) or _reference(entry),
        "isAccessibleForFree": True,
        "keywords": [entry.task, f"{card['rows']} rows", f"{card['columns']} features"],
        "variableMeasured": [*card["feature_names"], card["target"]],
        "distribution": [_file_object(entry, file, ids[file["name"]]) for file in files],
    }
    if columns is not None:
        described["recordSet"] = [_records(entry, card, ids[files[0]["name"]], columns)]
    return {key: value for key, value in described.items() if value}


def _sentence(text: str) -> str:
    return f"{text}." if text else ""


def _reference(entry: Entry) -> str | None:
    """The DOI in the citation, as an address: what there is to visit for a table that was not downloaded."""
    found = re.search(r"doi:(10\.\S+[^\s;,.])", entry.citation)
    return f"https://doi.org/{found[1]}" if found else None


def unique_ids(names: Iterable[str]) -> dict[str, str]:
    """Name -> id: letters, digits and `_.-()` stay, anything else becomes `_`; a number follows if the id is taken.

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


def columns_in_file(path: Path, entry: Entry) -> dict[str, pd.Series]:
    """Our name of each column of a CSV or Parquet file -> the column as a loader sees it that knows no entry.

    Our reader drops the blanks before a name of a CSV file, and knows more signs of a missing cell.
    """
    (part,) = parts_of([path], entry)
    if entry.reader == "parquet":
        table = pd.read_parquet(io.BytesIO(part.content))
        ours = list(table.columns)
    else:
        table = pd.read_csv(io.BytesIO(part.content), low_memory=False)
        ours = list(pd.read_csv(io.BytesIO(part.content), nrows=0, skipinitialspace=True).columns)
    return {str(name): table[column] for name, column in zip(ours, table.columns, strict=True)}


def _file_object(entry: Entry, file: Mapping[str, Any], identifier: str) -> dict[str, Any]:
    """A raw file: at its address, or beside this description where it was made or copied on this machine."""
    downloaded = entry.kind == "https"
    return {
        "@type": "cr:FileObject",
        "@id": identifier,
        "name": file["name"],
        "contentUrl": file["url"] if downloaded else f"../raw/{entry.name}/{file['name']}",
        "contentSize": f"{file['bytes']} B",
        "encodingFormat": ENCODINGS.get(PurePosixPath(file["name"]).suffix, PLAIN),
        "sha256": file["sha256"],
    }


def _names_its_columns(entry: Entry, files: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a loader that knows nothing of this project finds the columns by name: one plain CSV or Parquet."""
    plain = not entry.members and entry.header is None and entry.separator == ","
    readable = {"csv": ".csv", "parquet": ".parquet"}.get(entry.reader)
    return plain and len(files) == 1 and PurePosixPath(files[0]["name"]).suffix == readable


def _records(entry: Entry, card: Mapping[str, Any], file: str, columns: Mapping[str, pd.Series]) -> dict[str, Any]:
    numbers = [name for name in card["feature_names"] if name in columns]  # the others are indicators of categories
    amount = entry.task == "regression" or entry.target_transform != "identity"
    types = {
        **{name: "sc:Float" if is_numeric_dtype(columns[name]) else "sc:Text" for name in numbers},
        **dict.fromkeys(entry.categorical, "sc:Text"),
        entry.target: "sc:Float" if amount and is_numeric_dtype(columns[entry.target]) else "sc:Text",
    }
    ids = unique_ids(types)
    return {
        "@type": "cr:RecordSet",
        "@id": "rows",
        "name": "rows",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"rows/{ids[column]}",
                "name": column,
                "dataType": type_,
                "source": {"fileObject": {"@id": file}, "extract": {"column": str(columns[column].name)}},
            }
            for column, type_ in types.items()
        ],
    }
