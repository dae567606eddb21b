# What all rules share: the checked configuration, the plan of the study, and the hashes of the code behind each step.
import sys
from functools import cache
from os.path import relpath
from pathlib import Path

ROOT = Path(workflow.basedir).parent
sys.path.insert(0, str(ROOT / "src"))

from l2audit.config.folder import command_line, folder_of
from l2audit.config.load import load
from l2audit.data.fetch import is_fetched, is_prepared
from l2audit.plan import jobs_of, stored_plan
from l2audit.files import sha256_of
from l2audit.pipeline.fingerprints import LOCK, code_hash, digest
from l2audit.pipeline.environment import prepare_environment, same_declaration
from l2audit.pipeline.jobs import WALL, Turn, note_wall
from l2audit.pipeline.minutes import expected_seconds
from l2audit.pipeline.results import (
    EVIDENCE,
    PUBLISHED_FOLDER,
    PUBLISHED_PAGE,
    REGISTRATION_COPY,
    calibration_file,
    check_settled,
    on_nothing_to_do,
    show_doubts,
    show_verdicts,
    tell,
)
from l2audit.seeds import canonical

prepare_environment(ROOT / "src")

with tell():
    # All tables of config/ are read from one folder: this one if it has a config/, else the workflow's own.
    HOME = folder_of(Path(), ROOT)
    CHOICES = relpath(HOME / "config/specifications.yaml")
    STUDY_NAME, REGISTRATION = command_line(config, HOME)
    # Every job reads this file too, and the whole check imports pandas, which is slow.
    if workflow.is_main_process:
        if HOME == Path() and HOME.resolve() != ROOT:
            print(f"configuration: {HOME.resolve()}/config", file=sys.stderr)
        from l2audit.pipeline.check import check

        (CONFIG,), _ = check(HOME, STUDY_NAME, Path(REGISTRATION))
    else:
        CONFIG = load(HOME, STUDY_NAME, Path(REGISTRATION))

STUDY = CONFIG.study
JOBS = jobs_of(CONFIG)
SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))
CODE = {name: code_hash(ROOT, name) for name in SCRIPTS}

RESULTS = f"results/{STUDY.name}"
PAGE = f"report/{STUDY.name}.html"
TRAINED = [f"{RESULTS}/trained/{name}.parquet" for name in JOBS]
WEB = {name for name, entry in CONFIG.datasets.items() if entry["source"] == "https"}
CARDS = [f"data/prepared/{name}.json" for name in STUDY.all_datasets]
# One run at a time in a folder: its studies share data/.
TURN = Turn(".snakemake/l2audit.lock", STUDY.name)


wildcard_constraints:
    dataset="[a-z][a-z0-9_-]*",
    job=r"[a-z][a-z0-9_-]*\.[0-9]+",


def entry_of(wildcards):
    return canonical(CONFIG.datasets[wildcards.dataset])


def local_file_of(wildcards):
    """The file of a dataset with `source: file:PATH`; all other sources have none."""
    kind, _, path = CONFIG.datasets[wildcards.dataset]["source"].partition(":")
    return [path] if kind == "file" else []


@cache
def origin_of_dataset(name):
    """Hash of all that a prepared dataset depends on: a local file counts by its name and bytes, not by its place.

    Every rule that makes or reads one has it as a parameter. Were only the files of the step before its inputs, a
    dataset whose preparation failed would leave the shards trained on the old one as they are.
    """
    entry = dict(CONFIG.datasets[name])
    kind, _, path = entry["source"].partition(":")
    if kind == "file":
        entry["source"] = [kind, Path(path).name, sha256_of(path)]
    return digest(entry, CODE["download"], CODE["prepare"])


def origin_of(wildcards):
    return origin_of_dataset(wildcards.dataset)


def is_there(name):
    """Whether a dataset from the web needs no fetch: its raw files are there, or it is prepared, whatever became of them."""
    made, origin = [
        f"data/prepared/{name}.{kind}" for kind in ("json", "npz", "croissant.json")
    ], origin_of_dataset(name)
    return is_prepared(made, made[0], origin) or is_fetched(
        f"data/raw/{name}", name, origin
    )


def force_stale(wildcards):
    """No input; but what is to be fetched is fetched although a manifest is there, as that is not the right one.

    Snakemake's own triggers compare with what made the file before, and that may have been the same.
    """
    workflow.dag.forcefiles.update(
        f"data/raw/{name}/manifest.json" for name in TO_FETCH
    )
    return []


def prepared_of(wildcards):
    return f"data/prepared/{JOBS[wildcards.job].dataset}"


def seconds_of(wildcards):
    return expected_seconds(CONFIG, JOBS[wildcards.job])


def registration_at_training(wildcards, resources):
    """SHA-256 of the registration, which each shard records so that a change made after training can be seen.

    No number depends on it, and a new claim must not train again: a function of `resources` is a derived parameter, whose
    value reaches the script and whose change makes Snakemake run nothing.
    """
    return sha256_of(REGISTRATION)


@cache
def declared():
    """Hash of all that the results of this study depend on, as it is declared now."""
    return digest(
        stored_plan(CONFIG),
        [origin_of_dataset(name) for name in STUDY.all_datasets],
        [sha256_of(REGISTRATION), sha256_of(CHOICES)],
        [STUDY.name, STUDY.title, STUDY.verdicts, CONFIG.contaminations],
        CODE,
    )


def whole_study():
    """Whether this command asks for the whole study and not for some of its files."""
    asked = workflow.dag_settings
    return not (
        set(asked.targets) - {"all"} or asked.until or asked.omit_from or asked.batch
    )


def nothing_to_do():
    """What ends the message that there is nothing to do: where the page is, if the results are of what is declared."""
    if not whole_study():
        return ""
    if not workflow.dryrun:
        check_settled(STUDY.name, declared())
    return f"\nThe page: {PAGE}"


with tell():
    same_declaration(declared(), workflow.is_main_process)
