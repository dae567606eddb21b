"""Contenders as processes of their own: each with its environment and threads, several of them side by side.

A contender is started once and then asked again and again, so that the rounds of a measurement can go A B A B and no
round pays for imports.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.workload import ROOT
from l2audit.errors import UserError
from l2audit.pipeline.environment import PLAIN_THREADS

CHOSEN_FOR_US = ("OMP_", "OPENBLAS_", "MKL_", "TF_", "XLA_", "JAX_", "KERAS_", "PYTHONPATH")
TAIL = 15  # lines of a failed contender's log


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def plain_environment() -> dict[str, str]:
    """The environment without what could set threads or choose kernels: what a user has who sets nothing."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(CHOSEN_FOR_US)}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}


def job_environment() -> dict[str, str]:
    """The environment of a job of the workflow: one thread each."""
    return {**plain_environment(), **PLAIN_THREADS}


@dataclass(frozen=True)
class Contender:
    """How a contender is started: `count` processes of contenders/<module>.py, `pinned` to a core each or not."""

    module: str
    environment: dict[str, str]
    count: int = 1
    python: str = sys.executable
    pinned: bool = False


@dataclass(frozen=True)
class Answer:
    """What the processes of a team answered, and the seconds until the last of them had."""

    seconds: float
    replies: list[dict[str, Any]]

    def total(self, key: str) -> float:
        """The sum of a number over the processes."""
        return float(sum(reply[key] for reply in self.replies))

    def mean(self, key: str) -> float:
        """Its mean."""
        return self.total(key) / len(self.replies)

    def largest(self, key: str) -> float:
        """The largest."""
        return float(max(reply[key] for reply in self.replies))


class Team:
    """The running processes of one contender, all asked the same at the same time."""

    def __init__(self, contender: Contender, logs: Path) -> None:
        self.contender = contender
        self.started = time.perf_counter()
        self.logs = [logs / f"{contender.module}.{number}.log" for number in range(contender.count)]
        self.processes = [self._start(number, log) for number, log in enumerate(self.logs)]

    def _start(self, number: int, log: Path) -> subprocess.Popen[str]:
        with log.open("a", encoding="utf-8") as stream:
            process = subprocess.Popen(
                [self.contender.python, "-m", f"benchmarks.contenders.{self.contender.module}"],
                cwd=ROOT,
                env=self.contender.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
            )
        if self.contender.pinned and hasattr(os, "sched_setaffinity"):
            # Before it has threads: they inherit it.
            os.sched_setaffinity(process.pid, {sorted(os.sched_getaffinity(0))[number]})
        return process

    def ask(self, task: str, **arguments: Any) -> Answer:
        """Put one request to every process and wait for all answers; UserError where a process has ended."""
        started = time.perf_counter()
        line = json.dumps({"task": task, **arguments}) + "\n"
        try:
            for process in self.processes:
                _pipe(process.stdin).write(line)
                _pipe(process.stdin).flush()
        except BrokenPipeError:
            pass  # the answer that does not come tells why
        replies = [self._reply(number) for number in range(len(self.processes))]
        return Answer(time.perf_counter() - started, replies)

    def _reply(self, number: int) -> dict[str, Any]:
        line = _pipe(self.processes[number].stdout).readline()
        if not line:
            self.processes[number].wait()  # it closes the pipe before it writes why
            tail = self.logs[number].read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
            raise UserError(
                "\n".join([f"the contender {self.contender.module} ended before it answered:", *tail]),
                fix="correct what its last lines tell",
            )
        reply: dict[str, Any] = json.loads(line)
        return reply

    def stop(self) -> None:
        """End the processes: their requests have ended; one that is still at work is not waited for."""
        for process in self.processes:
            process.kill()
            process.wait()
            _pipe(process.stdin).close()
            _pipe(process.stdout).close()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None  # asked for in Popen
    return stream


@contextmanager
def teams(logs: Path, **contenders: Contender) -> Iterator[dict[str, Team]]:
    """Start a team for each contender; all of them are stopped in the end, whatever happens."""
    with ExitStack() as stack:
        running = {}
        for name, contender in contenders.items():
            running[name] = Team(contender, logs)
            stack.callback(running[name].stop)
        yield running
