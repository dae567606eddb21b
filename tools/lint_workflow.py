"""Run `snakemake --lint` and fail on whatever it finds beyond the findings that this project has answered.

Snakemake's linter has no switch per check and prints text even where JSON is asked for, so the text is read here.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

ANSWERED = {
    # One locked environment serves every rule: the jobs share this package, and a second one could only drift from it.
    "Specify a conda environment or container for each rule.",
}


def findings(text: str) -> Iterator[tuple[str, str]]:
    r"""Yield (place, title) of each finding in the linter's `text`.

    >>> list(findings("Lints for rule train (line 3, x.smk):\n    * No log directive defined:\n      Without ..."))
    [('rule train (line 3, x.smk)', 'No log directive defined')]
    """
    place = ""
    for line in text.splitlines():
        if heading := re.match(r"Lints for (.*):$", line):
            place = heading[1]
        elif item := re.match(r"    \* (.*):$", line):
            yield place, item[1]


def main() -> int:
    """Print what is left after the answered findings; the exit status says whether anything is."""
    snakemake = Path(sys.executable).with_name("snakemake")
    run = subprocess.run([snakemake, "--lint"], cwd=ROOT, capture_output=True, text=True, check=False)
    found = list(findings(run.stderr))
    open_findings = [(place, title) for place, title in found if title not in ANSWERED]
    for place, title in open_findings:
        print(f"{place}: {title}")
    if run.returncode and not found:  # it did not lint, it failed
        print(run.stderr, file=sys.stderr)
        return run.returncode
    print(f"snakemake --lint: {len(open_findings)} to mend, {len(found) - len(open_findings)} answered")
    return int(bool(open_findings))


if __name__ == "__main__":
    sys.exit(main())
