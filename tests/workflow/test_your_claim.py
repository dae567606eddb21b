"""The worked example of docs/your-claim.md in the workflow: a registration of one's own, and runs that carry it."""

from __future__ import annotations

import re
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from l2audit.files import sha256_of
from l2audit.runs.results import provenance_of
from repository_copy import REPOSITORY, Copy, Outcome, environment

DOCUMENT = (REPOSITORY / "docs" / "your-claim.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, flags=re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which the document was followed as far as the two commands that run the study."""
    copy = Copy.make(tmp_path_factory.mktemp("your-claim") / "repository")
    (first,) = re.findall(r"^\$ (cp .*)$", DOCUMENT, flags=re.MULTILINE)
    subprocess.run(first.split(), cwd=copy.root, check=True)
    *entries, study = blocks("yaml")
    copy.add("my_claims.yaml", *entries)
    copy.write("my_study.yaml", study)
    (function,), (module,) = blocks("python"), re.findall(r"written in `(src/\S+\.py)`", DOCUMENT)
    copy.add(module, function)
    return copy


def snakemake(copy: Copy, *options: str) -> Outcome:
    """How the document's command ends, with `options` beside it."""
    (settings,) = re.findall(r"^\$ snakemake --cores all (.*)$", DOCUMENT, flags=re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *options, *settings.split()],
        check=False,
        cwd=copy.root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return Outcome(done.returncode, done.stdout)


def test_the_study_is_judged_by_the_own_registration(copy: Copy) -> None:
    outcome = snakemake(copy, "--dry-run", "--quiet", "host")
    assert outcome.status == 0, outcome.text
    jobs = {block.split(":")[0]: block for block in re.split(r"^rule ", outcome.text, flags=re.MULTILINE)[1:]}
    for rule in ("estimate", "judge", "provenance"):
        assert "my_claims.yaml" in jobs[rule]
        assert "config/claims.yaml" not in jobs[rule]
    assert "my_claims.yaml" not in jobs["train"]  # a change of it trains nothing again


def test_runs_carry_the_registration_that_they_were_trained_under(copy: Copy) -> None:
    trained = "results/my_study/trained/iris.0.parquet"
    outcome = snakemake(copy, trained)
    assert outcome.status == 0, outcome.text
    provenance = provenance_of(copy.root / trained)["shards"]["iris.linear.0"]
    assert provenance["registration_sha256"] == sha256_of(copy.root / "my_claims.yaml")
    assert provenance["registration_sha256"] != sha256_of(copy.root / "config/claims.yaml")
    runs = pq.read_table(copy.root / trained, columns=["memorised_fraction"])
    assert runs["memorised_fraction"].null_count < len(runs)


def test_a_fault_of_ones_own_registration_ends_the_command_before_anything_runs(copy: Copy) -> None:
    wrong = copy.duplicate(copy.root.with_name("wrong"))
    wrong.edit("my_claims.yaml", "estimand: narrowing", "estimand: narrowed")
    outcome = snakemake(wrong, "--dry-run")
    assert outcome.status == 1
    assert "unknown estimand 'narrowed': did you mean 'narrowing'" in outcome.text
    assert "Traceback" not in outcome.text
