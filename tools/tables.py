"""Write the tables in docs/ that follow from the code, the configuration and the data cards: `make docs`.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; all else of a document is written by hand.
A dataset is described by its card in data/prepared/ or by data/cards.parquet. Without both its row stays as it is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from l2audit.contamination import KINDS
from l2audit.data.cards import rows_of
from l2audit.effects.estimands import ACROSS, BOTH, CLEAN_ROWS, CONTAMINATED, ESTIMANDS
from l2audit.files import write_text
from l2audit.registry import Registry
from l2audit.runs.results import COLUMNS

ROOT = Path(__file__).resolve().parents[1]
MARKED = re.compile(r"(<!-- table: ([\w ]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)
SINGULAR = 1e16
LEVELS = {
    CLEAN_ROWS: "clean",
    CONTAMINATED: "each contaminated level",
    BOTH: "clean and contaminated",
    ACROSS: "one, from all levels",
}

Rows = list[list[str]]
# root of the repository, rows that stand there now -> names of columns, rows
Make = Callable[[Path, Rows], tuple[Sequence[str], Rows]]
TABLES: Registry[Make] = Registry("table")


def refreshed(text: str, root: Path) -> str:
    """`text` of a document with each of its tables as it should be."""

    def table(match: re.Match[str]) -> str:
        return match[1] + table_text(*TABLES[match[2]](root, cells_of(match[3]))) + match[4]

    return MARKED.sub(table, text)


def table_text(head: Sequence[str], rows: Rows) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("| --- ", "|---")


def cells_of(table: str) -> Rows:
    """The rows of a Markdown table, without its head."""
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def escaped(text: str) -> str:
    """`text` in a cell: a bar would end it."""
    return text.replace("|", "\\|")


@TABLES.register("columns of runs")
def columns_of_runs(root: Path, now: Rows) -> tuple[Sequence[str], Rows]:
    """Every column of runs.parquet."""
    rows = [[f"`{one.name}`", str(one.type), escaped(one.meaning), one.unit] for one in COLUMNS]
    return ("column", "type", "meaning", "unit"), rows


@TABLES.register("estimands")
def estimands(root: Path, now: Rows) -> tuple[Sequence[str], Rows]:
    """Every estimand, in the order in which they are registered."""
    rows = [
        [
            f"`{name}`",
            escaped(one.formula.replace(" - ", " − ")),
            LEVELS[one.levels],
            ", ".join(f"`{parameter}`" for parameter in one.takes),
            "band" if one.judged_band else "",
        ]
        for name, one in ((name, ESTIMANDS[name]) for name in ESTIMANDS)
    ]
    return ("name", "theta", "rows", "parameters", "asks"), rows


@TABLES.register("kinds of contamination")
def kinds(root: Path, now: Rows) -> tuple[Sequence[str], Rows]:
    """Every kind of config/contaminations.yaml that the code knows."""
    head = ("kind", "task", "what is done", "changes", "rate of", "magnitude", "stratum", "source")
    rows = []
    for name, entry in _configured(root, "contaminations").items():
        if name in KINDS:
            told = [entry["formula"], KINDS[name].hits, entry["rate"], entry.get("magnitude", "–"), entry["stratum"]]
            rows.append([f"`{name}`", ", ".join(entry["tasks"]), *map(escaped, told), escaped(entry["source"])])
    return head, rows


def _datasets(belongs: Callable[[Mapping[str, Any]], bool]) -> Make:
    def make(root: Path, now: Rows) -> tuple[Sequence[str], Rows]:
        return _rows_of(root, now, [name for name, entry in _configured(root, "datasets").items() if belongs(entry)])

    return make


def _rows_of(root: Path, now: Rows, names: Sequence[str]) -> tuple[Sequence[str], Rows]:
    head = ("dataset", "rows", "columns", "classes", "condition number", "collinear", "licence")
    rows = {row[0]: row for row in now} | {name: dataset_row(row) for name, row in rows_of(root, names).items()}
    return head, [rows[name] for name in names if name in rows]


def _is_here(entry: Mapping[str, Any]) -> bool:
    return entry["source"].partition(":")[0] in ("bundled", "synthetic") and entry.get("role") != "control"


# The table of a person's own disk is in none of them: nobody else has it.
TABLES.add("classification", _datasets(lambda entry: _is_here(entry) and entry["task"] == "classification"))
TABLES.add("regression", _datasets(lambda entry: _is_here(entry) and entry["task"] == "regression"))
TABLES.add("controls", _datasets(lambda entry: entry.get("role") == "control"))
TABLES.add("downloaded", _datasets(lambda entry: entry["source"].partition(":")[0] in ("https", "openml")))


@TABLES.register("a hundred real tables")
def hundred(root: Path, now: Rows) -> tuple[Sequence[str], Rows]:
    """Every dataset that has a file of its own, by task and name."""
    entries: dict[str, Any] = {}
    for path in sorted((root / "config" / "datasets").glob("*.yaml")):
        entries |= yaml.safe_load(path.read_text(encoding="utf-8"))
    names = [name for name, entry in entries.items() if not entry["source"].startswith("file:")]
    return _rows_of(root, now, sorted(names, key=lambda name: (entries[name]["task"], name)))


def dataset_row(card: Mapping[str, Any]) -> list[str]:
    """What docs/datasets.md says of a dataset, from its data card."""
    number = card["condition_number"]
    return [
        card["name"],
        str(card["rows"]),
        str(card["columns"]),
        str(card["classes"] or "–"),
        "singular" if number >= SINGULAR else f"{number:.3g}" if number < 1000 else f"{number:,.0f}",
        "yes" if card["collinear"] else "no",
        escaped(card["licence"]),
    ]


def _configured(root: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((root / "config" / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def main(root: Path = ROOT) -> None:
    """Write every document of docs/ whose tables are not as they should be, and name it."""
    for path in sorted((root / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        made = refreshed(text, root)
        if made != text:
            write_text(path, made)
            sys.stdout.write(f"{path.relative_to(root)}: tables written anew\n")


if __name__ == "__main__":
    main()
