"""What every job of the workflow shares: where its output goes, how it fails, and the lock of a run."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NoReturn

from l2audit.errors import DamagedFile, UserError
from l2audit.files import write_text
from l2audit.pipeline.environment import INTERPRETER

WALL = "wall.json"  # in a study's folder of results: how long its last run from nothing took
PATIENCE = 2.0  # seconds: a lock file may still name the run before; a holder writes its name once it has the lock
_held: list[IO[str]] = []  # open for as long as the process lives: the kernel gives the lock back however it ends


def end_with_parent(every: float = 1.0) -> None:
    """End this process soon after its parent: jobs of a killed run would take the cores of the one that resumes it."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


@contextlib.contextmanager
def job(log: str | Path, *, show_progress: bool = False) -> Iterator[None]:
    """Run the body of a workflow script with all its output, TensorFlow's included, in the file `log`.

    A fault ends the script with status 1 and one message on the terminal; what no UserError tells has its traceback in
    the log. show_progress: standard error stays on the terminal.
    """
    end_with_parent()
    started, path, terminal = time.monotonic(), Path(log), os.dup(2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("w", buffering=1, encoding="utf-8")
        for descriptor in (1,) if show_progress else (1, 2):  # C++ libraries write to these as well
            os.dup2(stream.fileno(), descriptor)
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=stream)
        yield
    except DamagedFile as error:
        for damaged in error.paths:  # missing, it is made again by the next run; Snakemake does not see damage
            damaged.unlink(missing_ok=True)
        again = "run the same command again: what was removed is made anew"
        _fail(terminal, path, f"{error.problem}, and was removed\n  fix: {again}")
    except UserError as error:
        _fail(terminal, path, str(error))
    except MemoryError:
        _fail(terminal, path, "not enough memory\n  fix: run fewer jobs at once (snakemake --cores 1)")
    except OSError as error:
        first = "free some disk space" if error.errno == errno.ENOSPC else "correct it"
        fix = f"{first} and run the same command again; what was computed is kept (traceback: {path})"
        _fail(terminal, path, f"{error}\n  fix: {fix}")
    except Exception as error:
        _fail(terminal, path, f"{type(error).__name__}: {error}\n  traceback: {path}")
    parts = path.with_suffix("").parts
    name = parts[parts.index("logs") + 1 :] if "logs" in parts else parts[-1:]
    _say(terminal, f"  {' '.join(name)}: {time.monotonic() - started:.0f} s")


def _say(terminal: int, message: str) -> None:
    with contextlib.suppress(OSError):  # nobody is listening any more; the result counts all the same
        os.write(terminal, f"{message}\n".encode())


def _fail(terminal: int, log: Path, message: str) -> NoReturn:
    """Tell the fault that is being handled and end; where even the log cannot be written, the message still is."""
    _say(terminal, f"\nerror: {message}")
    with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as stream:
        stream.write(traceback.format_exc())
    raise SystemExit(1)


class Turn:
    """The turn of one run of the workflow in a folder: runs of two studies there would replace each other's data.

    The lock is the kernel's (flock), not the file's existence: a run that was killed leaves nothing to clean up. The
    file names the study that holds it, and counts the turns. Made while Snakemake reads the workflow, before it plans;
    taken when it has planned and is about to run its first job.
    """

    def __init__(self, path: str | Path, study: str) -> None:
        self.path, self.study = Path(path), study
        self._seen, _ = self._read()
        self._was_busy = False
        with contextlib.suppress(FileNotFoundError), self.path.open(encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                self._was_busy = True

    def take(self, started_in: str | Path) -> None:
        """Hold the lock for the life of this process. A run of another study is waited for.

        What another run has made since this one was planned makes the plan stale: the process then starts again, with
        its own command line, in the folder `started_in`. UserError: the same study is under way.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stream = self.path.open("a+", encoding="utf-8")
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if self._read()[1] == self.study:
                if time.monotonic() > deadline:
                    stream.close()
                    problem = f"another run of the study '{self.study}' is under way in this folder"
                    raise UserError(problem, fix="wait for it to end, or stop it")
                time.sleep(0.1)
                continue
            message = f"waiting: a run of the study '{self._read()[1]}' is under way in this folder (Ctrl-C gives up)"
            print(message, file=sys.stderr, flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
            break
        turns = self._read()[0]
        stream.truncate(0)
        stream.write(json.dumps([turns + 1, self.study]))
        stream.flush()
        if self._was_busy or turns != self._seen:
            sys.stdout.flush()
            os.chdir(started_in)
            os.execv(INTERPRETER, sys.orig_argv)  # gives the lock back: the new process takes its own turn
        _held.append(stream)

    def _read(self) -> tuple[int, str]:
        """How many turns were taken, and the study of the last."""
        try:
            turns, study = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0, ""
        return int(turns), str(study)


def note_wall(path: str | Path, started: float, cores: int, tables: Iterable[str | Path]) -> None:
    """Write how long a run of the workflow took to `path`, if the run trained the whole study.

    started: when Snakemake's process began, in seconds since the epoch. tables: Snakemake's benchmark of every training
    job. The file holds cores, jobs, seconds, and training_seconds, the sum over the jobs.
    """
    finished, files = time.time(), [Path(table) for table in tables]
    if any(not file.exists() or file.stat().st_mtime < started for file in files):
        return
    measured = [seconds for file in files if (seconds := benchmarked_seconds(file)) is not None]
    if len(measured) < len(files):
        return
    took, training = round(finished - started, 1), round(sum(measured), 1)
    wall = {"cores": cores, "jobs": len(files), "seconds": took, "training_seconds": training}
    write_text(path, json.dumps(wall, sort_keys=True, indent=1) + "\n")


def benchmarked_seconds(table: Path) -> float | None:
    """Seconds that one job took, from Snakemake's benchmark of it; None if the file is empty or damaged."""
    with table.open(encoding="utf-8", newline="") as stream:
        try:
            return float(next(csv.DictReader(stream, delimiter="\t"))["s"])
        except (StopIteration, KeyError, TypeError, ValueError, csv.Error):
            return None
