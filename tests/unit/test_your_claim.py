"""docs/your-claim.md, executed: its entries and its estimand, checked, planned, and judged on constructed runs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from l2audit.cli import main
from l2audit.config.load import load
from l2audit.effects import estimands
from l2audit.effects.estimands import ESTIMANDS
from l2audit.effects.evidence import Evidence
from l2audit.effects.table import estimate
from l2audit.judge.verdicts import judge
from l2audit.pipeline.check import load_verified
from l2audit.plan import plan, planned
from l2audit.runs.results import COLUMNS
from l2audit.seeds import generator
from repository_copy import REPOSITORY

DOCUMENT = (REPOSITORY / "docs" / "your-claim.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, flags=re.DOTALL)


PROBABILITIES, BY_HEART, GAP, STUDY = blocks("yaml")
CLAIMS = ("probabilities", "by-heart", "gap")
COMMANDS = re.findall(r"^\$ python -m l2audit (.*)$", DOCUMENT, flags=re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with both files of the document, its first two entries appended; no Python was written yet."""
    without = {name: one for name, one in ESTIMANDS._items.items() if name != "narrowing"}
    monkeypatch.setattr(ESTIMANDS, "_items", without)  # where the document was followed in this checkout, it is there
    registration = (REPOSITORY / "config" / "claims.yaml").read_text(encoding="utf-8")
    (tmp_path / "my_claims.yaml").write_text(f"{registration}\n{PROBABILITIES}\n{BY_HEART}", encoding="utf-8")
    (tmp_path / "my_study.yaml").write_text(STUDY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def with_estimand(folder: Path) -> Path:
    """The same with the third entry, and with the function that it needs where the document puts it."""
    with (folder / "my_claims.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\n{GAP}")
    (code,) = blocks("python")
    exec(compile(code, "docs/your-claim.md", "exec"), dict(vars(estimands)))
    return folder


def run(*arguments: str) -> int:
    try:
        return main(["--root", str(REPOSITORY), *arguments])
    except SystemExit as ended:
        return int(ended.code or 0)


def test_entries_over_existing_estimands_need_no_python(folder: Path) -> None:
    assert run("check", "--study", "my_study.yaml", "--registration", "my_claims.yaml") == 0


def test_an_estimand_that_nobody_wrote_is_told_with_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (folder / "my_claims.yaml").read_text(encoding="utf-8") + f"\n{GAP}"
    (folder / "my_claims.yaml").write_text(text, encoding="utf-8")
    line = 1 + text.splitlines().index("        estimand: narrowing")
    assert run("check", "--registration", "my_claims.yaml") == 1
    told = capsys.readouterr().err
    assert f"my_claims.yaml:{line}: " in told
    assert "unknown estimand 'narrowing'" in told
    assert "docs/your-claim.md" in told


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("{measure: test_brier, floor: 1}", "the estimand 'clean_fall' has no such parameter"),
        ("{}", "the estimand 'clean_fall' needs this parameter"),
        ("{measure: test_bier}", "unknown measure 'test_bier' (fix: did you mean 'test_brier'?)"),
    ],
)
def test_wrong_parameters_are_told(folder: Path, capsys: pytest.CaptureFixture[str], wrong: str, told: str) -> None:
    text = (folder / "my_claims.yaml").read_text(encoding="utf-8")
    (folder / "my_claims.yaml").write_text(text.replace("{measure: test_brier}", wrong), encoding="utf-8")
    assert run("check", "--study", "my_study.yaml", "--registration", "my_claims.yaml") == 1
    assert told in capsys.readouterr().err


def test_a_registration_that_is_not_there_is_a_message(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "my_study.yaml", "--registration", "mine.yaml") == 1
    assert "mine.yaml: cannot be read (No such file or directory)" in capsys.readouterr().err


def test_the_commands_of_the_document(with_estimand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check, outlook, table = COMMANDS
    assert run(*check.split()) == 0
    assert "ok  my_claims.yaml" in capsys.readouterr().out
    assert run(*outlook.split()) == 0
    claims = {line.split()[0]: line.split()[1] for line in capsys.readouterr().out.splitlines() if line[:1].isalpha()}
    assert [claims[name] for name in CLAIMS] == ["7"] * 3
    assert run(*table.split()) == 1  # nothing was run in this folder, and that is all that is wrong
    assert "there are no stored results of the study 'my_study'" in capsys.readouterr().err


def judged(folder: Path, *, brier: float, memorised: float, gap: float) -> dict[str, dict[str, Any]]:
    """Verdicts of the document's claims on its study, where the penalty lowers the three by so much."""
    config = load(REPOSITORY, str(folder / "my_study.yaml"), folder / "my_claims.yaml")
    whole = load_verified(folder / "my_claims.yaml")
    registration = replace(whole, claims=tuple(claim for claim in whole.claims if claim.id in CLAIMS))
    runs = pd.DataFrame(planned(plan(config)))
    draw, penalised = generator("made-up runs"), (runs["beta"] > 0).to_numpy()
    noise = draw.normal(0, 0.002, len(runs))
    flipped = runs["kind"].to_numpy() == "sym"
    made = {column.name: 0.0 for column in COLUMNS if column.name not in runs and column.type == "double"}
    made |= {
        "status": "ok",
        "weight_norm": np.where(penalised, 1.0, 2.0),
        "decay_exposure": np.where(penalised, np.inf, 0.0),
        "test_brier": 0.4 - brier * penalised + noise,
        "memorised_fraction": np.where(flipped, 0.5 - memorised * penalised + noise, np.nan),
        "test_risk": 0.3 - 0.01 * penalised + noise,
        "test_risk_noise": 0.5 - (gap + 0.01) * penalised,
    }
    strata = {kind: entry["stratum"] for kind, entry in config.contaminations.items()}
    collinear = dict.fromkeys(config.study.all_datasets, False)
    effects = estimate(Evidence(runs, runs.assign(**made), registration, strata, collinear))
    return {entry["id"]: entry for entry in judge(effects, registration)["added"]}


AGREES, OPPOSITE, NOTHING = "supported", "refuted (reversed)", "no meaningful effect"


@pytest.mark.parametrize(
    ("brier", "memorised", "gap", "verdicts"),
    [
        (0.08, 0.2, 0.1, [AGREES, AGREES, AGREES]),
        (-0.08, -0.2, -0.1, [OPPOSITE, OPPOSITE, OPPOSITE]),
        (0.0, 0.0, 0.0, [NOTHING, NOTHING, NOTHING]),
        (0.08, 0.0, -0.1, [AGREES, NOTHING, OPPOSITE]),
    ],
)
def test_the_claims_are_judged_by_what_was_put_into_the_runs(
    with_estimand: Path, brier: float, memorised: float, gap: float, verdicts: list[str]
) -> None:
    found = judged(with_estimand, brier=brier, memorised=memorised, gap=gap)
    assert [found[name]["verdict"] for name in CLAIMS] == verdicts
    estimates = {name: entry["parts"][0]["tasks"]["classification"]["estimate"] for name, entry in found.items()}
    assert estimates["probabilities"] == pytest.approx(brier, abs=0.003)
    assert estimates["by-heart"] == pytest.approx(100 * memorised, abs=0.3)  # percentage points, as registered
    assert estimates["gap"] == pytest.approx(100 * gap, abs=0.3)
    assert found["by-heart"]["dropped"] == {}
    assert found["by-heart"]["n_datasets"] == 7
