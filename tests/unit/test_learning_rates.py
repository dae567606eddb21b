"""The tables of learning rates in docs/training.md: what is trained for them, and the medians that they print."""

from __future__ import annotations

import itertools
from statistics import median
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tools import learning_rates
from tools.tables import cells_of

TASKS = {name: "classification" for name in ("digits", "breast_cancer", "wine", "anes96")}
TASKS |= dict.fromkeys(("star98", "diabetes", "engel"), "regression")


def made_up() -> pd.DataFrame:
    """Random measures in place of training, one row per planned run."""
    shards = learning_rates.shards({name: (SimpleNamespace(task=task), {}) for name, task in TASKS.items()})
    rows = [
        {"arm": shard.arm, "level": run.contamination.level, **run.axes} for shard in shards for run in shard.runs()
    ]
    frame, random = pd.DataFrame(rows), np.random.default_rng(0)
    return frame.assign(dead_fraction=random.uniform(size=len(rows)), test_risk=random.uniform(1, 5, len(rows)))


def test_it_trains_every_combination_once() -> None:
    runs = made_up()
    assert len(runs) == 7 * 5 * 2 * 4 * 5
    assert not runs.duplicated(["arm", "dataset", "level", "beta", "seed"]).any()
    assert set(runs["level"]) == {"clean", "sym@0.2", "vert@0.1,10"}


def test_the_tables_hold_medians() -> None:
    runs = made_up()
    rows = runs.to_dict("records")
    made = learning_rates.tables(runs)
    (dead_head, dead), (risk_head, risks) = made["dead units"], made["risk with outliers"]
    assert len(dead_head) == len(dead[0]) == len(risk_head) == len(risks[0]) == 7
    for line, (optimizer, rate) in zip(dead, learning_rates.WAYS, strict=True):
        for cell, beta in zip(line[2:], learning_rates.BETAS, strict=True):
            own = [row for row in rows if row["arm"] == f"{optimizer}-{rate:g}" and row["beta"] == beta]
            assert cell == f"{100 * median(row['dead_fraction'] for row in own):.0f} %"
    of = itertools.product(("star98", "diabetes"), learning_rates.WAYS)
    for line, (name, (optimizer, rate)) in zip(risks, of, strict=True):
        assert line[:2] == [name, f"{optimizer} at {rate:g}"]
        for cell, beta in zip(line[2:], learning_rates.BETAS, strict=True):
            own = [
                row["test_risk"]
                for row in rows
                if (row["arm"], row["dataset"], row["beta"]) == (f"{optimizer}-{rate:g}", name, beta)
                and row["level"] == "vert@0.1,10"
            ]
            assert len(own) == 4
            assert cell == f"{median(own):.2f}"


def test_the_document_has_both_tables_and_only_they_are_replaced() -> None:
    text = learning_rates.DOCUMENT.read_text(encoding="utf-8")
    found = {match[2]: cells_of(match[3]) for match in learning_rates.MARKED.finditer(text)}
    made = learning_rates.tables(made_up())
    assert {name: [row[:2] for row in rows] for name, rows in found.items()} == {
        name: [row[:2] for row in rows] for name, (_, rows) in made.items()
    }
    again = learning_rates.written(text, made)
    assert learning_rates.MARKED.sub("", again) == learning_rates.MARKED.sub("", text)
    assert learning_rates.written(again, {name: (head, found[name]) for name, (head, _) in made.items()}) == text
    with pytest.raises(KeyError):
        learning_rates.written(text.replace("measured: dead units", "measured: nonesuch"), made)
