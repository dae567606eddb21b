"""What every job shares: its log, its one message, its end, and the lock of a run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from l2audit.errors import UserError
from l2audit.pipeline import jobs
from l2audit.pipeline.environment import DECLARED, prepare_environment, same_declaration
from l2audit.pipeline.jobs import Turn

SOURCES = Path(__file__).parents[2] / "src"


def run(tmp_path: Path, body: str, options: str = "") -> tuple[int, str, str]:
    """Run `body` as a workflow script does: exit status, terminal, log."""
    start = f"from l2audit.pipeline.jobs import job\nwith job('logs/train/x.log'{options}):"
    script = f"{start}\n{textwrap.indent(body, '    ')}\n"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, (tmp_path / "logs/train/x.log").read_text(encoding="utf-8")


def test_output_goes_to_the_log_and_the_terminal_hears_that_it_is_done(tmp_path: Path) -> None:
    status, terminal, log = run(tmp_path, "import os\nprint('python')\nos.write(1, b'one\\n')\nos.write(2, b'two\\n')")
    assert status == 0
    assert terminal == "  train x: 0 s\n"
    assert sorted(log.split()) == ["one", "python", "two"]


def test_progress_may_be_shown(tmp_path: Path) -> None:
    _, terminal, log = run(tmp_path, "import sys\nprint('50 %', file=sys.stderr)", ", show_progress=True")
    assert "50 %" in terminal
    assert "50 %" not in log


def test_a_users_fault_is_one_message_without_traceback(tmp_path: Path) -> None:
    body = "from l2audit.errors import UserError\nraise UserError('is empty', file='a.csv', fix='fill it in')"
    status, terminal, log = run(tmp_path, body)
    assert status == 1
    assert terminal == "\nerror: a.csv: is empty\n  fix: fill it in\n"
    assert "Traceback" in log


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("ValueError('odd')", "error: ValueError: odd\n  traceback: logs/train/x.log"),
        ("OSError(28, 'No space left on device')", "fix: free some disk space and run the same command again"),
        ("PermissionError(13, 'Permission denied')", "fix: correct it and run the same command again"),
        ("MemoryError()", "fix: run fewer jobs at once"),
    ],
)
def test_any_other_fault_is_told_and_its_traceback_is_in_the_log(tmp_path: Path, fault: str, told: str) -> None:
    status, terminal, log = run(tmp_path, f"raise {fault}")
    assert status == 1
    assert told in terminal
    assert "Traceback" not in terminal
    assert "Traceback" in log


def test_a_log_that_cannot_be_written_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where a folder should be", encoding="utf-8")
    script = "from l2audit.pipeline.jobs import job\nwith job('logs/train/x.log'):\n    pass\n"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("\nerror: [Errno")
    assert "Traceback" not in done.stderr


def test_a_job_ends_when_its_parent_has_gone(tmp_path: Path) -> None:
    child = (
        "import os, time\nfrom l2audit.pipeline.jobs import end_with_parent\nend_with_parent(0.05)\n"
        "open('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"
    )
    parent = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)"
    running = subprocess.Popen(
        [sys.executable, "-c", parent], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(SOURCES)}
    )
    try:
        wait_until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text(encoding="utf-8")))
        pid = int((tmp_path / "pid").read_text(encoding="utf-8"))
        assert Path(f"/proc/{pid}").exists()
    finally:
        running.kill()
        running.wait()
    wait_until(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@contextlib.contextmanager
def holder(folder: Path, study: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has its turn in `folder` until it is killed."""
    steps = (f"Turn('a/lock', {study!r}).take('.')", "print('held', flush=True)", "time.sleep(60)")
    running = subprocess.Popen(
        [sys.executable, "-c", "\n".join(["import time", "from l2audit.pipeline.jobs import Turn", *steps])],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    try:
        assert running.stdout.readline() == "held\n"
        yield running
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def test_a_turn_is_held_until_the_process_ends_however_it_ends(tmp_path: Path) -> None:
    with holder(tmp_path, "mine"), pytest.raises(UserError, match="another run of the study 'mine' is under way"):
        Turn(tmp_path / "a/lock", "mine").take(tmp_path)
    Turn(tmp_path / "a/lock", "mine").take(tmp_path)


def test_a_run_of_another_study_is_waited_for_and_then_planned_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Planned before, between or after: only a plan that saw what the other run made is carried out."""
    again: list[tuple[object, ...]] = []
    monkeypatch.setattr(jobs.os, "execv", lambda *given: again.append(given))
    monkeypatch.setattr(jobs.sys, "orig_argv", ["python", "-m", "snakemake"])
    monkeypatch.chdir(tmp_path)
    before = Turn(tmp_path / "a/lock", "mine")
    with holder(tmp_path, "theirs") as other:
        during = Turn(tmp_path / "a/lock", "mine")
        threading.Timer(0.5, other.kill).start()
        during.take(tmp_path / "a")
    assert "waiting: a run of the study 'theirs' is under way" in capsys.readouterr().err
    assert again == [(sys.executable, ["python", "-m", "snakemake"])]
    assert Path.cwd() == tmp_path / "a"
    jobs._held.clear()
    before.take(tmp_path)  # had seen neither of the two
    assert len(again) == 2
    jobs._held.clear()
    Turn(tmp_path / "a/lock", "mine").take(tmp_path)
    assert len(again) == 2


def test_jobs_use_this_package_and_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", sys.executable)
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    prepare_environment(Path("here/src"))
    prepare_environment(Path("here/src"))
    assert os.environ["PYTHONPATH"].split(os.pathsep) == ["here/src", "elsewhere"]
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_a_job_that_reads_another_configuration_than_its_run_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cluster each job reads the files again, which may have been edited since the run started."""
    monkeypatch.setenv(DECLARED, "")
    same_declaration("as it was", scheduling=True)
    same_declaration("as it was", scheduling=False)
    with pytest.raises(UserError, match="edited while the study runs"):
        same_declaration("as it is", scheduling=False)
    monkeypatch.delenv(DECLARED)
    same_declaration("as it is", scheduling=False)  # nobody passed it on
