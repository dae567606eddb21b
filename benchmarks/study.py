"""The default study as a whole: its wall, beside the training seconds in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.processes import plain_environment
from benchmarks.workload import ROOT
from l2audit.errors import UserError
from l2audit.pipeline.jobs import WALL

STUDY = "default"
TRAINED = re.compile(r"trained (\d+) models in ([\d.]+) s$", re.MULTILINE)
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "results", "logs", "prepared", "published")


def figures_of(folder: Path) -> tuple[dict[str, Any], str | None]:
    """The figures of the finished study in `folder` (results/<study>), and why they are null where they are."""
    keys = ("pipeline_overhead", "pipeline_overhead_inside", "default_study_minutes", "default_study_models")
    path = folder / WALL
    if not path.exists():
        return dict.fromkeys(keys), f"no run from nothing to the end is on record: there is no {WALL} of the study"
    wall = json.loads(path.read_text(encoding="utf-8"))
    models, inside = _trained(folder)
    values = (
        wall["seconds"] * wall["cores"] / wall["training_seconds"],
        wall["seconds"] * wall["cores"] / inside,
        wall["seconds"] / 60,
        models,
    )
    return {**dict(zip(keys, values, strict=True)), "default_study_cores": wall["cores"]}, None


def _trained(folder: Path) -> tuple[int, float]:
    """Models of a study, and the seconds inside its training jobs, without starting Python and importing.

    Both are what the jobs' logs say (`l2audit.runs.shard`).
    """
    logs = [path.read_text(encoding="utf-8") for path in sorted((folder / "logs" / "train").glob("*.log"))]
    told = [said for log in logs for said in TRAINED.findall(log)]
    return sum(int(models) for models, _ in told), sum(float(seconds) for _, seconds in told)


@contextmanager
def fresh_run() -> Iterator[Path]:
    """Run the default study from nothing in a copy of the repository; yields its folder of results."""
    with tempfile.TemporaryDirectory(prefix="l2audit-bench-") as scratch:
        copy = Path(scratch) / "repository"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        programs = Path(sys.executable).parent
        environment = {**plain_environment(), "PATH": os.pathsep.join([str(programs), os.environ["PATH"]])}
        environment.pop("PYTHONPATH")
        done = subprocess.run([programs / "snakemake", "--cores", "all"], cwd=copy, env=environment, check=False)
        if done.returncode:
            raise UserError("the default study did not run to its end", fix="run it by itself: snakemake --cores all")
        yield copy / "results" / STUDY
