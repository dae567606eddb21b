"""The published default study: what a visitor reads follows from the published effects and the registration."""

import json
from pathlib import Path

import pandas as pd
import pytest

from l2audit.config.claims import load
from l2audit.files import sha256_of
from l2audit.judge.verdicts import judge
from l2audit.report.page import write_page
from l2audit.wording.tables import markdown

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "report" / "published"


def published(name: str):
    return json.loads((PUBLISHED / name).read_text(encoding="utf-8"))


def test_it_was_judged_by_the_registration_in_force() -> None:
    assert published("verdicts.json")["registration_sha256"] == sha256_of(ROOT / "config" / "claims.yaml")


def test_the_effects_give_the_verdicts_again_in_any_order() -> None:
    verdicts = published("verdicts.json")
    counted = {
        entry["id"]: entry["n_runs"] for entry in (*verdicts["claims"], *verdicts["added"], *verdicts["controls"])
    }
    effects = pd.read_parquet(PUBLISHED / "effects.parquet").sample(frac=1, random_state=0)
    again = judge(effects, load(ROOT / "config" / "claims.yaml"), published("identities.json"), n_runs=counted)
    study = {key: value for key, value in verdicts.items() if key in again}
    assert json.loads(json.dumps(again)) == study


def test_the_page_is_rebuilt_to_the_byte(tmp_path: Path) -> None:
    write_page(PUBLISHED, tmp_path / "default.html")
    assert (tmp_path / "default.html").read_bytes() == (PUBLISHED / "default.html").read_bytes()


def test_the_readme_prints_the_published_verdicts() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split("<!-- verdicts:begin -->\n")[1].split("<!-- verdicts:end -->")[0]
    assert shown.strip() == markdown(published("verdicts.json")).strip()


def test_the_registered_specification_of_each_claim_has_its_verdict() -> None:
    verdicts = published("verdicts.json")
    stated = {entry["id"]: entry["verdict"] for entry in (*verdicts["claims"], *verdicts["added"])}
    found = published("specifications.json")
    assert found["registration_sha256"] == verdicts["registration_sha256"]
    assert found["specifications_sha256"] == sha256_of(ROOT / "config" / "specifications.yaml")
    assert found["claims"]
    assert {one["id"]: one["verdict"] for one in found["claims"]} == {
        one["id"]: stated[one["id"]] for one in found["claims"]
    }


@pytest.mark.parametrize(
    "name", ["default.html", "verdicts.json", "specifications.json", "effects.parquet", "summary.parquet"]
)
def test_it_stays_small_enough_for_git(name: str) -> None:
    assert (PUBLISHED / name).stat().st_size < 4_000_000
