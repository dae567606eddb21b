"""`python -m l2audit inspect FILE`: what a table holds, and an entry for it with a question mark at each decision.

The messages of `l2audit.data` say what to write into an entry. A fix in the form "say `key: value`" is followed here,
so that whoever brings a table does not have to try one after the other.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from l2audit.data.clean import Clean, clean_table
from l2audit.data.entries import Entry, read_entry
from l2audit.data.readers import Raw, decoded, parts_of, reader_of, readers
from l2audit.errors import UserError, one_line
from l2audit.wording.tables import text_table

SEPARATORS = (",", ";", "\t", "|")
LINES = 200
"""Lines of a text that tell its separator, and how many of them stand above the table."""
FEW_LEVELS = 30
CLASSES = 10
TARGETS = ("target", "class", "label", "y", "outcome", "response", "species", "price", "diagnosis", "quality")
"""Names that a target often has, the commonest first."""
TRIES = 60
ASKED = {
    "description": "what are the rows, and what is predicted?",
    "licence": "under which terms are the data?",
    "citation": "who is to be cited?",
}
_SAY = re.compile(r"say `((\w+): [^`]+)`")
_DATE = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?"


@dataclass
class Draft:
    """An entry in the making: its keys, why each has its value, and which a person must decide."""

    name: str
    keys: dict[str, Any]
    why: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)

    def entry(self) -> Entry:
        """The entry as `l2audit.data` reads it."""
        return read_entry(self.name, self.keys)

    def follow(self, error: UserError) -> bool:
        """Do what a message says, if it says so in the words of an entry; whether that was new."""
        for said, key in _SAY.findall(str(error)):
            value = yaml.safe_load(said)[key]
            if isinstance(value, list) and value:
                known = self.keys.get(key, [])
                value = [*known, *(one for one in value if one not in known)]
            if self.keys.get(key) != value:
                self.keys[key] = value
                self.why[key] = "\n".join(filter(None, [self.why.get(key), one_line(error.problem)]))
                return True
        return False

    def text(self) -> str:
        """The entry as YAML; each line that a person must decide ends in a question."""
        lines = [f"{self.name}:"]
        for key, value in sorted(self.keys.items(), key=lambda item: item[0] in ASKED):
            if (key, value) == ("separator", ","):
                continue
            shown = json.dumps(value, ensure_ascii=False)
            if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][\w./ -]*|file:[\w./-]+", value):
                shown = value if yaml.safe_load(f"k: {value}") == {"k": value} else shown
            note = f"  # ? {self.asked[key]}" if key in self.asked else ""
            if key in self.why:
                lines += [f"  # {line}" for line in self.why[key].split("\n")]
            lines.append(f"  {key}: {shown}{note}")
        return "\n".join(lines)


def inspect(path: Path, target: str | None = None) -> str:
    """What the table in `path` holds, as text, and a ready entry; target: the column to predict, if it is known.

    UserError: the file cannot be read, and no key of an entry would help.
    """
    name = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_") or "mine"
    name = name if name[0].isalpha() else f"data_{name}"
    draft = Draft(name, {"source": f"file:{path.as_posix()}", "task": "classification", **dict.fromkeys(ASKED, "?")})
    draft.asked |= ASKED
    raw = _read(draft, path)
    columns = [str(column) for column in raw.table.columns]
    if target is not None and target not in columns:
        fix = f"its columns are {', '.join(map(repr, columns[:40]))}"
        raise UserError(f"there is no column '{target}'", file=path, key="--target", fix=fix)
    _decide(draft, raw, target or _target_in(columns))
    clean, fault = _clean(draft, raw)
    described = text_table(list(_columns(raw.table)), ["column", "holds", "missing", "values"])
    told = [f"{path}: {len(raw.table)} rows, {len(columns)} columns, read as {_reader(draft, path)}", "", described]
    notes = [*raw.notes, *(clean.notes if clean else ())]
    told += ["", *(f"note: {note}" for note in dict.fromkeys(notes))] if notes else []
    told += ["", *(f"warning: {warning}" for warning in clean.warnings)] if clean and clean.warnings else []
    told += ["", f"not yet usable: {fault.problem}\n  fix: {str(fault).partition('fix: ')[2]}"] if fault else []
    where = "config/datasets.yaml" if clean else "config/datasets.yaml, once that is mended"
    told += ["", f"An entry for {where}; decide what has a question mark:", "", draft.text()]
    if clean:
        kinds = f", {len(clean.class_names)} classes" if clean.class_names else ""
        told += ["", f"With it: {clean.X.shape[0]} rows, {clean.X.shape[1]} features{kinds}."]
        told += [f"Then name it in a study, `datasets: [{name}]`, and run: python -m l2audit check"]
    return "\n".join(told)


def _read(draft: Draft, path: Path) -> Raw:
    for _ in range(TRIES):
        entry = draft.entry()
        try:
            parts = parts_of([path], entry)
            reader = entry.reader or reader_of(parts[0])
            if reader == "csv" and "separator" not in draft.keys and "reader" not in draft.keys:
                _look_at_text(draft, decoded(parts[0], entry))
                entry = draft.entry()
                reader = entry.reader or reader
            return readers[reader](parts, entry)
        except UserError as error:
            if not draft.follow(error):
                raise
    raise UserError("no entry reads this file", file=path, fix="write the table again as CSV, names in the first line")


def _look_at_text(draft: Draft, text: str) -> None:
    """Separator, lines above the table, comments, and whether names are missing, as the first lines show them."""
    lines = [line for line in text.splitlines()[:LINES] if line.strip()]
    counts: dict[str, list[int]] = {}
    for mark in SEPARATORS:
        counts[mark] = [len(row) for row in csv.reader(lines, delimiter=mark, skipinitialspace=True)]
    counts[""] = [len(line.split()) for line in lines]

    def consistency(mark: str) -> tuple[float, bool, int]:
        usual, many = Counter(counts[mark]).most_common(1)[0]
        return (many / len(lines) if usual > 1 else 0.0), mark != "", usual

    best = max(counts, key=consistency)
    usual = Counter(counts[best]).most_common(1)[0][0]
    if best == "":
        draft.keys["reader"] = "whitespace"
    elif best != ",":
        draft.keys["separator"] = best
    else:
        draft.keys.setdefault("separator", ",")
    above = next((k for k, count in enumerate(counts[best]) if count == usual), 0)
    if above and all(line.lstrip().startswith("#") for line in lines[:above]):
        draft.keys["comment"] = "#"
    elif above:
        draft.keys["skip_lines"] = text.splitlines().index(lines[above])
        draft.why["skip_lines"] = f"the table begins in line {draft.keys['skip_lines'] + 1}"
    first = next(iter(_rows(lines[above], best)))
    if all(_number(cell) for cell in first if cell.strip()):
        draft.keys["header"] = [f"v1..{usual}"]
        draft.asked["header"] = "the first line is data already: what are the columns called?"
        draft.keys["target"] = f"v{usual}"


def _rows(line: str, mark: str) -> Iterator[list[str]]:
    return iter([line.split()]) if mark == "" else csv.reader(io.StringIO(line), delimiter=mark, skipinitialspace=True)


def _number(cell: str) -> bool:
    try:
        float(cell.strip().replace(",", "."))
    except ValueError:
        return False
    return True


def _target_in(columns: list[str]) -> str:
    folded = {column.casefold(): column for column in reversed(columns)}
    return next((folded[name] for name in TARGETS if name in folded), columns[-1])


def _decide(draft: Draft, raw: Raw, target: str) -> None:
    """The target, the task, and what becomes of each column of text."""
    table, keys = raw.table, draft.keys
    y = table[target].dropna()
    whole = is_numeric_dtype(y) and not is_bool_dtype(y) and (y == np.round(y)).all()
    amounts = is_numeric_dtype(y) and not is_bool_dtype(y) and not (whole and y.nunique() <= CLASSES)
    keys["task"], keys["target"] = "regression" if amounts else "classification", target
    draft.asked["target"] = "which column is to be predicted?"
    draft.asked["task"] = f"'{target}' has {y.nunique()} different values: regression of an amount, or classes?"
    categories: list[str] = []
    dropped: list[str] = []
    for column in table.columns.drop(target):
        series = table[column].dropna()
        if is_numeric_dtype(series) and len(series) > 1 and (np.diff(np.sort(series.astype(float))) == 1).all():
            dropped.append(str(column))
            continue
        if is_numeric_dtype(series) or is_bool_dtype(series) or series.isin([True, False]).all():
            continue
        if pd.to_numeric(series.astype(str), errors="coerce").notna().mean() > 0.5:
            continue  # numbers but for some cells, which the message names
        dates = series.astype(str).str.fullmatch(_DATE).mean() > 0.9
        looks_like_numbers = series.astype(str).str.fullmatch(r"[-+]?[\d.,' ]+%?").mean() > 0.9
        if looks_like_numbers and not dates:
            continue
        (dropped if dates or series.nunique() > FEW_LEVELS else categories).append(str(column))
    if categories:
        keys["categorical"] = categories
        draft.asked["categorical"] = "columns of text with few levels: are they categories?"
    if dropped:
        keys["drop"] = dropped
        draft.asked["drop"] = f"row numbers, dates, and text with over {FEW_LEVELS} levels: leave them out?"
    if table.drop(columns=dropped).isna().to_numpy().any():
        keys["missing"] = "drop_rows"
        marks = ", ".join(map(repr, raw.marks(table.columns.drop(dropped))))
        draft.asked["missing"] = "leave out rows with missing cells, or drop the columns that have them?"
        draft.asked["missing"] += f" If {marks} is a value, say `missing_values: []`" if marks else ""


def _clean(draft: Draft, raw: Raw) -> tuple[Clean | None, UserError | None]:
    """The table as the entry says, after the advice of every message; or the fault that no advice cures."""
    path = Path(draft.keys["source"].partition(":")[2])
    for _ in range(TRIES):
        try:
            return clean_table(raw, draft.entry()), None
        except UserError as error:
            if not draft.follow(error):
                return None, error
            raw = _read(draft, path)
    return None, UserError("the advice of the messages leads nowhere", file=path, fix="write the entry by hand")


def _reader(draft: Draft, path: Path) -> str:
    keys = draft.keys
    reader = keys.get("reader") or reader_of(parts_of([path], draft.entry())[0])
    said = {"csv": f"text separated by {keys.get('separator', ',')!r}", "excel": "an Excel workbook"}
    return said.get(reader, reader)


def _columns(table: pd.DataFrame) -> Iterator[list[Any]]:
    """A row a column: its name, what it holds, missing cells, and its range or commonest values."""
    for column in table.columns:
        series = table[column]
        known = series.dropna()
        if is_numeric_dtype(series) and not is_bool_dtype(series):
            kind = "numbers" if not (known == np.round(known)).all() else "whole numbers"
            values = f"{known.min():g} to {known.max():g}, {known.nunique()} different" if len(known) else "none"
        else:
            kind = "true or false" if known.isin([True, False]).all() else "text"
            counts = known.astype(str).value_counts()
            values = ", ".join(f"{one} ({count})" for one, count in counts.head(3).items())
            values += f" and {len(counts) - 3} more" if len(counts) > 3 else ""
        yield [str(column)[:30], kind, int(series.isna().sum()), values[:60]]
