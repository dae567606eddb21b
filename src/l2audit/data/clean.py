"""A raw table to clean arrays.

Nothing is estimated across rows here (no imputation, no scaling), so that no row can tell another anything before
the split is made.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from scipy.stats import rankdata

from l2audit.data.entries import Entry, as_yaml
from l2audit.data.readers import EXACT, Raw, plain_number
from l2audit.data.split import Sizes, split
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
    """Arrays as in `arrays.Prepared`, the names of columns and classes, and what was done to get there.

    warnings: what a person should look at before trusting a result; see `doubts`.
    """

    X: np.ndarray
    y: np.ndarray
    feature_names: list[str]
    class_names: list[str] | None
    missing: str
    notes: list[str]
    warnings: list[str] = field(default_factory=list)


def clean_table(raw: Raw, entry: Entry) -> Clean:
    """The table (features and target column) as arrays, treated as `entry` declares; UserError if that cannot be done.

    In this order: dropped columns, missing values, target transform (rows where it is undefined are left out), copies
    of the target, categories, pixels or constant columns, target.
    """
    notes = list(raw.notes)
    for key, columns in (("drop", entry.drop), ("categorical", entry.categorical)):
        for column in columns:
            if column not in raw.table or column == entry.target:
                fix = f"its columns are {', '.join(map(repr, raw.table.columns[:40]))}"
                raise entry.fault(f"'{column}' is no feature of the table", key=key, fix=fix)
    table, missing = _without_missing(raw.table.drop(columns=list(entry.drop)), raw, entry)
    if table.empty:
        told = f"no row is left of {len(raw.table)}" + f": {missing}" * (missing != "none")
        raise entry.fault(told, key="missing", fix="name columns with few values under `drop`, or use a larger table")
    y = _transformed(table[entry.target], raw, entry)
    if y.isna().any():
        notes.append(f"{int(y.isna().sum())} rows left out where {entry.target_transform} of the target is undefined")
        table, y = table[y.notna()], y[y.notna()]
    if table.empty:
        fix = "choose another transform, or another target"
        raise entry.fault(f"{entry.target_transform} is undefined in all rows", key="target_transform", fix=fix)
    features = table.drop(columns=entry.target)
    X = _encoded(features, raw, entry, notes)
    if len(repeated := X.columns[X.columns.duplicated()]):
        fix = "give one of them another name in the file"
        raise entry.fault(f"two features are called '{repeated[0]}'", key="categorical", fix=fix)
    if entry.image is None:
        constant = [column for column in X if X[column].nunique() <= 1]
        X = X.drop(columns=constant)
        if constant:
            notes.append(f"constant columns removed: {', '.join(map(str, constant))}")
    else:
        X = _pixels(X, entry)
    different = int((~pd.concat([X, y], axis=1).duplicated()).sum())
    if X.shape[1] == 0 or different < MINIMUM_ROWS:
        rows = f"{len(X)} rows" if different == len(X) else f"{len(X)} rows, of which {different} differ,"
        raise entry.fault(
            f"{rows} and {X.shape[1]} usable columns are left; at least {MINIMUM_ROWS} and 1 are needed",
            fix="check `drop`, `missing` and `target_transform`, or use a larger table",
        )
    values = X.to_numpy(np.float64)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        where = f"{raw.place(X.index[row])}, column '{X.columns[column]}'"
        fix = f"say `missing_values: {_with(entry, f'{values[row, column]:g}')}` and `missing: drop_rows`"
        fix += ", or correct those rows"
        raise entry.fault(f"the table holds infinite values, the first in {where}", key="missing_values", fix=fix)
    names = [str(column) for column in X]
    warnings = list(raw.warnings)
    if entry.task == "classification":
        target, class_names = _labels(y, entry, notes, warnings)
    else:
        target, class_names = _amounts(y, raw, entry, notes), None
    _refuse_copies(features, target, entry)
    warnings += doubts(features, target, class_names, entry)
    warnings += [f"missing cells: {missing}"] if missing != "none" and _much(missing) else []
    return Clean(values, target, names, class_names, missing, notes, warnings)


def _much(missing: str) -> bool:
    """Whether rows were left out for a mark that may be a code, or more than a tenth of all."""
    left_out, _, of = missing.partition(" of ")
    return "'" in missing or int(left_out) > 0.1 * int(of.split()[0])


def _without_missing(table: pd.DataFrame, raw: Raw, entry: Entry) -> tuple[pd.DataFrame, str]:
    gaps = table.isna()
    if not gaps.to_numpy().any():
        return table, "none"
    columns = [f"{column} ({count})" for column, count in gaps.sum().items() if count]
    rows = int(gaps.any(axis=1).sum())
    marks = raw.marks(table.columns)
    told = f"; a column of text holds the mark {', '.join(map(repr, marks))}" if marks else ""
    if entry.missing == "refuse":
        first = raw.place(int(table.index[gaps.any(axis=1)][0]))
        fix = "say `missing: drop_rows` to leave those rows out, or name the columns under `drop`"
        fix = f"if the mark is a value say `missing_values: []`; if not, {fix}" if marks else fix
        raise entry.fault(
            f"cells are missing in {rows} of {len(table)} rows: {', '.join(columns[:_SHOWN])}; the first is in {first}"
            f"{told}",
            key="missing",
            fix=fix,
        )
    told = f"{rows} of {len(table)} rows left out; missing cells by column: {', '.join(columns[:_SHOWN])}{told}"
    return table[~gaps.any(axis=1)].infer_objects(), told


def _transformed(y: pd.Series, raw: Raw, entry: Entry) -> pd.Series:
    transform = entry.known(transforms, entry.target_transform, "target_transform")
    if entry.target_transform != "identity":
        y = _numeric(y, raw, entry, "target_transform", "transform numbers only")
    return transform(y, entry)


def _encoded(X: pd.DataFrame, raw: Raw, entry: Entry, notes: list[str]) -> pd.DataFrame:
    """Categories as 0/1 columns, one for each level but the commonest, which is the reference.

    The commonest level, because a rare reference makes the other columns nearly add up to one: collinear by coding.
    """
    pieces: list[pd.Series | pd.DataFrame] = []
    for column in X:
        if column not in entry.categorical:
            fix = f"name '{column}' under `categorical` if it has a few levels, otherwise under `drop`"
            pieces.append(_numeric(X[column], raw, entry, "categorical", fix))
            continue
        levels = X[column].map(_plain).astype(str)
        if levels.nunique() == len(levels) > 0:
            fix = f"name '{column}' under `drop`"
            raise entry.fault(f"the category '{column}' has another level in each row", key="categorical", fix=fix)
        indicators = pd.get_dummies(levels, prefix=column, prefix_sep="=", dtype=float)
        reference = indicators.sum().idxmax()  # the first of equals
        pieces.append(indicators.drop(columns=reference))
        level = str(reference).removeprefix(f"{column}=")
        notes.append(f"{column}: {indicators.shape[1] - 1} indicator columns against '{level}'")
    return pd.concat(pieces, axis=1) if pieces else X


def _plain(label: Any) -> Any:
    return int(label) if isinstance(label, float) and label.is_integer() else label


def _numeric(series: pd.Series, raw: Raw, entry: Entry, key: str, fix: str) -> pd.Series:
    """A column as float64; UserError for the first cell that is no number, with its line and what may be meant."""
    target = series.name == entry.target
    if is_numeric_dtype(series) or is_bool_dtype(series):
        if series.dtype.kind in "iu" and len(series) and max(int(series.max()), -int(series.min())) > EXACT:
            fix = (
                "choose another target"
                if target
                else f"say `drop: [{as_yaml(str(series.name))}]` if it is an identifier"
            )
            problem = f"the column '{series.name}' holds whole numbers above 2^53, which lose digits"
            raise entry.fault(problem, key="target" if target else "drop", fix=fix)
        return series.astype(float)
    what = f"the {'target' if target else 'column'} '{series.name}' holds"
    text = series.astype(str)
    numbers = pd.to_numeric(series.map(lambda cell: plain_number(cell, entry)), errors="coerce")
    wrong = text[numbers.isna()]
    row, cell = int(wrong.index[0]), str(wrong.iloc[0])
    problem = f"{what} text ({', '.join(map(repr, wrong.unique()[:3]))})"
    if len(wrong) <= max(1, len(series) // 20):
        problem = f"{what} numbers but for {len(wrong)} of {len(series)} cells: {cell!r}"
        key, fix = "missing_values", f"say `missing_values: {_with(entry, cell)}` if it is a mark, or correct it"
        if row == 0 and entry.header is not None:
            key = "skip_lines"
            fix = f"say `skip_lines: {entry.skip_lines + 1}` if that line holds names, or correct it"
    sign = next((one for one in cell if not (one.isdigit() or one in "-+")), " ")
    for pattern, (meant, advice) in _MEANT.items():
        if wrong.str.fullmatch(pattern).mean() > 0.9:
            if meant == "drop" and target:
                key, fix = "target", "choose another target, or write it in numbers"
            else:
                key, fix = meant, advice.format(column=as_yaml(str(series.name)), sign=as_yaml(sign))
            break
    if key == "decimal" and entry.decimal == ",":
        key, fix = "thousands", 'say `thousands: "."`, or write decimals with a comma'
    if key == "thousands" and (entry.separator != "," or entry.reader == "whitespace") and "," in cell:
        fix = f"{_MEANT[_COMMAS][1]} if the comma is before decimals; if between thousands {fix}"
    raise entry.fault(f"{problem}, in {raw.place(row)}", key=key, fix=fix)


def _with(entry: Entry, mark: str) -> str:
    """The marks of a missing cell that the entry lists and one more, as YAML."""
    return as_yaml(dict.fromkeys((*(entry.missing_values or ()), mark)))


_COMMAS = r"[-+]?\d*,\d+([eE][-+]?\d+)?"
_MEANT = {
    r"[#%] .*": ("comment", 'say `comment: "#"` if these are remarks, or correct them'),
    r"[-+]?\d{16,}": ("drop", "these digits are more than a number can hold: say `drop: [{column}]`"),
    r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?": ("thousands", 'say `thousands: ","`'),
    r"[-+]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?": ("decimal", 'say `decimal: ","` and `thousands: "."`'),
    r"[-+]?\d{1,3}([ '’\u00a0\u202f]\d{3})+([.,]\d+)?": ("thousands", "say `thousands: {sign}`"),
    _COMMAS: ("decimal", 'say `decimal: ","`'),
    r"[-+]?[\d.,]+ ?%": ("drop", "say `drop: [{column}]`, or write its numbers without %"),
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?": ("drop", "these are dates: say `drop: [{column}]`"),
}
"""What text in a column of numbers may mean -> key and fix; the first that nine in ten of the cells match."""


def _pixels(X: pd.DataFrame, entry: Entry) -> pd.DataFrame:
    """Pixels in [0, 1]; dead ones stay, because a pixel's place in the row is its place in the image."""
    assert entry.image is not None and entry.scale is not None  # the schema asks for both
    (height, width), (darkest, brightest), by = entry.image, entry.scale, entry.shrink
    if X.shape[1] != height * width:
        raise entry.fault(
            f"{X.shape[1]} columns do not make an image of {height} x {width}",
            key="image",
            fix="correct the shape, or drop the columns that are no pixels",
        )
    least, most = X.to_numpy().min(initial=darkest), X.to_numpy().max(initial=brightest)
    if least < darkest or most > brightest or np.isnan(least + most):
        usual = ((0, 1), (-1, 1), (0, 16), (0, 255), (-128, 127), (0, 65535))
        low, high = next((one for one in usual if one[0] <= least and most <= one[1]), (least, most))
        problem = (
            f"pixels lie outside {darkest:g}..{brightest:g}, from {X.to_numpy().min():g} to {X.to_numpy().max():g}"
        )
        fix = f"say `scale: [{low:g}, {high:g}]`"
        raise entry.fault(problem, key="scale", fix=fix)
    scaled = (X - darkest) / (brightest - darkest)
    if by == 1:
        return scaled
    blocks = scaled.to_numpy().reshape(-1, height // by, by, width // by, by).mean(axis=(2, 4))
    names = [f"pixel_{r}_{c}" for r in range(height // by) for c in range(width // by)]
    return pd.DataFrame(blocks.reshape(len(X), -1), columns=names, index=X.index)


def _labels(y: pd.Series, entry: Entry, notes: list[str], warnings: list[str]) -> tuple[np.ndarray, list[str]]:
    """Classes numbered 0..K-1 in ascending order of their labels; `a.` or `'a'` beside `a` is the same label."""
    y = y.map(_plain)
    if y.map(type).nunique() > 1:
        y = y.astype(str)
    if y.map(lambda label: isinstance(label, str)).all():
        known = set(y)
        bare = {label: label.strip("'\" ").rstrip(". ") for label in known}
        same = {label: plain for label, plain in bare.items() if plain in known - {label}}
        notes += [f"the labels '{one}' and '{other}' are taken for one" for one, other in sorted(same.items())]
        y = y.replace(same)
        words = [label for label in set(y) if pd.isna(pd.to_numeric(label, errors="coerce"))]
        if 0 < len(words) < y.nunique() - len(words):
            told = ", ".join(map(repr, sorted(words)[:_SHOWN]))
            warnings.append(f"the class {told} is text and the others are numbers: a mark of a missing value?")
    labels, classes = pd.factorize(y, sort=True)
    counts = np.bincount(labels)
    need = f"a task needs 2 classes or more, each of {MINIMUM_CLASS_ROWS} rows or more"
    if len(classes) < 2:
        fix = "choose another target, or look whether `missing` or `drop` left out the other classes"
        raise entry.fault(f"1 class in the target, '{classes[0]}'; {need}", key="target", fix=fix)
    if counts.min() < MINIMUM_CLASS_ROWS:
        rare = int(np.argmax(counts < MINIMUM_CLASS_ROWS))
        fix = "merge rare classes, or choose another target"
        if isinstance(classes[rare], str):
            lines = f"`missing_values: {_with(entry, classes[rare])}` and `missing: drop_rows`"
            fix = f"say {lines} to leave that class out, or merge rare classes in the file"
        elif len(classes) > len(y) / MINIMUM_CLASS_ROWS:
            fix = "say `task: regression` if the target is an amount"
        told = f"the class '{classes[rare]}' has {counts[rare]} row{'s' * int(counts[rare] != 1)}"
        raise entry.fault(f"{told}; {need}", key="target", fix=fix)
    return labels.astype(np.int64), [str(one) for one in classes]


def _amounts(y: pd.Series, raw: Raw, entry: Entry, notes: list[str]) -> np.ndarray:
    if is_bool_dtype(y):
        fix = "say `task: classification`, or choose an amount"
        raise entry.fault(f"the target '{entry.target}' holds True and False, no amounts", key="task", fix=fix)
    values = _numeric(y, raw, entry, "task", "say `task: classification`, or choose a number").to_numpy(np.float64)
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        told = (
            "a single value"
            if np.isfinite(values).all()
            else f"infinite values, the first in {raw.place(int(y.index[~np.isfinite(values)][0]))}"
        )
        fix = "remove or correct those rows, or choose another target"
        if not np.isfinite(values).all():
            mark = f"{values[~np.isfinite(values)][0]:g}"
            fix = f"say `missing_values: {_with(entry, mark)}` and `missing: drop_rows`, or correct those rows"
        raise entry.fault(f"the target '{entry.target}' holds {told}", key="target", fix=fix)
    if np.median(np.abs(values - np.median(values))) == 0:
        notes.append("more than half of the targets are equal, so their median absolute deviation is 0")
    return values


def _refuse_copies(features: pd.DataFrame, y: np.ndarray, entry: Entry) -> None:
    """UserError for a feature that is the target, in another unit or under other codes."""
    different = len(np.unique(y))
    for column in features if entry.image is None else ():
        recoded = entry.task == "classification" or column in entry.categorical or is_bool_dtype(features[column])
        if recoded:
            codes, levels = pd.factorize(features[column])
            copied = len(levels) == different and len(set(zip(codes, y, strict=True))) == different
        else:
            values = features[column].to_numpy(float)
            copied = bool(np.ptp(values) > 0 and abs(np.corrcoef(values, y)[0, 1]) > 1 - _ROUNDING)
        if copied:
            told = "under other names" if recoded else "in another unit"
            problem = f"the feature '{column}' is the target: {told}"
            raise entry.fault(
                problem, key="drop", fix=f"say `drop: [{as_yaml(str(column))}]`, or choose another target"
            )


_ROUNDING = 1e-13
SENTINELS = tuple(sign * int(digit * length) for length in (2, 3, 4, 5, 6) for digit in "89" for sign in (-1, 1))
NEAR_COPY = 0.99
FEW_OF_CLASS = 12
RARE = 0.05


def doubts(features: pd.DataFrame, y: np.ndarray, class_names: list[str] | None, entry: Entry) -> Iterator[str]:
    """What a person should look at, a sentence each.

    Columns like row numbers or identifiers, marks of missing numbers, columns that hardly vary, near copies of the
    target, rows that repeat one another and stand in two parts, rare classes, class codes as amounts.
    """
    for column in features if entry.image is None else ():
        values = features[column]
        if is_numeric_dtype(values) and not is_bool_dtype(values) and column not in entry.categorical:
            yield from _odd_numbers(f"'{column}'", values.to_numpy(float))
        counts = values.value_counts()
        if 0 < len(values) - counts.iloc[0] < MINIMUM_CLASS_ROWS:
            others = f"all but {len(values) - counts.iloc[0]} of {len(values)} rows"
            yield f"'{column}' is {counts.index[0]} in {others}: a part of the data may hold none of them"
        if column in entry.categorical and len(counts) > len(values) / 2:
            yield f"the category '{column}' has {len(counts)} levels in {len(values)} rows: an identifier?"
        if column in entry.categorical:
            yield from _same_but_for_case(f"the levels of '{column}'", map(str, counts.index))
        yield from _nearly_copies(values, y, class_names is not None)
    yield from _repeats(features, y, entry)
    if class_names is not None:
        yield from _odd_classes(y, class_names)
        return
    if len(np.unique(y)) <= 10 and (y == np.round(y)).all():
        yield f"the target has {len(np.unique(y))} whole values: codes of classes? then say `task: classification`"
    yield from _odd_numbers(f"the target '{entry.target}'", y)


def _odd_numbers(name: str, values: np.ndarray) -> Iterator[str]:
    """Row numbers, identifiers and marks of missing values in a column of numbers."""
    different = np.unique(values)
    if len(different) == len(values) and (np.diff(different) == 1).all():
        yield f"{name} holds the numbers from {different[0]:g} to {different[-1]:g}, each once: a row number?"
    if len(different) == len(values) and (different == np.round(different)).all() and different[0] > EXACT:
        yield f"{name} holds whole numbers above 2^53, each once: an identifier?"
    for mark in dict.fromkeys((different[0], different[-1])):
        others = different[different != mark]
        if mark in SENTINELS and len(others) > 1 and np.abs(others - mark).min() > np.ptp(others):
            told = f"a mark of a missing value? then say `missing_values: [{mark:g}]`"
            yield f"{name} is {mark:g} in {int((values == mark).sum())} rows, far from all else: {told}"


def _nearly_copies(values: pd.Series, y: np.ndarray, classes: bool) -> Iterator[str]:
    """Whether a feature puts the rows in the order of the target, or its values tell the target."""
    codes, levels = pd.factorize(values)
    told = "is it known before the target?"
    number = is_numeric_dtype(values) and not is_bool_dtype(values)
    if not classes:
        rho = abs(float(np.corrcoef(rankdata(values), rankdata(y))[0, 1])) if number and len(levels) > 2 else 0.0
        if rho > NEAR_COPY:
            near = f"nearly the order of the target (rank correlation {rho:.3f})"
            yield f"'{values.name}' puts the rows in {near}: {told}"
        elif 1 < len(levels) <= len(y) // 2 and len(set(zip(codes, y, strict=True))) == len(levels):
            yield f"each value of '{values.name}' goes with one value of the target: {told}"
        return
    most = 0
    if len(levels) <= len(y) // 10:
        most = int(pd.crosstab(codes, y).to_numpy().max(axis=1).sum())
    if (len(y) - most) < 0.01 * (len(y) - np.bincount(y).max()):
        yield f"'{values.name}' alone tells the class of {most} of {len(y)} rows: {told}"
    elif number and len(levels) > 2:
        ranges = sorted((part.min(), part.max()) for _, part in values.groupby(y))
        if all(one[1] < other[0] for one, other in itertools.pairwise(ranges)):
            yield f"limits of '{values.name}' tell the class of all {len(y)} rows: {told}"


def _odd_classes(y: np.ndarray, class_names: list[str]) -> Iterator[str]:
    """Classes of few rows, or of a small share of the rows; names that differ in case alone."""
    counts = np.bincount(y)
    least = int(counts.argmin())
    if counts.min() < FEW_OF_CLASS:
        yield f"the class '{class_names[least]}' has {counts.min()} rows: a part of the data may hold one or two"
    if counts.min() < RARE * len(y) and len(counts) <= 1 / RARE / 2:
        share = f"{100 * counts.min() / len(y):.1f} % of the rows"
        yield f"the class '{class_names[least]}' has {share}: a model that never predicts it looks good"
    yield from _same_but_for_case("the classes", class_names)


def _same_but_for_case(what: str, names: Iterable[str]) -> Iterator[str]:
    by_name: dict[str, list[str]] = {}
    for name in sorted(names):
        by_name.setdefault(name.casefold(), []).append(name)
    for same in by_name.values():
        if len(same) > 1:
            yield f"{what} {' and '.join(map(repr, same))} differ in case alone"


def _repeats(features: pd.DataFrame, y: np.ndarray, entry: Entry) -> Iterator[str]:
    """How many rows repeat another, and how many test rows of the first split have their twin among training rows."""
    text = {column: str for column in features.select_dtypes(exclude=["number", "bool"])}
    whole = pd.concat([features.astype(text), pd.Series(y, features.index, name="\0target")], axis=1)
    group = whole.groupby(list(whole.columns), sort=False).ngroup().to_numpy()
    repeats = len(group) - len(set(group))
    if repeats > RARE * len(group):
        parts = split(entry.name, entry.task, y, 0, Sizes(*[len(y)] * 3))
        shared = int(np.isin(group[parts.test], group[parts.train]).sum())
        yield (
            f"{repeats} of {len(group)} rows repeat another row; in the first split {shared} of {len(parts.test)} test"
            " rows stand among the training rows, too"
        )
