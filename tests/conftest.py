"""What all tests share: quiet, repeatable libraries, a marker for each folder, and skips counted with their reasons."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

# Before TensorFlow, BLAS or matplotlib are imported. One thread each: the tests run side by side.
for variable, value in {
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}.items():
    os.environ.setdefault(variable, value)

# The same examples in every run, and no deadline: on shared cores a clock tells nothing about the code.
settings.register_profile("l2audit", deadline=None, derandomize=True)
settings.load_profile("l2audit")

TESTS = Path(__file__).parent
FOLDERS = {
    "unit": "one module at a time, in seconds",
    "oracles": "exact identities and published numbers that the pipeline must reproduce",
    "workflow": "Snakemake runs on small studies",
    "browser": "the page as a reader sees it, in Chromium",
    "faults": "bad input, broken downloads, interrupted runs",
}


def pytest_configure(config: pytest.Config) -> None:
    """Register one marker per folder of tests: `pytest -m "not workflow"`."""
    for folder, meaning in FOLDERS.items():
        config.addinivalue_line("markers", f"{folder}: {meaning} (tests/{folder}/)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by the folder that it lies in."""
    for item in items:
        if item.path.is_relative_to(TESTS):
            folder = item.path.relative_to(TESTS).parts[0]
            if folder in FOLDERS:
                item.add_marker(folder)


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped, without pytest's prefix."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").strip() or "no reason given"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the skips by reason, most frequent first: a test that did not run is never silent."""
    skipped = Counter(skip_reason(report) for report in terminalreporter.getreports("skipped"))
    if skipped:
        terminalreporter.section(f"{skipped.total()} skipped")
        for reason, count in skipped.most_common():
            terminalreporter.write_line(f"{count:4d}  {reason}")
