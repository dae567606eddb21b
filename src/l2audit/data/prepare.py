"""Raw files to clean arrays and a data card, both the same to the byte every time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from l2audit.data.arrays import Prepared, load_prepared, save_prepared
from l2audit.data.clean import Clean, clean_table
from l2audit.data.entries import Entry, read_entry
from l2audit.data.raw import verified_files
from l2audit.data.readers import read_raw
from l2audit.files import sha256_of, write_text

__all__ = ["Prepared", "condition_number", "describe", "load_card", "load_prepared", "prepare_dataset"]

COLLINEAR_ABOVE = 30.0
# Beyond this a correlation matrix is singular to working precision, and what is computed is rounding noise.
SINGULAR = 1e16


def prepare_dataset(
    name: str, declared: Mapping[str, Any], manifest: str | Path, out_npz: str | Path, out_card: str | Path
) -> None:
    """Write the arrays of dataset `name` to `out_npz` and its data card to `out_card`.

    `manifest`: what `download_dataset` wrote; the SHA-256 of each file that it lists is checked again.
    UserError if the table cannot be used as declared, or does not show the published `facts` that the entry states.
    """
    entry = read_entry(name, declared)
    files = verified_files(Path(manifest), name)
    clean = clean_table(read_raw(list(files), entry), entry)
    card = describe(clean, entry)
    for key, expected in entry.facts.items():
        near = 5e-4 * abs(expected) if key == "target_mean" else 0
        if card[key] != expected and not (near and abs(card[key] - expected) <= near):
            raise entry.fault(
                f"expected {key} {expected}, as published, found {card[key]}",
                key=f"facts.{key}",
                fix="the data changed at its source: pin the version that the lock file names, or correct the fact",
            )
    save_prepared(out_npz, Prepared(name, entry.task, clean.X, clean.y, entry.pixels))
    card["raw_sha256"] = {path.name: sha256 for path, sha256 in files.items()}
    card["prepared_sha256"] = sha256_of(out_npz)
    write_text(out_card, json.dumps(card, indent=1, sort_keys=True, allow_nan=False) + "\n")


def load_card(path: str | Path) -> dict[str, Any]:
    """The data card that `prepare_dataset` wrote."""
    card: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return card


def describe(clean: Clean, entry: Entry) -> dict[str, Any]:
    """The data card of `clean`: counts, names, condition number, and what the entry says of source and licence."""
    condition = condition_number(clean.X)
    counts = np.bincount(clean.y).tolist() if clean.class_names is not None else None
    return {
        "name": entry.name,
        "role": entry.role,
        "task": entry.task,
        "description": entry.description,
        "source": entry.public_source,
        "parameters": dict(entry.parameters),
        "urls": [file.public_url for file in entry.files],
        "licence": entry.licence,
        "citation": entry.citation,
        "rows": len(clean.X),
        "columns": clean.X.shape[1],
        "feature_names": clean.feature_names,
        "target": entry.target,
        "target_transform": entry.target_transform + ("" if entry.threshold is None else f" {entry.threshold}"),
        "target_mean": None if counts else significant(float(clean.y.mean()), 6),
        "target_sd": None if counts else significant(float(clean.y.std()), 6),
        "classes": None if counts is None else len(counts),
        "class_names": clean.class_names,
        "class_counts": counts,
        "shares_table_with": list(entry.shares_table_with),
        "image": None if entry.pixels is None else list(entry.pixels),
        "condition_number": significant(condition, 4),
        "collinear": condition > COLLINEAR_ABOVE,
        "missing": clean.missing,
        "warnings": clean.warnings,
        "notes": "; ".join([*([entry.notes] if entry.notes else []), *clean.notes]),
    }


def condition_number(X: np.ndarray) -> float:
    """Condition number of the correlation matrix of the columns of `X` (n, p) that vary; at most 1e16.

    The ratio of its largest to its smallest eigenvalue, taken from the singular values of the standardised columns,
    which squares less rounding error into it. 1 for a single column.
    """
    spread = X.std(axis=0)
    varying = spread > 0
    Z = (X[:, varying] - X[:, varying].mean(axis=0)) / spread[varying]
    values = np.linalg.svd(Z, compute_uv=False)
    if len(values) < Z.shape[1] or values[-1] <= values[0] / np.sqrt(SINGULAR):
        return SINGULAR
    return float((values[0] / values[-1]) ** 2)


def significant(value: float, digits: int) -> float:
    """`value` to so many significant digits: the rest differs between linear-algebra libraries."""
    return float(f"{value:.{digits}g}")
