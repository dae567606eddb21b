"""The command line: check a configuration, see what a study costs, rebuild a page, print the verdicts.

No command trains (`snakemake --cores all` does) or imports TensorFlow. Each command imports its own modules, so that a
mistake in a file is reported in a fraction of a second.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from l2audit.config.folder import folder_of
from l2audit.errors import UserError
from l2audit.pipeline.results import (
    HEADLINE_STUDIES,
    PROVENANCE_FILE,
    PUBLISHED_PAGE,
    REGISTRATION_COPY,
    calibration_file,
    is_published,
    stored_results,
    tell,
    verdict_text,
)
from l2audit.stored import read_json
from l2audit.wording.tables import text_table

if TYPE_CHECKING:
    from l2audit.config.study import Config

EPILOG = """\
examples:
  python -m l2audit check                         every file under config/
  python -m l2audit check --study my_study.yaml   one study of your own, and the tables that it refers to
  python -m l2audit check --registration my_claims.yaml    claims of your own
  python -m l2audit plan smoke                    models, minutes, megabytes, and how small an effect it could find
  python -m l2audit inspect my.csv                what a table holds, and a ready entry for config/datasets.yaml
  python -m l2audit datasets                      what can be put under `datasets:`
  python -m l2audit report default                the page again, from stored results
  python -m l2audit table                         the verdicts of the main study in the terminal
  python -m l2audit table study-1                 those of the first study, by its own registration

Training is done by Snakemake, from the repository's folder:
  snakemake --cores all                           the default study
  snakemake --cores all --config study=smoke      another one
  snakemake --cores all --config registration=my_claims.yaml    judged by claims of your own
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return 0. SystemExit: 1 after the message of a UserError, 2 where an argument is wrong."""
    options = _parser().parse_args(arguments)
    try:
        with tell():
            options.root = options.root or folder_of(Path(), None)
            options.registration = options.registration or options.root / "config" / "claims.yaml"
            options.run(options)
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
    parser.set_defaults(registration=None)
    registration, stored = argparse.ArgumentParser(add_help=False), argparse.ArgumentParser(add_help=False)
    about = "claims in place of those in config/claims.yaml"
    registration.add_argument("--registration", metavar="FILE", type=Path, help=about)
    first = f"default: the first of {', '.join(HEADLINE_STUDIES)} that is there, results/ before report/published/"
    stored.add_argument("study", metavar="STUDY", nargs="?", help=first)
    of = {}
    for run, parents, about in (
        (_check, [registration], "find mistakes in the configuration; trains nothing"),
        (
            _plan,
            [registration],
            "count the models of a study, its minutes and megabytes, and the smallest effects that it could show",
        ),
        (_inspect, [], "say what a table of your own holds, and print an entry for it"),
        (_datasets, [], "list the datasets that a study can name"),
        (_report, [stored], "rebuild a page from stored results; trains nothing"),
        (_table, [stored], "print the verdicts of a study"),
    ):
        of[run] = commands.add_parser(run.__name__.removeprefix("_"), parents=parents, help=about)
        of[run].set_defaults(run=run)
    named = "a name in config/studies/ or a YAML file"
    of[_check].add_argument("--study", metavar="STUDY", help=f"{named} (default: all)")
    of[_plan].add_argument("study", metavar="STUDY", help=named)
    of[_plan].add_argument("--cores", type=int, default=2, help="jobs at once (default: 2)")
    of[_inspect].add_argument("file", metavar="FILE", type=Path, help="CSV, Excel, Parquet, ARFF or IDX")
    of[_inspect].add_argument("--target", metavar="COLUMN", help="what to predict (default: a guess, with a question)")
    of[_table].add_argument("--markdown", action="store_true", help="as a Markdown table, for a README")
    return parser


def _check(options: argparse.Namespace) -> None:
    from l2audit.config.reader import shown
    from l2audit.pipeline.check import check, without_evidence

    configs, registration = check(options.root, options.study, options.registration)
    for config in configs:
        print(f"ok  {config.file}")
    print("ok  the tables in config/: datasets, architectures, contaminations, specifications")
    print(f"ok  {shown(options.registration)}")
    for config in configs:
        for lack, claims in without_evidence(registration, config).items():
            print(f"warning: {config.file} gives nothing to judge {', '.join(claims)} by: it has {lack}")
    _tell_doubts(options, configs)


def _tell_doubts(options: argparse.Namespace, configs: Sequence[Config]) -> None:
    """Of each dataset whose card warns what it says: of those of the study, if one is named, else of all."""
    from l2audit.data.cards import doubtful

    if not configs:
        return
    document = configs[0].documents["datasets"]
    names = configs[0].study.all_datasets if options.study else document.data
    for name, doubts in doubtful(options.root, names).items():
        place = document.files.get(name) or f"{document.file}: {name}"
        print(f"warning: {place}: {doubts}")


def _plan(options: argparse.Namespace) -> None:
    from l2audit.config.load import load
    from l2audit.data.fetch import readable
    from l2audit.pipeline.minutes import (
        download_bytes,
        expected_seconds,
        measured_seconds,
        results_bytes,
        shard_seconds,
    )
    from l2audit.plan import jobs_of, plan, planned

    config = load(options.root, options.study, options.registration)
    study, shards, jobs = config.study, plan(config), jobs_of(config).values()
    sizes = Counter[tuple[str, str]]()
    for shard in shards:
        sizes[shard.dataset, shard.arm] += shard.size
    primary = list(study.architectures)
    models = [[dataset, *(sizes.get((dataset, arm)) for arm in primary)] for dataset in study.all_datasets]
    print(f"{study.name}: {study.title}\n\n{text_table(models, ['models', *primary])}")
    rows = []
    for arm in study.further:
        own = [shard for shard in shards if shard.arm == arm]
        counts = len({shard.dataset for shard in own}), sum(shard.size for shard in own)
        cost = sum(shard_seconds(config, shard) for shard in own) / 60
        rows.append([arm, own[0].architecture, own[0].penalty, own[0].optimizer, own[0].scaling, *counts, cost])
    if rows:
        head = ["arm", "architecture", "penalty", "optimizer", "scaling", "datasets", "models", "minutes, one core"]
        print(f"\n{text_table(rows, head)}")
    print(f"\n{sizes.total()} models in {len(jobs)} jobs.")
    measured = [measured_seconds(options.root / "results" / study.name, job) for job in jobs]
    seconds = [one or expected_seconds(config, job) for one, job in zip(measured, jobs, strict=True)]
    told = "from earlier runs" if None not in measured else "from typical speeds, where no earlier run tells"
    total = sum(seconds) / 60 / max(1, options.cores)
    print(f"About {total:.1f} minutes of training with {options.cores} jobs at once ({told}).")
    print(f"About {readable(results_bytes(config, jobs))} of results; downloads: {readable(download_bytes(config))}.")

    import pandas as pd

    from l2audit.pipeline.check import load_verified
    from l2audit.trial import power

    registration = load_verified(options.registration)
    source: Path | None = None
    for name in (None, study.name):  # the study's own results, if there are any, tell the spread best
        with contextlib.suppress(UserError):
            source = stored_results(options.root, name)
    cards = read_json(source / PROVENANCE_FILE)["datasets"] if source else []
    strata = {kind: entry["stratum"] for kind, entry in config.contaminations.items()}
    collinear = {card["name"]: card["collinear"] for card in cards if card["name"] in config.datasets}
    effects = power.planned_effects(pd.DataFrame(planned(shards)), registration, strata, collinear)
    spreads = power.spreads_of(read_json(source / "verdicts.json")) if source else {}
    found = power.outlooks(effects, registration, spreads)
    where = source.relative_to(options.root).as_posix() if source else None
    print(f"\n{power.text(found, where, registration.constants)}")


def _inspect(options: argparse.Namespace) -> None:
    from l2audit.pipeline.inspect import inspect

    print(inspect(options.file, options.target))


def _datasets(options: argparse.Namespace) -> None:
    from l2audit.config.load import table

    entries = sorted(table(options.root, "datasets").items(), key=lambda item: (item[1]["task"], item[0]))
    rows = [[name, one["task"], one["source"], one["description"].split(". ")[0].strip()] for name, one in entries]
    print(text_table(rows, ["dataset", "task", "source", "about"]))


def _report(options: argparse.Namespace) -> None:
    from l2audit.files import sha256_of, write_text
    from l2audit.report.page import write_page

    source = stored_results(options.root, options.study)
    published = is_published(source, options.root)
    # Under the study's own name there is only what this folder's own results say.
    page = options.root / "report" / f"{source.name}{'.published' if published else ''}.html"
    if published and sha256_of(source / REGISTRATION_COPY) != sha256_of(options.registration):
        # Judged by an earlier registration, which this version need not be able to read.
        write_text(page, (source / PUBLISHED_PAGE).read_text(encoding="utf-8"))
        print(f"{page}: as it was published in {source}, by another registration than the present one")
        return
    write_page(source, page, calibration_file(options.root))
    print(f"{page}: rebuilt from {source}{' (the published results)' if published else ''}")


def _table(options: argparse.Namespace) -> None:
    source = stored_results(options.root, options.study)
    if options.markdown:
        from l2audit.wording.tables import markdown

        print(markdown(read_json(source / "verdicts.json")), end="")
    else:
        print(verdict_text(source))
