"""What a run is told on its command line and by the folder that it starts in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from l2audit.config.folder import command_line, folder_of
from l2audit.errors import UserError
from repository_copy import REPOSITORY, Copy, environment


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy.make(tmp_path_factory.mktemp("copy") / "repository")


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def snakemake(folder: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-m", "snakemake", "--dry-run", *options)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"studdy": "smoke"}, "--config studdy: unknown key\n  fix: did you mean 'study'?"),
        ({"study": "smoke", "cores": 2}, "--config cores: unknown key\n  fix: use one of registration, study"),
        ({"study": None}, "--config study: 'None' names no file\n  fix: write study=NAME"),
        ({"registration": ""}, "--config registration: '' names no file"),
        ({"study": ["a", "b"]}, "--config study: "),
    ],
)
def test_a_key_that_is_not_known_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(UserError) as refused:
        command_line(given, Path())
    assert told in str(refused.value)


def test_without_keys_the_default_study_is_judged_by_the_folders_claims(tmp_path: Path) -> None:
    assert command_line({}, Path()) == ("default", "config/claims.yaml")
    assert command_line({"study": "smoke"}, Path("elsewhere"))[1] == "elsewhere/config/claims.yaml"
    assert command_line({"registration": "mine.yaml"}, Path())[1] == "mine.yaml"


def test_a_misspelt_key_does_not_start_the_default_study(copy: Copy) -> None:
    outcome = snakemake(copy.root, "--config", "studdy=tiny")
    assert outcome.returncode == 1
    assert "error: --config studdy: unknown key\n  fix: did you mean 'study'?" in outcome.stdout
    assert "Traceback" not in outcome.stdout


def test_a_folder_with_a_config_of_its_own_is_read_whole(copy: Copy, tmp_path: Path) -> None:
    """None of its tables comes from the repository, and that is said."""
    shutil.copytree(copy.root / "config", tmp_path / "config")
    study = tmp_path / "config/studies/mine.yaml"
    study.write_text(copy.read("config/studies/tiny.yaml").replace("name: tiny", "name: mine"), encoding="utf-8")
    from_there = ("--snakefile", copy.root / "workflow/Snakefile", "--config", "study=mine")
    outcome = snakemake(tmp_path, *from_there)
    assert outcome.returncode == 0, outcome.stdout
    assert f"configuration: {tmp_path}/config" in outcome.stdout
    for name in ("datasets", "architectures", "contaminations", "claims", "specifications"):
        table = tmp_path / f"config/{name}.yaml"
        table.rename(tmp_path / "aside")
        outcome = snakemake(tmp_path, *from_there)
        assert outcome.returncode == 1, name
        assert f"config/{name}.yaml: cannot be read" in outcome.stdout
        (tmp_path / "aside").rename(table)


def test_a_folder_without_a_config_uses_that_of_the_workflow(copy: Copy, tmp_path: Path) -> None:
    outcome = snakemake(tmp_path, "--snakefile", copy.root / "workflow/Snakefile", "--config", "study=tiny")
    assert outcome.returncode == 0, outcome.stdout
    assert "configuration:" not in outcome.stdout
    assert folder_of(tmp_path, copy.root) == copy.root


@pytest.mark.parametrize("command", ["check", "plan default", "datasets", "report", "table"])
def test_from_another_folder_the_commands_say_where_to_run(command: str, tmp_path: Path) -> None:
    outcome = run(tmp_path, sys.executable, "-m", "l2audit", *command.split())
    assert outcome.returncode == 1
    assert f"error: {tmp_path}: there is no folder config/ here" in outcome.stdout
    assert "fix: run this in the folder of the repository, or name that folder: l2audit --root FOLDER" in outcome.stdout


def test_make_works_in_a_folder_whose_name_has_blanks_and_quotes(tmp_path: Path) -> None:
    copy = Copy.make(tmp_path / """it's a "new" folder""" / "repo sitory")
    shutil.copy(REPOSITORY / "Makefile", copy.root)
    copy.write("tools/environment.sh", "#!/bin/sh\n")
    (copy.root / "tools/environment.sh").chmod(0o755)
    (copy.root / ".venv").symlink_to(Path(sys.executable).parents[1])
    for target in ("study", "smoke"):
        outcome = run(copy.root, "make", target, "STUDY=tiny", "CORES=1 --dry-run")
        assert outcome.returncode == 0, outcome.stdout
        assert "Job stats:" in outcome.stdout
    outcome = run(copy.root, "make", "study", "STUDY=tiny", "CORES=1 data/prepared/iris.npz")
    assert outcome.returncode == 0, outcome.stdout
    assert (copy.root / "data/prepared/iris.npz").exists()  # jobs start there too
    outcome = run(copy.root, "make", "check-config")
    assert outcome.returncode == 0, outcome.stdout
    assert "ok  config/studies/tiny.yaml" in outcome.stdout
    assert os.path.lexists(copy.root / ".venv")


def test_make_study_runs_the_study_that_is_named(copy: Copy) -> None:
    shutil.copy(REPOSITORY / "Makefile", copy.root)
    outcome = run(copy.root, "make", "--dry-run", "study", "STUDY=smoke")
    assert '--config "study=smoke"' in outcome.stdout
