"""A copy of the repository in a temporary folder, with a study small enough to be run for real by Snakemake in
seconds."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
COPIED = ("config", "workflow", "scripts", "src", "requirements.lock")
TINY = """\
name: tiny
title: A study for tests
verdicts: false
datasets: [iris, diabetes]
architectures:
  linear:
    betas: [0, 0.01]
    losses: {classification: [cross_entropy], regression: [squared, huber]}
  mlp-32:
    betas: [0, 0.01]
    losses: {classification: [cross_entropy]}
    datasets: [iris]
contaminations:
  classification:
    - {kind: sym, rate: 0.2}
    - {kind: sym, rate: 0.1}
  regression:
    - {kind: vert, rate: 0.1, magnitude: 10}
seeds: 2
penalty: l2
optimizer: adam
rows: {train: 50, validation: 30, test: 40}
training: {learning_rate: 0.01, steps: 20, batch: 16}
"""
ROBUST_ARM = """\
arms:
  robust:
    architecture: linear
    scaling: robust
    betas: [0, 0.01]
    losses: {classification: [cross_entropy]}
    datasets: [iris]
    contaminations: [sym@0.2]
"""
PERMUTED = (
    TINY.replace("[iris, diabetes]", "[diabetes, iris]")
    .replace("[0, 0.01]", "[0.01, 0]")
    .replace("[squared, huber]", "[huber, squared]")
    .replace(
        "    - {kind: sym, rate: 0.2}\n    - {kind: sym, rate: 0.1}\n",
        "    - {kind: sym, rate: 0.1}\n    - {kind: sym, rate: 0.2}\n",
    )
)


def _heed_ctrl_c() -> None:
    """Undo an ignored SIGINT, which whoever runs the tests in the background hands down to every process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit status and all that it printed."""

    status: int
    text: str


@dataclass(frozen=True)
class Copy:
    """A copy of the repository at `root`."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Copy:
        """Copy the sources to `root` and add the study `tiny`."""
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, root / name)
        copy = cls(root)
        copy.write("config/studies/tiny.yaml", TINY)
        return copy

    def duplicate(self, root: Path) -> Copy:
        """A copy of the copy: results, data, metadata and times of change included."""
        shutil.copytree(self.root, root, symlinks=True)
        return Copy(root)

    def read(self, name: str) -> str:
        """The text of a file."""
        return (self.root / name).read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """Write a file, and its folders where they are missing."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def add(self, name: str, *blocks: str) -> None:
        """Append blocks of text to a file as a user would, but for those that somebody has put there before."""
        for block in blocks:
            if block.strip() not in self.read(name):
                self.write(name, f"{self.read(name).rstrip()}\n\n\n{block}")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace `old`, which must be there, by `new`, everywhere."""
        text = self.read(name)
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new))

    def snakemake(self, *options: str, study: str = "tiny") -> Outcome:
        """Run Snakemake as a user does, and wait for it."""
        done = subprocess.run(
            command(*options, study=study),
            check=False,
            cwd=self.root,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        return Outcome(done.returncode, done.stdout)

    def start(self, *options: str, study: str = "tiny", log: str = "started.log") -> subprocess.Popen[bytes]:
        """Start Snakemake and return at once; its output goes to the file `log`."""
        with (self.root / log).open("wb") as stream:
            return subprocess.Popen(
                command(*options, study=study),
                cwd=self.root,
                env=environment(),
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_heed_ctrl_c,  # noqa: PLW1509 - sets one signal and takes no lock
            )

    def jobs(self, *options: str, study: str = "tiny") -> dict[str, int]:
        """How many jobs of each rule Snakemake would run now, `all` left out; {} if nothing is to be done."""
        outcome = self.snakemake("--dry-run", *options, study=study)
        assert outcome.status == 0, outcome.text
        if "Nothing to be done" in outcome.text:
            return {}
        table = outcome.text.rpartition("Job stats:")[2]
        counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)}
        return {rule: count for rule, count in counts.items() if rule not in ("all", "total")}

    def l2audit(self, *arguments: str) -> Outcome:
        """Run `python -m l2audit` of the copy."""
        done = subprocess.run(
            [sys.executable, "-m", "l2audit", *arguments],
            check=False,
            cwd=self.root,
            env={**environment(), "PYTHONPATH": str(self.root / "src")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        return Outcome(done.returncode, done.stdout)


def command(*options: str, study: str) -> list[str]:
    """The command line of Snakemake; two cores, unless `options` say otherwise."""
    cores = [] if {"--cores", "--dry-run"} & set(options) else ["--cores", "2"]
    return [sys.executable, "-m", "snakemake", *cores, *options, "--config", f"study={study}"]


def environment() -> dict[str, str]:
    """That of a shell in which the project's environment is active and nothing else is set."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHONPATH", "L2AUDIT"))
    }
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    return kept
