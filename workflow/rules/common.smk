# What all rules share: the checked configuration, the plan of the study, and the hashes of the code behind each step.
import sys
from pathlib import Path

ROOT = Path(workflow.basedir).parent
sys.path.insert(0, str(ROOT / "src"))

from l2audit.cli import calibration_file, show_verdicts, tell
from l2audit.config.load import load
from l2audit.design import expected_seconds, shards_by_id
from l2audit.fingerprints import code_hash, lock_hash
from l2audit.jobs import WALL, hold_lock, note_wall, prepare_environment
from l2audit.seeds import canonical
from l2audit.training.verify import verify

prepare_environment(ROOT / "src")

CHOICES = "config/specifications.yaml"
REGISTRATION = str(config.setdefault("registration", "config/claims.yaml"))

with tell():
    CONFIG = load(ROOT, str(config.get("study", "default")), Path(REGISTRATION))
    verify(CONFIG)
    # Every job reads this file too, and pandas is slow to import.
    if workflow.is_main_process:
        from l2audit.judge import specifications
        from l2audit.judge.verify import load_verified

        load_verified(Path(REGISTRATION))
        specifications.load(CHOICES)

STUDY = CONFIG.study
SHARDS = shards_by_id(CONFIG)
SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))
CODE = {name: code_hash(ROOT, name) for name in SCRIPTS}

RESULTS = f"results/{STUDY.name}"
PAGE = f"report/{STUDY.name}.html"
CARDS = [f"data/prepared/{name}.json" for name in STUDY.all_datasets]
LOCK_FILE = f".snakemake/l2audit-{STUDY.name}.lock"


wildcard_constraints:
    dataset="[a-z][a-z0-9_]*",
    shard=r"[a-z][a-z0-9_]*\.[a-z][a-z0-9-]*\.[0-9]+",


def entry_of(wildcards):
    return canonical(CONFIG.datasets[wildcards.dataset])


def local_file_of(wildcards):
    """The file of a dataset with `source: file:PATH`; all other sources have none."""
    kind, _, path = CONFIG.datasets[wildcards.dataset]["source"].partition(":")
    return [path] if kind == "file" else []


def prepared_of(wildcards):
    return f"data/prepared/{SHARDS[wildcards.shard].dataset}.npz"


def layers_of(wildcards):
    return canonical(
        CONFIG.architectures[SHARDS[wildcards.shard].architecture]["layers"]
    )


def seconds_of(wildcards):
    return expected_seconds(CONFIG, SHARDS[wildcards.shard])
