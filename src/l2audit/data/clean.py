"""A raw table to clean arrays.

Nothing is estimated across rows here (no imputation, no scaling), so that no row can tell another anything before
the split is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from l2audit.data.entries import Entry
from l2audit.registry import Registry

MINIMUM_ROWS = 20
MINIMUM_CLASS_ROWS = 4
_SHOWN = 8

Transform = Callable[[pd.Series, Entry], pd.Series]
transforms: Registry[Transform] = Registry("target transform")
"""What each one does is said in the schema. A value that has no logarithm becomes a missing one."""

transforms.add("identity", lambda y, entry: y)
transforms.add("log1p", lambda y, entry: pd.Series(np.log1p(y.where(y > -1))))
transforms.add("log_of_positive", lambda y, entry: pd.Series(np.log(y.where(y > 0))))
transforms.add("positive", lambda y, entry: (y > 0).astype(int))
transforms.add("above", lambda y, entry: (y > entry.threshold).astype(int))


@dataclass(frozen=True)
class Clean:
    """Arrays as in `arrays.Prepared`, the names of columns and classes, and what was done to get there."""

    X: np.ndarray
    y: np.ndarray
    feature_names: list[str]
    class_names: list[str] | None
    missing: str
    notes: list[str]


def clean_table(table: pd.DataFrame, entry: Entry) -> Clean:
    """`table` (features and target column) as arrays, treated as `entry` declares; UserError if that cannot be done.

    In this order: dropped columns, missing values, target transform (rows where it is undefined are left out),
    categories, pixels or constant columns, target.
    """
    notes: list[str] = []
    fix = "give one of them another name in the file"
    for repeated in table.columns[table.columns.duplicated()]:
        raise entry.fault(f"two columns of the table are called '{repeated}'", key="source", fix=fix)
    for key, columns in (("drop", entry.drop), ("categorical", entry.categorical)):
        for column in columns:
            if column not in table or column == entry.target:
                known = f"its columns are {', '.join(map(str, table.columns[:40]))}"
                raise entry.fault(f"'{column}' is no feature of the table", key=key, fix=known)
    table, missing = _without_missing(table.drop(columns=list(entry.drop)), entry)
    y = _transformed(table[entry.target], entry)
    if y.isna().any():
        notes.append(f"{int(y.isna().sum())} rows left out where {entry.target_transform} of the target is undefined")
        table, y = table[y.notna()], y[y.notna()]
    X = _encoded(table.drop(columns=entry.target), entry, notes)
    for repeated in X.columns[X.columns.duplicated()]:
        raise entry.fault(f"two features are called '{repeated}'", key="categorical", fix=fix)
    if entry.image is None:
        constant = [column for column in X if X[column].nunique() <= 1]
        X = X.drop(columns=constant)
        if constant:
            notes.append(f"constant columns removed: {', '.join(map(str, constant))}")
    else:
        X = _pixels(X, entry)
    if X.shape[1] == 0 or len(X) < MINIMUM_ROWS:
        raise entry.fault(
            f"{len(X)} rows and {X.shape[1]} usable columns are left; at least {MINIMUM_ROWS} and 1 are needed",
            fix="check `drop`, `missing` and `target_transform`, or use a larger table",
        )
    values = X.to_numpy(np.float64)
    if not np.isfinite(values).all():
        raise entry.fault("the table holds infinite values", fix="remove or correct those rows")
    names = [str(column) for column in X]
    if entry.task == "classification":
        labels, class_names = _labels(y, entry)
        return Clean(values, labels, names, class_names, missing, notes)
    return Clean(values, _amounts(y, entry, notes), names, None, missing, notes)


def _without_missing(table: pd.DataFrame, entry: Entry) -> tuple[pd.DataFrame, str]:
    gaps = table.isna()
    if not gaps.to_numpy().any():
        return table, "none"
    columns = [f"{column} ({count})" for column, count in gaps.sum().items() if count]
    rows = int(gaps.any(axis=1).sum())
    if entry.missing == "refuse":
        raise entry.fault(
            f"cells are missing in {rows} of {len(table)} rows: {', '.join(columns[:_SHOWN])}",
            key="missing",
            fix="say `missing: drop_rows` to leave those rows out, or name the columns under `drop`",
        )
    told = f"{rows} of {len(table)} rows left out; missing cells by column: {', '.join(columns[:_SHOWN])}"
    return table[~gaps.any(axis=1)], told


def _transformed(y: pd.Series, entry: Entry) -> pd.Series:
    transform = entry.known(transforms, entry.target_transform, "target_transform")
    if entry.target_transform != "identity" and not is_numeric_dtype(y):
        raise entry.fault(f"the target '{entry.target}' is text", key="target_transform", fix="transform numbers only")
    return transform(y, entry)


def _encoded(X: pd.DataFrame, entry: Entry, notes: list[str]) -> pd.DataFrame:
    """Categories as 0/1 columns, one for each level but the commonest, which is the reference.

    The commonest level, because a rare reference makes the other columns nearly add up to one: collinear by coding.
    """
    pieces: list[pd.Series | pd.DataFrame] = []
    for column in X:
        if column not in entry.categorical:
            pieces.append(_numeric(X[column], entry))
            continue
        indicators = pd.get_dummies(X[column].astype(str), prefix=column, prefix_sep="=", dtype=float)
        reference = indicators.sum().idxmax()  # the first of equals
        pieces.append(indicators.drop(columns=reference))
        level = str(reference).removeprefix(f"{column}=")
        notes.append(f"{column}: {indicators.shape[1] - 1} indicator columns against '{level}'")
    return pd.concat(pieces, axis=1) if pieces else X


def _numeric(series: pd.Series, entry: Entry) -> pd.Series:
    if is_numeric_dtype(series) or is_bool_dtype(series):
        return series.astype(float)
    examples = ", ".join(map(repr, series.unique()[:3]))
    raise entry.fault(
        f"the column '{series.name}' holds text ({examples})",
        key="categorical",
        fix=f"name '{series.name}' under `categorical` if it has a few levels, otherwise under `drop`",
    )


def _pixels(X: pd.DataFrame, entry: Entry) -> pd.DataFrame:
    """Pixels in [0, 1]; dead ones stay, because a pixel's place in the row is its place in the image."""
    if entry.image is None or entry.pixel_maximum is None:
        raise ValueError("not an image")
    if X.shape[1] != entry.image[0] * entry.image[1]:
        raise entry.fault(
            f"{X.shape[1]} columns do not make an image of {entry.image[0]} x {entry.image[1]}",
            key="image",
            fix="correct the shape, or drop the columns that are no pixels",
        )
    scaled = X / entry.pixel_maximum
    if not scaled.to_numpy().min() >= 0 or not scaled.to_numpy().max() <= 1:
        raise entry.fault(
            f"pixels lie outside 0..{entry.pixel_maximum:g}", key="pixel_maximum", fix="state the brightest value"
        )
    return scaled


def _labels(y: pd.Series, entry: Entry) -> tuple[np.ndarray, list[str]]:
    """Classes numbered 0..K-1 in ascending order of their labels."""
    labels, classes = pd.factorize(y, sort=True)
    counts = np.bincount(labels)
    if len(classes) < 2 or counts.min() < MINIMUM_CLASS_ROWS:
        rare = int(np.argmax(counts < MINIMUM_CLASS_ROWS))
        few = f"the class '{classes[rare]}' has {counts[rare]} rows"
        seen = few if counts.min() < MINIMUM_CLASS_ROWS else f"{len(classes)} class in the target"
        raise entry.fault(
            f"{seen}; a task needs 2 classes or more, each of {MINIMUM_CLASS_ROWS} rows or more",
            key="target",
            fix="say `task: regression` if the target is an amount, or merge or remove rare classes",
        )
    whole = (int(one) if isinstance(one, float) and one.is_integer() else one for one in classes)
    return labels.astype(np.int64), [str(one) for one in whole]


def _amounts(y: pd.Series, entry: Entry, notes: list[str]) -> np.ndarray:
    if not is_numeric_dtype(y):
        raise entry.fault(
            f"the target '{entry.target}' is text", key="task", fix="say `task: classification`, or choose a number"
        )
    values = y.to_numpy(np.float64)
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        raise entry.fault(
            f"the target '{entry.target}' holds infinite values, or a single one",
            key="target",
            fix="remove or correct those rows, or choose another target",
        )
    if np.median(np.abs(values - np.median(values))) == 0:
        notes.append("more than half of the targets are equal, so their median absolute deviation is 0")
    return values
