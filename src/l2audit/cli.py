"""The command line: check a configuration, see what a study costs, rebuild a page, print the verdicts.

Training is Snakemake's (`snakemake --cores all`); nothing here trains, and nothing here imports TensorFlow. Modules are
imported by the command that needs them, so that a mistake in a file is told in a fraction of a second.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l2audit.errors import UserError

if TYPE_CHECKING:
    from l2audit.config.study import Config
    from l2audit.design import Shard

PUBLISHED = Path("report/published")
PUBLISHED_STUDY = "default"
EPILOG = """\
examples:
  python -m l2audit check                         every file under config/
  python -m l2audit check --study my_study.yaml   one study of your own, and the tables that it refers to
  python -m l2audit plan smoke                    how many models it trains, and how long that should take
  python -m l2audit datasets                      what can be put under `datasets:`
  python -m l2audit report default                the page again, from stored results
  python -m l2audit table default                 the verdicts in the terminal

Training is done by Snakemake, from the repository's folder:
  snakemake --cores all                           the default study
  snakemake --cores all --config study=smoke      another one
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
    parser.add_argument("--root", type=Path, default=Path(), help="folder of the repository (default: here)")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = commands.add_parser("check", help="find mistakes in the configuration; trains nothing")
    check.add_argument("--study", metavar="STUDY", help="a name in config/studies/ or a YAML file (default: all)")
    check.set_defaults(run=_check)

    plan = commands.add_parser("plan", help="count the models of a study, and say how long they should take")
    plan.add_argument("study", metavar="STUDY", help="a name in config/studies/ or a YAML file")
    plan.add_argument("--cores", type=int, default=2, help="jobs at once (default: 2)")
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


def _check(options: argparse.Namespace) -> int:
    from l2audit.config.faults import ConfigError
    from l2audit.config.load import load, studies, study_path
    from l2audit.config.reader import shown
    from l2audit.design import verify
    from l2audit.judge.claims import load as load_claims

    faults = []
    for study in [options.study] if options.study else studies(options.root):
        try:
            verify(load(options.root, study))
            print(f"ok  {shown(study_path(options.root, study))}")
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    load_claims(options.root / "config" / "claims.yaml")
    print("ok  the tables in config/: datasets, architectures, contaminations, claims")
    return 0


def _plan(options: argparse.Namespace) -> None:
    from l2audit.config.load import load
    from l2audit.design import plan

    config = load(options.root, options.study)
    shards = plan(config)
    columns = list(config.study.architectures)
    width = max(len(name) for name in config.study.all_datasets)
    print(f"{config.study.name}: {config.study.title}\n")
    print(f"{'models':{width}}  " + "  ".join(f"{name:>10}" for name in columns))
    for dataset in config.study.all_datasets:
        own = [shard for shard in shards if shard.dataset == dataset]
        sizes = {name: sum(shard.size for shard in own if shard.architecture == name) for name in columns}
        print(f"{dataset:{width}}  " + "  ".join(f"{size or '-':>10}" for size in sizes.values()))
    measured, expected = _seconds(config, shards, options.root / "results" / config.study.name / "benchmarks" / "train")
    print(f"\n{sum(one.size for one in shards)} models in {len(shards)} jobs.")
    minutes = (measured + expected) / 60 / max(1, options.cores)
    print(f"About {minutes:.1f} minutes of training with {options.cores} jobs at once", end=" ")
    print("(from earlier runs)." if not expected else "(from typical speeds, where no earlier run tells).")


def _seconds(config: Config, shards: Sequence[Shard], benchmarks: Path) -> tuple[float, float]:
    """Seconds on one core: as measured by earlier runs, and as expected for the shards without one."""
    from l2audit.design import expected_seconds

    measured = expected = 0.0
    for shard in shards:
        path = benchmarks / f"{shard.shard_id}.tsv"
        if path.exists():
            with path.open(encoding="utf-8", newline="") as stream:
                measured += float(next(csv.DictReader(stream, delimiter="\t"))["s"])
        else:
            expected += expected_seconds(config, shard)
    return measured, expected


def _datasets(options: argparse.Namespace) -> None:
    from l2audit.config.load import table

    entries = table(options.root, "datasets")
    width = max(len(name) for name in entries)
    for name, entry in sorted(entries.items(), key=lambda item: (item[1]["task"], item[0])):
        about = entry["description"].split(". ")[0].strip()
        print(f"{name:{width}}  {entry['task']:14}  {entry['source']:34}  {about}")


def stored_results(root: Path, study: str) -> Path:
    """The folder that holds a study's evidence: results/<study>, else the published copy. UserError if neither does."""
    from l2audit.report.files import EVIDENCE

    own = root / "results" / study
    if all((own / name).exists() for name in EVIDENCE):
        return own
    published = root / PUBLISHED
    if study == PUBLISHED_STUDY and all((published / name).exists() for name in EVIDENCE):
        return published
    raise UserError(
        f"there are no stored results of the study '{study}'",
        file=own,
        fix=f"make them: snakemake --cores all --config study={study}",
    )


def _report(options: argparse.Namespace) -> None:
    from l2audit.report.files import write_page

    source = stored_results(options.root, options.study)
    page = options.root / "report" / f"{options.study}.html"
    write_page(source, page)
    print(f"{page}: rebuilt from {source}{' (the published results)' if source.name == 'published' else ''}")


def _table(options: argparse.Namespace) -> None:
    source = stored_results(options.root, options.study)
    if options.markdown:
        from l2audit.judge.wording import markdown

        print(markdown(json.loads((source / "verdicts.json").read_text(encoding="utf-8"))), end="")
    else:
        print(verdict_text(source))


def verdict_text(source: Path) -> str:
    """The verdict table of the results in `source`, for a terminal."""
    from l2audit.judge.wording import table

    verdicts: dict[str, Any] = json.loads((source / "verdicts.json").read_text(encoding="utf-8"))
    study = json.loads((source / "provenance.json").read_text(encoding="utf-8"))["study"]
    stamp = "" if study["verdicts"] else "Plumbing only: this study is too small for verdicts.\n\n"
    return f"{stamp}{table(verdicts, shutil.get_terminal_size((100, 24)).columns)}"


def show_verdicts(study: str, root: Path = Path()) -> None:
    """Print the verdict table of a study that has just ended, and where its page is; nothing if they are not there."""
    source, page = root / "results" / study, root / "report" / f"{study}.html"
    if page.exists() and all((source / name).exists() for name in ("verdicts.json", "provenance.json")):
        print(f"\n{verdict_text(source)}\nThe page: {page}", flush=True)
