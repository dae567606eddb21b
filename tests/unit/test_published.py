"""The published studies: their files belong together, and what a visitor reads follows from them."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from l2audit.config.claims import load
from l2audit.files import sha256_of
from l2audit.judge.verdicts import judge
from l2audit.pipeline.results import (
    EVIDENCE,
    HEADLINE_STUDIES,
    PUBLISHED_FOLDER,
    PUBLISHED_PAGE,
    REGISTRATION_COPY,
    stored_results,
    strangers,
)
from l2audit.report.page import write_page
from l2audit.stored import read_frame
from l2audit.wording.tables import markdown

ROOT = Path(__file__).parents[2]
CLAIMS = ROOT / "config" / "claims.yaml"
STUDIES = sorted(path.parent for path in (ROOT / PUBLISHED_FOLDER).glob(f"*/{PUBLISHED_PAGE}"))
IN_FORCE = [folder for folder in STUDIES if sha256_of(folder / REGISTRATION_COPY) == sha256_of(CLAIMS)]
"""An earlier registration need not be readable any more: of its studies only the files are looked at."""

every_study = pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
present_registration = pytest.mark.parametrize("folder", IN_FORCE, ids=lambda folder: folder.name)


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_the_first_study_stays_published() -> None:
    assert "study-1" in {folder.name for folder in STUDIES}
    assert {folder.name for folder in STUDIES} <= set(HEADLINE_STUDIES)


@every_study
def test_its_registration_and_evidence_are_those_that_its_provenance_names(folder: Path) -> None:
    made_of = read(folder, "provenance.json")
    judged = sha256_of(folder / REGISTRATION_COPY)
    assert judged == made_of["registration_sha256"] == read(folder, "verdicts.json")["registration_sha256"]
    assert not strangers(folder)
    missing = {name for name in EVIDENCE if not (folder / name).exists()}
    assert missing == (set(EVIDENCE) & {"answers.parquet"} if folder.name == "study-1" else set())
    assert judged in (folder / PUBLISHED_PAGE).read_text(encoding="utf-8")


@every_study
def test_it_is_found_without_results(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / PUBLISHED_FOLDER).symlink_to(ROOT / PUBLISHED_FOLDER)
    assert stored_results(tmp_path, folder.name) == tmp_path / PUBLISHED_FOLDER / folder.name


@every_study
def test_it_stays_small_enough_for_git(folder: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert sizes.pop("runs.parquet", 0) < 12_000_000
    assert max(sizes.values()) < 5_000_000
    assert sum(one.stat().st_size for one in folder.parent.rglob("*") if one.is_file()) < 25_000_000


@present_registration
def test_the_effects_give_the_verdicts_again_in_any_order(folder: Path) -> None:
    verdicts = read(folder, "verdicts.json")
    entries = (*verdicts["claims"], *verdicts["added"], *verdicts["controls"])
    counted = {entry["id"]: entry["n_runs"] for entry in entries}
    effects = pd.read_parquet(folder / "effects.parquet").sample(frac=1, random_state=0)
    again = judge(effects, load(CLAIMS), read(folder, "identities.json"), n_runs=counted)
    study = {key: value for key, value in verdicts.items() if key in again}
    assert json.loads(json.dumps(again)) == study


@present_registration
def test_the_page_is_rebuilt_to_the_byte(folder: Path, tmp_path: Path) -> None:
    trial = [path / "calibration.json" for path in STUDIES]
    own = folder / "calibration.json"
    write_page(folder, tmp_path / "page.html", own if own.exists() else next(filter(Path.exists, trial), None))
    assert (tmp_path / "page.html").read_bytes() == (folder / PUBLISHED_PAGE).read_bytes()


@present_registration
def test_the_registered_specification_of_each_claim_has_its_verdict(folder: Path) -> None:
    verdicts = read(folder, "verdicts.json")
    stated = {entry["id"]: entry["verdict"] for entry in (*verdicts["claims"], *verdicts["added"])}
    found = read(folder, "specifications.json")
    assert found["registration_sha256"] == verdicts["registration_sha256"]
    assert found["specifications_sha256"] == sha256_of(ROOT / "config" / "specifications.yaml")
    assert found["claims"]
    assert {one["id"]: one["verdict"] for one in found["claims"]} == {
        one["id"]: stated[one["id"]] for one in found["claims"]
    }


@present_registration
def test_its_runs_are_those_that_its_provenance_counts(folder: Path) -> None:
    runs = read_frame(folder / "runs.parquet")
    assert runs["status"].value_counts().to_dict() == read(folder, "provenance.json")["runs"]["by_status"]


def test_the_readme_prints_the_verdicts_of_the_first_published_study() -> None:
    shown = next(name for name in HEADLINE_STUDIES if ROOT / PUBLISHED_FOLDER / name in STUDIES)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.split("<!-- verdicts:begin -->\n")[1].split("<!-- verdicts:end -->")[0]
    assert table.strip() == markdown(read(ROOT / PUBLISHED_FOLDER / shown, "verdicts.json")).strip()
    assert f"{PUBLISHED_FOLDER.as_posix()}/{shown}/{PUBLISHED_PAGE}" in text
