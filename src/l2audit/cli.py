"""The command line: check a configuration, see what a study costs, rebuild a page, print the verdicts.

Training is Snakemake's (`snakemake --cores all`); nothing here trains, and nothing here imports TensorFlow. Modules are
imported by the command that needs them, so that a mistake in a file is told in a fraction of a second.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l2audit.config.folder import folder_of
from l2audit.errors import UserError
from l2audit.stored import read_json

if TYPE_CHECKING:
    from l2audit.config.study import Config
    from l2audit.plan import Job, Shard

PUBLISHED = Path("report/published")
PUBLISHED_STUDY = "default"
EPILOG = """\
examples:
  python -m l2audit check                         every file under config/
  python -m l2audit check --study my_study.yaml   one study of your own, and the tables that it refers to
  python -m l2audit check --registration my_claims.yaml    claims of your own
  python -m l2audit plan smoke                    how many models, how many minutes, how small an effect it could find
  python -m l2audit datasets                      what can be put under `datasets:`
  python -m l2audit report default                the page again, from stored results
  python -m l2audit table default                 the verdicts in the terminal

Training is done by Snakemake, from the repository's folder:
  snakemake --cores all                           the default study
  snakemake --cores all --config study=smoke      another one
  snakemake --cores all --config registration=my_claims.yaml    judged by claims of your own
"""


@contextlib.contextmanager
def tell() -> Iterator[None]:
    """Turn a UserError into its message on standard error and exit status 1, without a traceback."""
    try:
        yield
    except UserError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; `arguments` default to those of the process. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.root = options.root or folder_of(Path(), None)
        return int(options.run(options) or 0)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output (head, less) has left
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="l2audit",
        description="Claims about L2 regularisation on trial: check, plan, report. Snakemake does the training.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", type=Path, help="folder of the repository (default: here)")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = commands.add_parser("check", help="find mistakes in the configuration; trains nothing")
    check.add_argument("--study", metavar="STUDY", help="a name in config/studies/ or a YAML file (default: all)")
    _takes_registration(check)
    check.set_defaults(run=_check)

    plan = commands.add_parser(
        "plan", help="count the models of a study, its minutes, and the smallest effects that it could show"
    )
    plan.add_argument("study", metavar="STUDY", help="a name in config/studies/ or a YAML file")
    plan.add_argument("--cores", type=int, default=2, help="jobs at once (default: 2)")
    _takes_registration(plan)
    plan.set_defaults(run=_plan)

    datasets = commands.add_parser("datasets", help="list the datasets that a study can name")
    datasets.set_defaults(run=_datasets)

    report = commands.add_parser("report", help="rebuild a page from stored results; trains nothing")
    report.add_argument("study", metavar="STUDY", nargs="?", default=PUBLISHED_STUDY, help="default: %(default)s")
    report.set_defaults(run=_report)

    table = commands.add_parser("table", help="print the verdicts of a study")
    table.add_argument("study", metavar="STUDY", nargs="?", default=PUBLISHED_STUDY, help="default: %(default)s")
    table.add_argument("--markdown", action="store_true", help="as a Markdown table, for a README")
    table.set_defaults(run=_table)
    return parser


def _takes_registration(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--registration", metavar="FILE", type=Path, help="claims in place of those in config/claims.yaml"
    )


def _registration(options: argparse.Namespace) -> Path:
    path: Path = options.registration or options.root / "config" / "claims.yaml"
    return path


def _check(options: argparse.Namespace) -> None:
    from l2audit.config.reader import shown
    from l2audit.pipeline.check import check, without_evidence

    path = _registration(options)
    configs, registration = check(options.root, options.study, path)
    for config in configs:
        print(f"ok  {config.file}")
    print("ok  the tables in config/: datasets, architectures, contaminations, specifications")
    print(f"ok  {shown(path)}")
    for config in configs:
        for lack, claims in without_evidence(registration, config).items():
            print(f"warning: {config.file} gives nothing to judge {', '.join(claims)} by: it has {lack}")


def _plan(options: argparse.Namespace) -> None:
    from l2audit.config.load import load
    from l2audit.plan import jobs_of, plan

    registration = _registration(options)
    config = load(options.root, options.study, registration)
    shards = plan(config)
    benchmarks = options.root / "results" / config.study.name / "benchmarks" / "train"
    print(f"{config.study.name}: {config.study.title}\n")
    print(_models_of_primary_arms(config, shards))
    if config.study.further:
        print(f"\n{_further_arms(config, shards)}")
    jobs = jobs_of(config)
    measured, expected = _seconds(config, jobs.values(), benchmarks)
    print(f"\n{sum(one.size for one in shards)} models in {len(jobs)} jobs.")
    minutes = (measured + expected) / 60 / max(1, options.cores)
    print(f"About {minutes:.1f} minutes of training with {options.cores} jobs at once", end=" ")
    print("(from earlier runs)." if not expected else "(from typical speeds, where no earlier run tells).")
    print(f"\n{_detectable(options.root, registration, config, shards)}")


def _models_of_primary_arms(config: Config, shards: Sequence[Shard]) -> str:
    """Numbers of models, one line a dataset, one column an architecture."""
    sizes = Counter[tuple[str, str]]()
    for shard in shards:
        sizes[shard.dataset, shard.arm] += shard.size
    names = list(config.study.architectures)
    rows = [[dataset, *(str(sizes[dataset, name] or "-") for name in names)] for dataset in config.study.all_datasets]
    return _columns([["models", *names], *rows])


def _further_arms(config: Config, shards: Sequence[Shard]) -> str:
    """One line an arm that is not primary: how it differs, what it has, and its minutes on one core."""
    from l2audit.pipeline.minutes import shard_seconds

    rows = [["arm", "architecture", "penalty", "optimizer", "scaling", "datasets", "models", "minutes on one core"]]
    for name in config.study.further:
        own = [shard for shard in shards if shard.arm == name]
        one = own[0]
        counts = (str(len({shard.dataset for shard in own})), str(sum(shard.size for shard in own)))
        minutes = sum(shard_seconds(config, shard) for shard in own) / 60
        rows.append([name, one.architecture, one.penalty, one.optimizer, one.scaling, *counts, f"{minutes:.1f}"])
    return _columns(rows)


def _columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines: numbers to the right, words to the left."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]

    def line(row: Sequence[str]) -> str:
        number = [cell == "-" or cell.replace(".", "").isdigit() for cell in row]
        cells = zip(row, widths, number, strict=True)
        return "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells).rstrip()

    return "\n".join(line(row) for row in rows)


def _detectable(root: Path, registered: Path, config: Config, shards: Sequence[Shard]) -> str:
    """The smallest effect that each claim could show, as text."""
    import pandas as pd

    from l2audit.pipeline.check import load_verified
    from l2audit.plan import planned
    from l2audit.runs.results import COLUMNS
    from l2audit.trial import power

    registration = load_verified(registered)
    source = _results_for_spreads(root, config.study.name)
    verdicts, cards = (_stored(source, name) for name in ("verdicts.json", "provenance.json")) if source else ({}, {})
    effects = power.planned_effects(
        pd.DataFrame(planned(shards)),
        [column.name for column in COLUMNS],
        registration,
        {kind: entry["stratum"] for kind, entry in config.contaminations.items()},
        {card["name"]: card["collinear"] for card in cards.get("datasets", ()) if card["name"] in config.datasets},
    )
    found = power.outlooks(effects, registration, power.spreads_of(verdicts) if verdicts else {})
    where = "the published study" if source == root / PUBLISHED else f"results/{config.study.name}"
    return power.text(found, where if source else None, registration.constants)


def _results_for_spreads(root: Path, study: str) -> Path | None:
    """The study's own results, else the published ones, whose spread between datasets is the best guess there is."""
    for name in (study, PUBLISHED_STUDY):
        with contextlib.suppress(UserError):
            return stored_results(root, name)
    return None


def _stored(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = read_json(folder / name)
    return found


def _seconds(config: Config, jobs: Iterable[Job], benchmarks: Path) -> tuple[float, float]:
    """Seconds on one core: as measured by earlier runs, and as expected for the jobs without one."""
    from l2audit.pipeline.jobs import benchmarked_seconds
    from l2audit.pipeline.minutes import expected_seconds

    measured = expected = 0.0
    for job in jobs:
        path = benchmarks / f"{job.job_id}.tsv"
        if path.exists():
            measured += benchmarked_seconds(path)
        else:
            expected += expected_seconds(config, job)
    return measured, expected


def _datasets(options: argparse.Namespace) -> None:
    from l2audit.config.load import table

    entries = table(options.root, "datasets")
    width = max(len(name) for name in entries)
    for name, entry in sorted(entries.items(), key=lambda item: (item[1]["task"], item[0])):
        about = entry["description"].split(". ")[0].strip()
        print(f"{name:{width}}  {entry['task']:14}  {entry['source']:34}  {about}")


def stored_results(root: Path, study: str) -> Path:
    """The folder that holds a study's evidence: results/<study>, else the published copy. UserError if neither does.

    UserError: files of different runs stand side by side, as after a run that failed half-way.
    """
    from l2audit.report.files import EVIDENCE, strangers

    own, published = root / "results" / study, root / PUBLISHED
    run = f"snakemake --cores all --config study={study}"
    candidates = [own, published] if study == PUBLISHED_STUDY else [own]
    for folder in candidates:
        if all((folder / name).exists() for name in EVIDENCE):
            if found := strangers(folder):
                problem = "is not the file that provenance.json beside it names: another run's, or changed"
                raise UserError(problem, file=found[0], fix=f"finish the study: {run}")
            return folder
    raise UserError(f"there are no stored results of the study '{study}'", file=own, fix=f"make them: {run}")


def calibration_file(root: Path) -> Path | None:
    """The trial of the judge that a page shows: the own one (`make calibrate`), else the published one, else None."""
    found = (root / "results" / "calibration.json", root / PUBLISHED / "calibration.json")
    return next((path for path in found if path.exists()), None)


def _report(options: argparse.Namespace) -> None:
    from l2audit.report.files import write_page

    source = stored_results(options.root, options.study)
    published = source == options.root / PUBLISHED
    # Under the study's own name there is only what this folder's own results say.
    page = options.root / "report" / f"{options.study}{'.published' if published else ''}.html"
    write_page(source, page, calibration_file(options.root))
    print(f"{page}: rebuilt from {source}{' (the published results)' if published else ''}")


def _table(options: argparse.Namespace) -> None:
    source = stored_results(options.root, options.study)
    if options.markdown:
        from l2audit.wording.sentences import markdown

        print(markdown(_stored(source, "verdicts.json")), end="")
    else:
        print(verdict_text(source))


def verdict_text(source: Path) -> str:
    """The verdict table of the results in `source`, for a terminal."""
    from l2audit.wording.sentences import table

    verdicts = _stored(source, "verdicts.json")
    study = _stored(source, "provenance.json")["study"]
    stamp = "" if study["verdicts"] else "Plumbing only: this study is too small for verdicts.\n\n"
    return f"{stamp}{table(verdicts, shutil.get_terminal_size((100, 24)).columns)}"


def show_verdicts(study: str, root: Path = Path()) -> None:
    """Print the verdict table of a study that has just ended, and where its page is."""
    print(f"\n{verdict_text(root / 'results' / study)}\nThe page: {root / 'report' / study}.html", flush=True)


def check_settled(study: str, declared: str, root: Path = Path()) -> None:
    """UserError if the results of a study are not those of its present configuration, by the hash of all of it.

    Snakemake sees to that by what it remembers in .snakemake/; without it, as beside copied results, it cannot.
    """
    folder = root / "results" / study
    if _stored(folder, "provenance.json").get("declared_sha256") != declared:
        raise UserError(
            "are not the results of the present configuration, and Snakemake does not remember what made them",
            file=folder,
            fix=f"make them again: snakemake --cores all --forceall --config study={study}",
        )


def on_nothing_to_do(more: Callable[[], str], logger: logging.Logger) -> None:
    """Have the message of Snakemake's `logger` that there is nothing to do end with what `more` returns.

    A UserError of `more` ends the process with its message.
    """

    def extend(record: logging.LogRecord) -> bool:
        if str(record.msg).startswith("Nothing to be done"):
            with tell():
                record.msg = f"{record.msg}{more()}"
        return True

    logger.addFilter(extend)  # before any handler formats the record
