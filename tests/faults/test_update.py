"""Updates that fail: whatever is killed, deleted or damaged, the same command again makes what a fresh run would."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from repository_copy import Copy

MINI = """\
name: {name}
title: A study for tests
verdicts: false
datasets: [iris, diabetes]
architectures:
  linear:
    betas: [0, 0.01]
    losses: {{classification: [cross_entropy], regression: [squared]}}
contaminations:
  classification: [{{kind: sym, rate: 0.2}}]
  regression: [{{kind: vert, rate: 0.1, magnitude: 10}}]
seeds: 2
penalty: l2
optimizer: adam
rows: {{train: 50, validation: 30, test: 40}}
training: {{learning_rate: 0.01, steps: 20, batch: 16}}
"""
ROUNDS = (
    # Rules of one round do not depend on each other, so a run gets to all of them.
    *(("plan", "identities", "oracles", "download"), ("prepare",), ("train",), ("collect",), ("estimate", "answers")),
    *(("judge", "specify"), ("provenance",), ("report",)),
)
RULES = {rule for rules in ROUNDS for rule in rules}
HOOK = """
    rule = Path(log).with_suffix("").parts[Path(log).parts.index("logs") + 1]
    while Path(f"hold-{rule}").exists():
        Path("held").touch()
        time.sleep(0.1)
    if Path(f"kill-{rule}").exists():
        Path(f"kill-{rule}").unlink()
        os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which the study `mini` was run to its end, and whose jobs kill themselves where a file asks for it."""
    copy = Copy.make(tmp_path_factory.mktemp("finished") / "repository")
    copy.write("config/studies/mini.yaml", MINI.format(name="mini"))
    # jobs.py is in the hash of no rule, so that this alone redoes nothing.
    copy.edit("src/l2audit/pipeline/jobs.py", "    end_with_parent()\n", f"    end_with_parent()\n{HOOK}")
    outcome = copy.snakemake(study="mini")
    assert outcome.status == 0, outcome.text
    return copy


@pytest.fixture
def copy(finished: Copy, tmp_path: Path) -> Copy:
    """A copy of it, to update."""
    return finished.duplicate(tmp_path / "repository")


def results(copy: Copy, study: str = "mini") -> dict[str, str]:
    """SHA-256 of every file that a study made, its data included; logs and times are no results."""
    roots = [copy.root / "results" / study, copy.root / "data/prepared", copy.root / "report"]
    files = [path for root in roots for path in root.rglob("*") if path.is_file() and path.name != "wall.json"]
    return {
        str(path.relative_to(copy.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not {"logs", "benchmarks", "kept"} & set(path.parts) and not path.name.startswith(".")
    }


def planned(copy: Copy) -> set[str]:
    """Rules of which a job would run now."""
    outcome = copy.snakemake("--dry-run", study="mini")
    assert outcome.status == 0, outcome.text
    return {word for line in outcome.text.splitlines() for word in line.split()[:1] if word in RULES}


def update(copy: Copy) -> None:
    """Change something that each rule depends on."""
    copy.edit("config/studies/mini.yaml", "train: 50", "train: 48")
    copy.edit("config/datasets.yaml", "description: ", "description: Changed. ")
    copy.edit("config/claims.yaml", "alpha: 0.05", "alpha: 0.01")
    copy.edit("src/l2audit/seeds.py", '"""A 128-bit seed', '"""One 128-bit seed')


@pytest.fixture(scope="module")
def updated(finished: Copy, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The results of the new configuration, made from nothing."""
    fresh = finished.duplicate(tmp_path_factory.mktemp("updated") / "repository")
    for folder in ("results", "data", "report", ".snakemake"):
        shutil.rmtree(fresh.root / folder)
    update(fresh)
    outcome = fresh.snakemake(study="mini")
    assert outcome.status == 0, outcome.text
    return results(fresh)


def test_a_kill_at_any_rule_of_an_update_leaves_nothing_old(copy: Copy, updated: dict[str, str]) -> None:
    """One job of each rule is killed in turn, each time by another run of the same command; once all of a run is."""
    before = results(copy)
    update(copy)
    for rules in ROUNDS:
        for rule in rules:
            copy.write(f"kill-{rule}", "")
        outcome = copy.snakemake(study="mini")
        assert outcome.status == 1, f"{rules}: {outcome.text}"
        assert "The page:" not in outcome.text
        left = [rule for rule in rules if (copy.root / f"kill-{rule}").exists()]
        assert left == [], f"no job of them ran, though the last run failed before: {outcome.text}"
        if rules == ("train",):
            terminated_while_training(copy)
    outcome = copy.snakemake(study="mini")
    assert outcome.status == 0, outcome.text
    assert results(copy) == updated
    assert before != updated
    assert planned(copy) == set()


def terminated_while_training(copy: Copy) -> None:
    """SIGTERM to every process, as from a batch system that ends a job, or a machine that shuts down."""
    copy.write("hold-train", "")
    running = copy.start(study="mini")
    wait_until((copy.root / "held").exists)
    os.killpg(running.pid, signal.SIGTERM)
    assert running.wait(timeout=120) != 0
    (copy.root / "hold-train").unlink()


def wait_until(what: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


MADE_BY = {
    "results/mini/plan.json": "plan",
    "results/mini/trained/iris.0.parquet": "train",
    "results/mini/predictions/iris.0.parquet": "train",
    "results/mini/runs.parquet": "collect",
    "results/mini/effects.parquet": "estimate",
    "results/mini/summary.parquet": "estimate",
    "results/mini/answers.parquet": "answers",
    "results/mini/verdicts.json": "judge",
    "results/mini/specifications.json": "specify",
    "results/mini/identities.json": "identities",
    "results/mini/oracles.json": "oracles",
    "results/mini/provenance.json": "provenance",
    "report/mini.html": "report",
}


def test_whatever_file_is_deleted_is_made_again(copy: Copy) -> None:
    whole = results(copy)
    assert {name for name in whole if not name.startswith("data/") and "diabetes" not in name} == set(MADE_BY)
    for name, rule in MADE_BY.items():
        aside = copy.root / "aside"
        times = (copy.root / name).stat()
        shutil.move(copy.root / name, aside)
        assert rule in planned(copy), name
        shutil.move(aside, copy.root / name)
        os.utime(copy.root / name, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert planned(copy) == set()
    shutil.rmtree(copy.root / "results/mini/trained")
    shutil.rmtree(copy.root / "results/mini/kept")
    (copy.root / "results/mini/verdicts.json").unlink()
    outcome = copy.snakemake(study="mini")
    assert outcome.status == 0, outcome.text
    assert results(copy) == whole


def test_damaged_files_are_made_again(copy: Copy) -> None:
    """Each command names the damaged files that it met and removes them; the last one finishes."""
    whole = results(copy)
    trained = "results/mini/trained/iris.0.parquet"
    others = [name for name in MADE_BY if name.startswith("results") and "/trained/" not in name]
    for name in [trained, *others]:
        path = copy.root / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    told = ""
    for _ in range(6):
        outcome = copy.snakemake(study="mini")
        assert "Traceback" not in outcome.text
        assert outcome.text.count("\nerror: ") == outcome.text.count("fix: run the same command again: ")
        told += outcome.text
        if outcome.status == 0:
            break
    assert outcome.status == 0, outcome.text
    assert f"error: {trained}: damaged or not whole, and was removed" in told
    assert results(copy) == whole


def test_a_page_of_the_published_results_is_no_page_of_ones_own(copy: Copy) -> None:
    """Rebuilding a page before the study was run must not make Snakemake think that it was."""
    shutil.copytree(Path(__file__).parents[2] / "report/published", copy.root / "report/published")
    outcome = copy.l2audit("report", "study-1")
    assert outcome.status == 0, outcome.text
    assert not (copy.root / "report/study-1.html").exists()
    assert "report/study-1.published.html: as it was published in report/published/study-1" in outcome.text
    (copy.root / "results/mini/verdicts.json").unlink()
    outcome = copy.l2audit("report", "mini")
    assert outcome.status == 1
    assert "fix: make them: snakemake --cores all --config study=..." in outcome.text


def test_a_page_is_not_made_of_the_files_of_two_runs(copy: Copy) -> None:
    """An update that ended after `judge` and before `specify`: every file is there, and they do not belong together."""
    path = copy.root / "results/mini/verdicts.json"
    path.write_text(path.read_text(encoding="utf-8").replace("inconclusive", "supported", 1), encoding="utf-8")
    for command in ("report", "table"):
        outcome = copy.l2audit(command, "mini")
        assert outcome.status == 1
        assert "results/mini/verdicts.json: is not the file that provenance.json beside it names" in outcome.text
        assert "fix: finish the study: run the same snakemake command again" in outcome.text


def test_copied_results_of_another_configuration_are_not_taken_for_ones_own(copy: Copy) -> None:
    """Without .snakemake Snakemake does not know what made them; the hash of the configuration does."""
    shutil.rmtree(copy.root / ".snakemake")
    for script in (copy.root / "scripts").glob("*.py"):
        script.touch()
    outcome = copy.snakemake(study="mini")
    assert outcome.status == 0, outcome.text
    assert "Nothing to be done" in outcome.text
    assert outcome.text.strip().endswith("The page: report/mini.html")
    copy.edit("config/studies/mini.yaml", "train: 50", "train: 48")
    outcome = copy.snakemake(study="mini")
    assert outcome.status == 1
    assert "results/mini: are not the results of the present configuration" in outcome.text
    assert "fix: make them again: run the same command with --forceall" in outcome.text
    outcome = copy.snakemake("--forceall", "--dry-run", study="mini")
    assert set(outcome.text.split()) >= RULES


def test_data_of_another_entry_are_not_trained_on(copy: Copy) -> None:
    """Without .snakemake and results, what was prepared before an entry changed is there still."""
    whole = results(copy)
    copy.edit("config/datasets.yaml", "description: ", "description: Changed. ")
    shutil.rmtree(copy.root / ".snakemake")
    shutil.rmtree(copy.root / "results")
    for _ in range(5):
        outcome = copy.snakemake("results/mini/runs.parquet", study="mini")
        if outcome.status == 0:
            break
        assert "made of another entry, local file or code than is declared now, and was removed" in outcome.text
    assert outcome.status == 0, outcome.text
    assert results(copy)["data/prepared/iris.json"] != whole["data/prepared/iris.json"]


def test_scripts_that_were_only_touched_redo_nothing(copy: Copy) -> None:
    for path in [*(copy.root / "scripts").iterdir(), *(copy.root / "workflow").rglob("*.smk")]:
        path.touch()
    assert planned(copy) == set()


def test_training_twice_gives_the_same_bytes(copy: Copy) -> None:
    whole = results(copy)
    shutil.rmtree(copy.root / "results/mini/kept")
    outcome = copy.snakemake("--forcerun", "train", study="mini")
    assert outcome.status == 0, outcome.text
    assert results(copy) == whole


def test_two_studies_started_together_both_finish(copy: Copy) -> None:
    """They share data/: each waits for the other, and plans anew what the other has made."""
    for name in ("mini", "other"):
        copy.write(f"config/studies/{name}.yaml", MINI.format(name=name).replace("train: 50", "train: 44"))
    for folder in ("results", "data", "report", ".snakemake"):
        shutil.rmtree(copy.root / folder)
    both = {
        name: copy.start(f"results/{name}/effects.parquet", study=name, log=f"{name}.log") for name in ("mini", "other")
    }
    for name, running in both.items():
        assert running.wait(timeout=600) == 0, copy.read(f"{name}.log")
    logs = [copy.read(f"{name}.log") for name in both]
    assert sum("waiting: a run of the study" in log for log in logs) == 1
    assert sum("localrule prepare" in log or "prepare iris" in log for log in logs) == 1  # the data were prepared once
    made = [hashlib.sha256((copy.root / f"results/{name}/effects.parquet").read_bytes()).hexdigest() for name in both]
    assert made[0] == made[1]
    assert not {"download", "prepare", "train"} & planned(copy)


def test_a_new_claim_trains_nothing_and_shards_say_what_they_were_trained_under(copy: Copy) -> None:
    before = json.loads(copy.read("results/mini/verdicts.json"))["registered"]
    assert before["status"] == "before training"
    copy.edit("config/claims.yaml", "alpha: 0.05", "alpha: 0.01")
    assert "train" not in planned(copy)
