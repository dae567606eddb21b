"""Stored results of a study: which files they are, whether they belong together, and how the workflow shows them."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from l2audit.errors import UserError
from l2audit.files import sha256_of
from l2audit.stored import read_json

PROVENANCE_FILE = "provenance.json"
EVIDENCE = (
    "verdicts.json",
    "specifications.json",
    "effects.parquet",
    "summary.parquet",
    "answers.parquet",
    "identities.json",
    "oracles.json",
    PROVENANCE_FILE,
)
"""The files that a page is made of. A study of an earlier version may have fewer: its provenance.json names them."""

PUBLISHED_FOLDER = Path("report/published")
PUBLISHED_PAGE = "index.html"
REGISTRATION_COPY = "claims.yaml"
"""Beside the evidence in `PUBLISHED_FOLDER/<study>`: its page, the registration that judged it, and its slim runs."""
HEADLINE_STUDIES = ("full", "default", "quick", "study-1")
"""What `table` and `report` show if no study is named: the first that is there, own results before published ones."""


@contextlib.contextmanager
def tell() -> Iterator[None]:
    """Turn a UserError into its message on standard error and exit status 1, without a traceback."""
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def strangers(folder: Path) -> list[Path]:
    """The files of the evidence in `folder` that its provenance.json does not name: another run's, or changed."""
    named, files = read_json(folder / PROVENANCE_FILE).get("files", {}), set(EVIDENCE) - {PROVENANCE_FILE}
    there = [folder / name for name in EVIDENCE if name in files and (folder / name).exists()]
    return [path for path in there if sha256_of(path) != named.get(path.name)]


def stored_results(root: Path, study: str | None = None) -> Path:
    """The folder of a study's evidence, named as the study: its own results, else the published ones.

    study: None for the first of `HEADLINE_STUDIES` that is there. UserError: not whole, or of two runs.
    """
    names = HEADLINE_STUDIES if study is None else (study,)
    for folder in (root / place / name for place in ("results", PUBLISHED_FOLDER) for name in names):
        if _is_whole(folder):
            if found := strangers(folder):
                problem = "is not the file that provenance.json beside it names: another run's, or changed"
                again = "run the same snakemake command again, with --forceall if it finds nothing to do"
                raise UserError(problem, file=found[0], fix=f"finish the study: {again}")
            return folder
    fix = "make them: snakemake --cores all --config study=... (the name of the study, or the path of its file)"
    of = f"the study '{study}'" if study else "any study"
    raise UserError(f"there are no stored results of {of}", file=root / "results" / (study or ""), fix=fix)


def _is_whole(folder: Path) -> bool:
    """Whether every file that the provenance of `folder` names is there."""
    path = folder / PROVENANCE_FILE
    return path.exists() and all((folder / name).exists() for name in read_json(path).get("files", {}))


def is_published(folder: Path, root: Path) -> bool:
    """Whether a folder of evidence is a published copy, and not this folder's own results."""
    return folder.parent == root / PUBLISHED_FOLDER


def calibration_file(root: Path) -> Path | None:
    """The trial of the judge that a page shows: the one of `make calibrate`, else the published one, else None."""
    published = (root / PUBLISHED_FOLDER / study for study in HEADLINE_STUDIES)
    found = (folder / "calibration.json" for folder in (root / "results", *published))
    return next((path for path in found if path.exists()), None)


def verdict_text(source: Path) -> str:
    """The verdict table of the results in `source`, as wide as the terminal."""
    from l2audit.wording.tables import verdict_table

    stamp = "Plumbing only: this study is too small for verdicts.\n\n"
    judged = read_json(source / PROVENANCE_FILE)["study"]["verdicts"]
    shown = verdict_table(read_json(source / "verdicts.json"), shutil.get_terminal_size((100, 24)).columns)
    return shown if judged else stamp + shown


def show_verdicts(study: str, root: Path = Path()) -> None:
    """Print the verdict table of a study that has just ended, and where its page is."""
    print(f"\n{verdict_text(root / 'results' / study)}\nThe page: {root / 'report' / study}.html", flush=True)


def show_doubts(study: str, datasets: Iterable[str], root: Path = Path()) -> None:
    """Print which of the `datasets` of a study have data cards that warn, if any have, and what tells the warnings."""
    from l2audit.data.cards import doubtful

    if found := doubtful(root, datasets):
        tells = f"python -m l2audit check --study {study}"
        print(f"Data cards that warn: {', '.join(found)} ({tells} says of what)", flush=True)


def check_settled(study: str, declared: str, root: Path = Path()) -> None:
    """UserError unless the results of a study were made of its present configuration, whose hash is `declared`.

    Snakemake compares them by what it keeps in .snakemake/. Results that were copied here come without it.
    """
    folder = root / "results" / study
    if read_json(folder / PROVENANCE_FILE).get("declared_sha256") != declared:
        problem = "are not the results of the present configuration, and Snakemake does not remember what made them"
        raise UserError(problem, file=folder, fix="make them again: run the same command with --forceall")


def on_nothing_to_do(more: Callable[[], str], logger: logging.Logger) -> None:
    """Add `more()` to Snakemake's message that there is nothing to do; a UserError of it ends the process."""

    def extend(record: logging.LogRecord) -> bool:
        if str(record.msg).startswith("Nothing to be done"):
            with tell():
                record.msg = f"{record.msg}{more()}"
        return True

    logger.addFilter(extend)  # before any handler formats the record
