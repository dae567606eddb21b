"""Jobs that run again: what was trained is taken, what changed is trained, and the files are those of a fresh run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l2audit.config.study import CLEAN
from l2audit.data.arrays import Prepared
from l2audit.data.split import Sizes
from l2audit.files import sha256_of
from l2audit.plan import Job, Shard
from l2audit.runs import shard as training
from l2audit.runs.kept import Kept, Trained
from l2audit.runs.results import provenance_of
from l2audit.runs.shard import train_job

ORIGIN = {"code_sha256": "c", "data_sha256": "d", "registration_sha256": "r"}
FILES = ("runs", "predictions")
SETTLED = ["toy.0.predictions.parquet", "toy.0.runs.parquet"]


def shard_of(arm: str, beta: float = 0.1, seeds: tuple[int, ...] = (0, 1)) -> Shard:
    return Shard(
        shard_id=f"toy.{arm}.0",
        dataset="toy",
        arm=arm,
        primary=True,
        architecture=arm,
        losses=("squared",),
        penalty="l2",
        betas=(0.0, beta),
        optimizer="exact",
        scaling="clean",
        contaminations=(CLEAN,),
        seeds=seeds,
        task="regression",
        role="study",
        layers=(),
        rows=Sizes(20, 10, 10),
        schedule=None,
    )


JOB = Job("toy.0", (shard_of("a"), shard_of("b"), shard_of("c")))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arms that were really trained, in order."""
    arms: list[str] = []
    original = training.train_shard

    def noted(shard: Shard, *given: Any) -> Trained:
        arms.append(shard.arm)
        return original(shard, *given)

    monkeypatch.setattr(training, "train_shard", noted)
    return arms


def run(folder: Path, job: Job = JOB, **changes: str) -> list[str]:
    """Run a job as its script does: SHA-256 of the two files."""
    folder.mkdir(exist_ok=True)
    X = np.random.default_rng(0).normal(size=(40, 3))
    kept, files = Kept(folder / "kept", job.dataset), [folder / f"{job.job_id}.{kind}" for kind in FILES]
    for file in files:
        file.unlink(missing_ok=True)  # as Snakemake does
    train_job(job, Prepared("toy", "regression", X, X.sum(axis=1)), {**ORIGIN, **changes}, kept).write(*files)
    kept.settle(job, *files)
    return [sha256_of(file) for file in files]


def kept_files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "kept").iterdir())


def test_a_job_that_runs_again_trains_nothing_and_writes_the_same_bytes(tmp_path: Path, trained: list[str]) -> None:
    first = run(tmp_path)
    assert (trained, kept_files(tmp_path)) == (["a", "b", "c"], SETTLED)
    assert run(tmp_path) == first
    assert trained == ["a", "b", "c"]
    assert run(tmp_path / "fresh") == first


def test_what_is_kept_of_a_finished_job_takes_no_space(tmp_path: Path) -> None:
    run(tmp_path)
    for kind in FILES:
        assert (tmp_path / f"toy.0.{kind}").samefile(tmp_path / f"kept/toy.0.{kind}.parquet")


def test_a_file_system_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("os.link", refused)
    run(tmp_path)
    assert sha256_of(tmp_path / "kept/toy.0.runs.parquet") == sha256_of(tmp_path / "toy.0.runs")


def test_only_the_arms_that_changed_are_trained_again(tmp_path: Path, trained: list[str]) -> None:
    run(tmp_path)
    changed = Job("toy.0", (*JOB.shards[:2], shard_of("c", beta=0.2), shard_of("d")))
    trained.clear()
    found = run(tmp_path, changed)
    assert trained == ["c", "d"]
    assert run(tmp_path / "fresh", changed) == found


def test_another_grouping_trains_nothing(tmp_path: Path, trained: list[str]) -> None:
    run(tmp_path)
    trained.clear()
    for number, shard in enumerate(JOB.shards[::-1]):
        run(tmp_path, Job(f"toy.{number + 1}", (shard,)))
    assert trained == []


@pytest.mark.parametrize("key", ["code_sha256", "data_sha256", "packages"])
def test_other_code_data_or_packages_train_all_again(
    key: str, tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path)
    trained.clear()
    if key == "packages":
        monkeypatch.setattr(training, "installed", lambda names: dict.fromkeys(names, "0.0.1"))
        run(tmp_path)
    else:
        run(tmp_path, **{key: "other"})
    assert trained == ["a", "b", "c"]


def test_another_registration_trains_nothing_and_shards_say_theirs(tmp_path: Path, trained: list[str]) -> None:
    run(tmp_path)
    trained.clear()
    run(tmp_path, Job("toy.0", (*JOB.shards, shard_of("d"))), registration_sha256="new")
    assert trained == ["d"]
    shards = provenance_of(tmp_path / "toy.0.runs")["shards"]
    assert [shards[name]["registration_sha256"] for name in sorted(shards)] == ["r", "r", "r", "new"]


def test_a_job_that_was_killed_goes_on_where_it_was(
    tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = training.train_shard

    def killed(shard: Shard, *given: Any) -> Trained:
        if shard.arm == "c":
            raise KeyboardInterrupt
        return noted(shard, *given)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_shard", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    assert trained == ["a", "b"]
    found = run(tmp_path)
    assert (trained, kept_files(tmp_path)) == (["a", "b", "c"], SETTLED)
    assert run(tmp_path / "fresh") == found


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("how", ["cut", "gone", "of another job"])
def test_what_is_damaged_is_trained_again(how: str, kind: str, tmp_path: Path, trained: list[str]) -> None:
    whole = run(tmp_path)
    file = tmp_path / f"kept/toy.0.{kind}.parquet"
    content = file.read_bytes()
    file.unlink()
    if how == "cut":
        file.write_bytes(content[:-1])
    elif how == "of another job":
        run(tmp_path / "other", Job("toy.0", tuple(replace(one, seeds=(5,)) for one in JOB.shards)))
        file.write_bytes((tmp_path / f"other/toy.0.{kind}").read_bytes())
    trained.clear()
    assert run(tmp_path) == whole
    assert trained == ["a", "b", "c"]
