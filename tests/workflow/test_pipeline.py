"""The whole workflow on a tiny study: it makes its page, and each edit redoes what depends on it and nothing else."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from l2audit import stored
from repository_copy import PERMUTED, REPOSITORY, ROBUST_ARM, TINY, Copy

EVIDENCE = (
    "runs.parquet",
    "effects.parquet",
    "summary.parquet",
    "answers.parquet",
    "identities.json",
    "oracles.json",
    "verdicts.json",
    "specifications.json",
    "provenance.json",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of the repository in which the study `tiny` was run to its end."""
    copy = Copy.make(tmp_path_factory.mktemp("finished") / "repository")
    outcome = copy.snakemake()
    assert outcome.status == 0, outcome.text
    copy.write("terminal.txt", outcome.text)
    return copy


@pytest.fixture
def copy(finished: Copy, tmp_path: Path) -> Copy:
    """A copy of the finished study, to edit."""
    return finished.duplicate(tmp_path / "repository")


def digests(copy: Copy) -> dict[str, str]:
    paths = [copy.root / "results/tiny" / name for name in EVIDENCE] + [copy.root / "report/tiny.html"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_study_makes_its_page_and_its_evidence(finished: Copy) -> None:
    assert "A study for tests" in finished.read("report/tiny.html")
    assert all((finished.root / "results/tiny" / name).stat().st_size > 0 for name in EVIDENCE)


def test_it_ends_by_printing_the_verdicts_and_the_path_of_the_page(finished: Copy) -> None:
    terminal = finished.read("terminal.txt")
    assert "claim" in terminal
    assert "too small for verdicts" in terminal
    assert "The page: report/tiny.html" in terminal


def test_it_shows_progress_and_names_the_jobs(finished: Copy) -> None:
    terminal = finished.read("terminal.txt")
    assert "(100%) done" in terminal
    assert "  train iris.0: " in terminal


def test_every_planned_run_is_there_once(finished: Copy) -> None:
    runs = pq.read_table(finished.root / "results/tiny/runs.parquet").to_pandas()
    assert len(runs) == 2 * 3 * 2 + 2 * 2 * 2 * 2 + 2 * 3 * 2  # iris linear, diabetes linear, iris mlp-32
    assert runs["run_id"].is_unique
    assert set(runs["status"]) == {"ok"}


def test_every_job_has_a_log_and_a_benchmark(finished: Copy) -> None:
    for job in ("iris.0", "diabetes.0"):
        assert (finished.root / f"results/tiny/logs/train/{job}.log").exists()
        assert finished.read(f"results/tiny/benchmarks/train/{job}.tsv").startswith("s\t")


def test_provenance_tells_the_code_of_every_stage(finished: Copy) -> None:
    provenance = json.loads(finished.read("results/tiny/provenance.json"))
    assert set(provenance["code_sha256"]) == {path.stem for path in (REPOSITORY / "scripts").glob("*.py")}
    assert provenance["runs"]["by_status"] == {"ok": 40}
    (trained,) = provenance["runs"]["trained_with"]
    assert (trained["shards"], trained["packages"]["numpy"]) == (3, np.__version__)


def everything_in(path: Path) -> str:
    """A result file as text: of a Parquet file all cells and all metadata, of arrays those that are words."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return f"{table.schema.metadata} {table.to_pydict()}"
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return " ".join(str(arrays[name]) for name in arrays if arrays[name].dtype.kind == "U")
    return path.read_text(encoding="utf-8")


def test_no_result_tells_on_which_machine_or_where_it_was_made(finished: Copy) -> None:
    """Logs and benchmarks may."""
    places = {str(finished.root.parent), f"{Path.home()}/", sys.prefix}
    private = re.compile("|".join([*map(re.escape, places), rf"\b{re.escape(socket.gethostname())}\b"]))
    made = [path for folder in ("data", "results", "report") for path in (finished.root / folder).rglob("*")]
    results = [path for path in made if path.is_file() and not {"logs", "benchmarks"} & set(path.parts)]
    assert {".html", ".json", ".npz", ".parquet", ".csv"} <= {path.suffix for path in results}
    for path in results:
        assert private.search(everything_in(path)) is None, path


def test_the_same_command_again_does_nothing(finished: Copy) -> None:
    outcome = finished.snakemake()
    assert outcome.status == 0
    assert "Nothing to be done" in outcome.text


def test_nothing_is_left_half_written(finished: Copy) -> None:
    assert not list(finished.root.rglob("*.part"))


def test_without_snakemakes_memory_nothing_is_redone(copy: Copy) -> None:
    shutil.rmtree(copy.root / ".snakemake")
    assert copy.jobs() == {}


def test_what_changes_no_result_redoes_nothing(copy: Copy) -> None:
    """The order of lists, plumbing, and a module that was touched but not changed."""
    assert yaml.safe_load(PERMUTED) != yaml.safe_load(TINY)
    copy.write("config/studies/tiny.yaml", PERMUTED)
    for module in ("pipeline/jobs.py", "errors.py", "cli.py", "config/studies.py", "pipeline/check.py"):
        copy.write(f"src/l2audit/{module}", copy.read(f"src/l2audit/{module}") + "\n# changed\n")
    (copy.root / "src/l2audit/contamination.py").touch()
    assert copy.jobs() == {}


def test_the_order_of_lists_and_of_jobs_does_not_change_a_byte(copy: Copy) -> None:
    before = digests(copy)
    shutil.rmtree(copy.root / "results")
    shutil.rmtree(copy.root / "report")
    copy.write("config/studies/tiny.yaml", PERMUTED)
    outcome = copy.snakemake("--cores", "1")
    assert outcome.status == 0, outcome.text
    assert digests(copy) == before


def test_another_beta_retrains_the_shards_that_use_it(copy: Copy) -> None:
    copy.edit("config/studies/tiny.yaml", "linear:\n    betas: [0, 0.01]", "linear:\n    betas: [0, 0.1]")
    jobs = copy.jobs()
    assert jobs["train"] == 2
    assert not {"download", "prepare", "identities", "oracles"} & set(jobs)


def test_another_dataset_trains_that_one_only(copy: Copy) -> None:
    copy.edit("config/studies/tiny.yaml", "[iris, diabetes]", "[iris, diabetes, wine]")
    jobs = copy.jobs()
    assert (jobs["download"], jobs["prepare"], jobs["train"], jobs["collect"]) == (1, 1, 1, 1)


def test_another_arm_trains_its_own_shard_and_leaves_the_verdicts_alone(copy: Copy) -> None:
    before = digests(copy)
    copy.write("config/studies/tiny.yaml", TINY + ROBUST_ARM)
    assert copy.jobs()["train"] == 1
    outcome = copy.snakemake()
    assert outcome.status == 0, outcome.text
    log = copy.read("results/tiny/logs/train/iris.0.log")
    trained = [line.split()[-2].rstrip(":") for line in log.splitlines() if line.endswith(": training")]
    assert trained == ["iris.robust.0"]
    runs = pq.read_table(copy.root / "results/tiny/runs.parquet").to_pandas()
    robust = runs[runs["arm"] == "robust"]
    assert len(robust) == 2 * 2 * 2
    assert set(robust["scaling"]) == {"robust"}
    assert len(runs) == 40 + len(robust)
    after = digests(copy)
    assert {name for name in before if after[name] == before[name]} >= {"effects.parquet", "summary.parquet"}


def test_every_run_keeps_its_predictions(finished: Copy) -> None:
    folder = finished.root / "results/tiny"
    jobs = {path.name for path in (folder / "trained").iterdir()}
    assert {path.name for path in (folder / "predictions").iterdir()} == jobs
    ids = [one for name in jobs for one in pq.read_table(folder / "predictions" / name)["run_id"].to_pylist()]
    assert sorted(ids) == sorted(pq.read_table(folder / "runs.parquet")["run_id"].to_pylist())


def test_another_title_remakes_the_page_and_nothing_before_it(copy: Copy) -> None:
    copy.edit("config/studies/tiny.yaml", "A study for tests", "Another title")
    assert copy.jobs() == {"provenance": 1, "report": 1}


def test_another_registration_judges_again_and_trains_nothing(copy: Copy) -> None:
    copy.edit("config/claims.yaml", "alpha: 0.05", "alpha: 0.01")
    before = json.loads(copy.read("results/tiny/verdicts.json"))
    trained = {path: path.stat().st_mtime_ns for path in (copy.root / "results/tiny/trained").iterdir()}
    assert set(copy.jobs()) == {"estimate", "judge", "answers", "specify", "provenance", "report"}
    outcome = copy.snakemake("results/tiny/verdicts.json")
    assert outcome.status == 0, outcome.text
    after = json.loads(copy.read("results/tiny/verdicts.json"))
    assert after["constants"]["alpha"] == 0.01
    assert after["registration_sha256"] != before["registration_sha256"]
    assert before["registered"]["status"] == "before training"
    assert before["registered"]["shards"] == {before["registration_sha256"]: 3}
    assert after["registered"]["status"] == "changed after training"
    assert after["registered"]["shards"] == {before["registration_sha256"]: 3}
    assert after["registered"]["present"] == after["registration_sha256"]
    assert {path: path.stat().st_mtime_ns for path in trained} == trained


def test_other_choices_are_judged_again_and_nothing_else(copy: Copy) -> None:
    copy.edit(
        "config/specifications.yaml", "name: double, times: 2, reason: only", "name: double, times: 2.5, reason: only"
    )
    assert copy.jobs() == {"specify": 1, "provenance": 1, "report": 1}


def test_shards_trained_after_the_change_carry_the_new_registration(copy: Copy) -> None:
    copy.edit("config/claims.yaml", "alpha: 0.05", "alpha: 0.01")
    copy.edit("config/studies/tiny.yaml", "[iris, diabetes]", "[iris, diabetes, wine]")
    outcome = copy.snakemake()
    assert outcome.status == 0, outcome.text
    verdicts = json.loads(copy.read("results/tiny/verdicts.json"))
    assert sorted(verdicts["registered"]["shards"].values()) == [1, 3]
    assert verdicts["registered"]["shards"][verdicts["registration_sha256"]] == 1
    assert "The registration was changed after training" in copy.read("report/tiny.html")
    assert "The registration was changed after training" in outcome.text


def test_changed_science_retrains(copy: Copy) -> None:
    copy.edit("src/l2audit/contamination.py", "LEVERAGE = 3.0", "LEVERAGE = 4.0")
    assert copy.jobs()["train"] == 2


def test_a_changed_template_remakes_the_page_only(copy: Copy) -> None:
    templates = sorted((copy.root / "src/l2audit/report/templates").glob("*.css"))
    assert templates
    templates[0].write_text(templates[0].read_text(encoding="utf-8") + "\n/* changed */\n", encoding="utf-8")
    assert copy.jobs() == {"provenance": 1, "report": 1}


def test_shards_of_other_code_are_named_removed_and_trained_again(copy: Copy) -> None:
    """As after a mixture of two folders, when .snakemake is lost: Snakemake cannot know, the files do."""
    before = digests(copy)
    path = copy.root / "results/tiny/trained/iris.0.parquet"
    table = stored.read_table(path)
    key, value = next(iter(table.schema.metadata.items()))
    code = next(iter(json.loads(value)["shards"].values()))["code_sha256"].encode()
    shutil.rmtree(copy.root / "results/tiny/kept")
    stored.write_table(table.replace_schema_metadata({key: value.replace(code, b"f" * 64)}), path)
    outcome = copy.snakemake("--forcerun", "collect")
    assert outcome.status == 1
    assert f"error: {path.relative_to(copy.root)}: trained by another plan, by other code" in outcome.text
    assert "Traceback" not in outcome.text
    outcome = copy.snakemake()
    assert outcome.status == 0, outcome.text
    assert digests(copy) == before


def test_a_study_without_verdicts_is_not_published(copy: Copy) -> None:
    outcome = copy.snakemake("publish", "--dry-run")
    assert outcome.status == 1
    assert "publish" in outcome.text
    assert not (copy.root / "report/published").exists()


def test_the_page_is_rebuilt_from_stored_results_to_the_byte(copy: Copy) -> None:
    before = (copy.root / "report/tiny.html").read_bytes()
    (copy.root / "report/tiny.html").unlink()
    outcome = copy.l2audit("report", "tiny")
    assert outcome.status == 0, outcome.text
    assert outcome.text.strip() == "report/tiny.html: rebuilt from results/tiny"
    assert (copy.root / "report/tiny.html").read_bytes() == before


def test_the_plan_uses_measured_times(copy: Copy) -> None:
    outcome = copy.l2audit("plan", "tiny")
    assert outcome.status == 0
    assert "40 models in 2 jobs." in outcome.text
    assert "(from earlier runs)" in outcome.text
