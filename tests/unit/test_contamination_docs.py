"""docs/contaminations.md: its example works as it is printed, whether or not it was followed in this checkout."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from l2audit import contamination
from l2audit.config.faults import ConfigError
from l2audit.config.load import load, table
from l2audit.contamination import KINDS, Reference, Rows, contaminate
from l2audit.report.gallery import gallery

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "docs/contaminations.md").read_text(encoding="utf-8")
STUDY = """\
name: mine
title: A study of my own
verdicts: false
datasets: [iris, diabetes]
architectures:
  linear: {betas: [0, 0.1], losses: {classification: [cross_entropy], regression: [squared]}}
seeds: 2
penalty: l2
optimizer: adam
rows: {train: 50, validation: 30, test: 40}
training: {learning_rate: 0.01, steps: 10, batch: 16}
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.S)


def write(root: Path, levels: str, own: str = "") -> Path:
    """A folder with the project's tables, `own` added to the contaminations, and the study `mine` with these levels."""
    (root / "config/studies").mkdir(parents=True, exist_ok=True)
    for name in ("datasets", "architectures", "contaminations", "claims", "studies/full"):
        text = (REPOSITORY / f"config/{name}.yaml").read_text(encoding="utf-8")
        if own and name == "contaminations":  # in place of the example, where it was followed in this checkout
            text = f"{text.replace(blocks('yaml')[0], '')}\n{own}"
        (root / f"config/{name}.yaml").write_text(text, encoding="utf-8")
    (root / "config/studies/mine.yaml").write_text(STUDY + levels, encoding="utf-8")
    return root


def test_a_study_of_every_kind_at_its_own_levels_is_free_of_faults(tmp_path: Path) -> None:
    entries = table(REPOSITORY, "contaminations")
    levels = {
        task: [{"kind": name, **level} for name, e in entries.items() if task in e["tasks"] for level in e["levels"]]
        for task in ("classification", "regression")
    }
    study = load(write(tmp_path, yaml.safe_dump({"contaminations": levels})), "mine").study
    assert {one.kind for found in study.contaminations.values() for one in found} == set(KINDS)
    assert "student@1,2" in [one.level for one in study.contaminations["regression"]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  rate: rows\n", "  rate: row\n", "swap.rate: unknown value 'row' (fix: did you mean 'rows'?)"),
        ("  rate: rows\n", "  rate: rows\n  magnitude: metres\n", "swap.levels[0].magnitude: this key is missing"),
        ("[{rate: 0.1}]", "[{rate: 0.1, magnitude: 3}]", "swap.levels[0].magnitude: unknown key"),
        ("  levels: [{rate: 0.1}]\n", "", "swap.levels: this key is missing"),
    ],
)
def test_a_kind_that_is_badly_described_is_told_by_one_message(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    own, levels = blocks("yaml")
    assert old in own
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, levels, own.replace(old, new)), "mine")
    (fault,) = [str(fault) for fault in caught.value.faults if "swap" in str(fault) and "studies" not in str(fault)]
    assert message in fault


def test_the_example_works_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,), (entry, levels) = blocks("python"), blocks("yaml")
    monkeypatch.setattr(KINDS, "_items", {name: kind for name, kind in KINDS._items.items() if name != "swap"})
    exec(compile(code, "docs/contaminations.md", "exec"), vars(contamination).copy())

    config = load(write(tmp_path, levels, entry), "mine")
    (level,) = config.study.contaminations["regression"]
    assert level.level == "swap@0.1"

    rows = Rows(np.random.default_rng(0).standard_normal((50, 3)), np.arange(50.0), None)
    got = contaminate(
        rows,
        Reference(rows),
        kind=level.kind,
        rate=level.rate,
        magnitude=level.magnitude,
        dataset="d",
        seed=0,
        part="train",
    )
    assert got.mask.sum() == 5
    assert {tuple(row) for row in got.X} <= {tuple(row) for row in rows.X}
    found = gallery(config.contaminations, {"swap"})
    assert found is not None
    assert [card["name"] for card in found["used"]] == ["swap"]
