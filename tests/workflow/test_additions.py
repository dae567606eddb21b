"""Whoever adds something as the documents say has a checkout whose contract tests pass: done in a copy, all at once."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from repository_copy import REPOSITORY, Copy, environment

BUNDLED = '''\
@loaders.register("statsmodels/heart")
def heart() -> pd.DataFrame:
    """Miller (1976): 69 patients of the Stanford heart transplant programme; days of survival."""
    return _statsmodels("heart")
'''
DRAWN = '''\
@generators.register("line")
def line(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """One Gaussian feature of two matters; noise of variance 1."""
    X = rng.standard_normal((rows, 2))
    return _table(X, X[:, 0] + rng.standard_normal(rows))
'''
ENTRIES = """\
heart:
  source: bundled:statsmodels/heart
  task: regression
  target: survival
  description: Heart transplants; the days of survival.
  licence: Public domain, as statsmodels states
  citation: Miller (1976)

own_line:
  source: synthetic:line
  task: regression
  parameters: {rows: 300}
  description: A line with noise.
  licence: CC0-1.0
  citation: this test
"""
MEASURE = '''\
@measure("worst_residual", "largest |residual| on clean test rows; null for classification", "SD")
def worst_residual(runs: Evaluation) -> Array:
    """By rows of the scaled target."""
    if runs.task == CLASSIFICATION:
        return not_there(len(runs.test.y))
    return np.asarray(np.abs(runs.test.outputs[:, :, 0] - runs.test.y).max(axis=1), dtype=np.float64)
'''
LOSS = """\
LOSSES.add("log_cosh", Loss("regression", lambda outputs, y, scale: tf.math.log(tf.cosh(y - outputs[..., 0]))))
"""
STUDY = """\
name: mine
title: What was added
verdicts: false
datasets: [penguins, web_penguins, heart, own_line]
architectures:
  mlp-128: {betas: [0, 0.1], losses: {classification: [cross_entropy], regression: [log_cosh]}}
contaminations:
  classification: [{kind: swap, rate: 0.1}]
  regression: [{kind: swap, rate: 0.1}]
seeds: 2
penalty: l2
optimizer: adam
rows: {train: 30, validation: 10, test: 10}
training: {learning_rate: 0.01, steps: 10, batch: 16}
"""
# What every registered thing is held to, what was added among them.
DATASETS = ("penguins", "web_penguins", "heart", "own_line")
CONTRACTS = [
    "test_contamination.py::test_what_is_registered_is_what_is_described",
    "test_contamination_docs.py",
    *[f"test_data_contract.py::test_arrays_are_clean[{name}]" for name in DATASETS],
    *[f"test_data_contract.py::test_croissant_is_valid[{name}]" for name in DATASETS],
    "test_data_contract.py::test_the_table_satisfies_its_schema",
    "test_data_contract.py::test_the_default_study_has_its_datasets",
    "test_data_published.py::test_the_tables_in_the_docs_are_the_data",
    "test_estimands.py::test_every_estimand_that_gives_a_registered_verdict_has_its_formula_here",
    "test_estimands.py::test_the_contract_of_an_estimand[narrowing]",
    "test_judge_claims.py::test_the_page_of_claims_has_every_part",
    "test_judge_wording.py::test_every_estimand_has_a_display",
    "test_measures_evaluate.py::test_what_applies_to_a_linear_model_and_a_network_is_there",
    "test_models_architectures.py::test_schema_lets_through_exactly_what_can_be_read",
    "test_models_architectures.py::test_shipped_table_follows_its_schema_and_every_entry_is_an_architecture",
    "test_results.py",
    "test_tables.py",
    "test_your_claim.py",
]


def blocks(document: str, language: str) -> list[str]:
    text = (REPOSITORY / "docs" / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy with one of everything that the documents say how to add."""
    copy = Copy.make(tmp_path_factory.mktemp("additions") / "repository")
    for name in ("docs", "tests", "tools"):
        shutil.copytree(REPOSITORY / name, copy.root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(REPOSITORY / "pyproject.toml", copy.root)
    (copy.root / "data").mkdir(exist_ok=True)
    shutil.copy2(REPOSITORY / "data" / "cards.parquet", copy.root / "data")
    source, schemas, tests = "src/l2audit", "src/l2audit/schemas", "tests/unit"
    subprocess.run([sys.executable, "-c", blocks("datasets.md", "python")[0]], cwd=copy.root, check=True)
    copy.add("config/datasets.yaml", *blocks("datasets.md", "yaml")[:2], ENTRIES)
    copy.add(f"{source}/data/sources.py", BUNDLED)
    copy.add(f"{source}/data/synthetic.py", DRAWN)
    copy.add(f"{source}/contamination.py", *blocks("contaminations.md", "python"))
    copy.add("config/contaminations.yaml", blocks("contaminations.md", "yaml")[0])
    copy.add("config/architectures.yaml", blocks("architectures.md", "yaml")[0])
    copy.add(f"{source}/models/layers.py", *blocks("architectures.md", "python"))
    copy.edit(f"{schemas}/architectures.schema.yaml", "pattern: ^(dense ", "pattern: ^(softplus|dense ")
    copy.edit(f"{tests}/test_models_architectures.py", "EXAMPLES = {", 'EXAMPLES = {"softplus": "softplus",')
    copy.add(f"{source}/models/losses.py", LOSS)
    copy.edit(f"{schemas}/study.schema.yaml", "enum: [squared,", "enum: [log_cosh, squared,")
    copy.add(f"{source}/measures/risks.py", MEASURE)
    copy.add(f"{source}/effects/estimands.py", *blocks("your-claim.md", "python"))
    copy.write("config/studies/mine.yaml", STUDY)
    return copy


def run(copy: Copy, *arguments: str | Path) -> str:
    """What a Python command in the copy prints; it has to succeed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=copy.root,
        env={**environment(), "PYTHONPATH": str(copy.root / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_contracts_hold_for_what_was_added(copy: Copy) -> None:
    assert "ok  config/studies/mine.yaml" in run(copy, "-m", "l2audit", "check")
    told = run(copy, "tools/tables.py")
    for document, added in {"claims": "narrowing", "contaminations": "swap", "results": "worst_residual"}.items():
        assert f"docs/{document}.md: tables written anew" in told
        assert f"| `{added}` |" in copy.read(f"docs/{document}.md")
    run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *[f"tests/unit/{one}" for one in CONTRACTS])
