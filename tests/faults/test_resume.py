"""Runs that are interrupted, doubled or broken: the same command again finishes, and no file is ever half there."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from repository_copy import Copy

LOCK = ".snakemake/l2audit.lock"
RUNS = "results/tiny/runs.parquet"  # the target of most tests: what comes after it is as safe and takes longer


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which the data of the study `tiny` are prepared and nothing is trained; linear models only."""
    copy = Copy.make(tmp_path_factory.mktemp("prepared") / "repository")
    text = copy.read("config/studies/tiny.yaml")
    start, end = text.index("  mlp-32:"), text.index("contaminations:")
    copy.write("config/studies/tiny.yaml", text[:start] + text[end:])
    outcome = copy.snakemake("data/prepared/iris.npz", "data/prepared/diabetes.npz")
    assert outcome.status == 0, outcome.text
    return copy


@pytest.fixture
def copy(prepared: Copy, tmp_path: Path) -> Copy:
    """A copy of it, to interrupt."""
    return prepared.duplicate(tmp_path / "repository")


def wait_for(what: Callable[[], bool], running: subprocess.Popen[bytes], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        assert running.poll() is None, "the run ended too early"
        time.sleep(0.02)


def is_locked(copy: Copy) -> bool:
    path = copy.root / LOCK
    if not path.exists():
        return False
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def jobs_of(pid: int) -> list[int]:
    """The job processes of a Snakemake process, whichever of its threads started them."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended since it was listed
            found += [int(one) for one in (task / "children").read_text(encoding="utf-8").split()]
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def hold_training(copy: Copy) -> None:
    """Make every training job wait for the file `go`, so that it can be interrupted however slow the machine is."""
    wait = "    import time\n\n    while not Path('go').exists():\n        time.sleep(0.1)\n"
    copy.edit("scripts/train.py", "    planned = Job", f"{wait}    planned = Job")


def test_after_a_kill_the_same_command_finishes(copy: Copy) -> None:
    hold_training(copy)
    running = copy.start()
    wait_for(lambda: is_locked(copy) and len(jobs_of(running.pid)) == 2, running)
    orphans = jobs_of(running.pid)

    second = copy.snakemake()
    assert second.status != 0
    assert "error: another run of the study 'tiny' is under way in this folder" in second.text
    assert "Traceback" not in second.text
    assert copy.snakemake("--dry-run").status == 0

    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    copy.write("go", "")
    outcome = copy.snakemake()
    assert outcome.status == 0, outcome.text
    assert "The page: report/tiny.html" in outcome.text
    assert not any(is_alive(pid) for pid in orphans)
    assert "Nothing to be done" in copy.snakemake().text


def test_after_ctrl_c_the_same_command_finishes(copy: Copy) -> None:
    hold_training(copy)
    running = copy.start(RUNS)
    wait_for(lambda: is_locked(copy) and len(jobs_of(running.pid)) == 2, running)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to Snakemake and to its jobs
    running.wait(timeout=60)
    assert running.returncode != 0
    copy.write("go", "")
    outcome = copy.snakemake(RUNS)
    assert outcome.status == 0, outcome.text


def test_a_broken_job_does_not_stop_the_others(copy: Copy) -> None:
    (copy.root / "data/prepared/iris.npz").write_bytes(b"not an archive")
    outcome = copy.snakemake(RUNS)
    assert outcome.status == 1
    assert "error: data/prepared/iris.npz: not a prepared dataset" in outcome.text
    assert "fix: delete the file and run the workflow again" in outcome.text
    assert (copy.root / "results/tiny/trained/diabetes.0.parquet").exists()
    (copy.root / "data/prepared/iris.npz").unlink()
    assert copy.snakemake(RUNS).status == 0


def test_a_full_disk_is_told_and_costs_nothing_computed(copy: Copy) -> None:
    """A job whose writes fail with ENOSPC ends with one message; what is there stays, and the same command goes on."""
    line = "    kept.settle("
    full = f"    if 'iris' in params.job:\n        raise OSError(28, 'No space left on device')\n{line}"
    copy.edit("scripts/train.py", line, full)
    outcome = copy.snakemake(RUNS)
    assert outcome.status == 1
    assert "No space left on device" in outcome.text
    assert "fix: free some disk space and run the same command again; what was computed is kept" in outcome.text
    assert "Traceback" not in outcome.text
    kept = copy.root / "results/tiny/trained/diabetes.0.parquet"
    assert kept.exists()
