"""What is published about each dataset, and what docs/datasets.md says of it, against what was prepared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from tools import tables

import loopback
from l2audit.data.entries import read_entry
from l2audit.data.readers import read_raw
from l2audit.data.sources import loaders
from workshop import ENTRIES, Workshop

STUDIES = [
    yaml.safe_load((loopback.ROOT / f"config/studies/{name}.yaml").read_text(encoding="utf-8"))
    for name in ("default", "full", "smoke")
]


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        # As published: the UCI pages and scikit-learn's user guide; statsmodels' data pages; the quantreg manual.
        ("digits", {"rows": 1797, "columns": 64, "class_counts": [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]}),
        ("breast_cancer", {"rows": 569, "columns": 30, "class_counts": [212, 357]}),
        ("wine", {"rows": 178, "columns": 13, "class_counts": [59, 71, 48]}),
        ("iris", {"rows": 150, "columns": 4, "class_counts": [50, 50, 50]}),
        ("anes96", {"rows": 944, "columns": 10}),
        ("fair_affairs", {"rows": 6366, "columns": 8, "class_counts": [4313, 2053]}),
        ("diabetes", {"rows": 442, "columns": 10, "target_mean": 152.133}),
        ("star98", {"rows": 303, "columns": 20}),
        ("randhie", {"rows": 20190, "columns": 9}),
        ("engel", {"rows": 235, "columns": 1, "target_mean": 624.15}),
        # The pages of MNIST and Fashion-MNIST, and the UCI pages with their .names files.
        ("mnist", {"rows": 10000, "class_counts": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]}),
        ("fashion_mnist", {"rows": 10000, "columns": 784 // 4, "class_counts": [1000] * 10}),
        ("spambase", {"rows": 4601, "columns": 57, "class_counts": [2788, 1813]}),
        ("ionosphere", {"rows": 351, "class_counts": [126, 225]}),
        ("sonar", {"rows": 208, "columns": 60, "class_counts": [111, 97]}),
        ("letter", {"rows": 20000, "columns": 16}),
        ("satimage", {"rows": 6435, "columns": 36, "class_counts": [1533, 703, 1358, 626, 707, 1508]}),
        ("zoo", {"rows": 101, "columns": 16, "class_counts": [4, 20, 13, 8, 10, 41, 5]}),
        ("abalone", {"rows": 4177}),
        ("airfoil", {"rows": 1503, "columns": 5}),
        ("energy", {"rows": 768, "columns": 8}),
        ("yacht", {"rows": 308, "columns": 6}),
        ("wine_quality", {"rows": 6497, "columns": 11}),
        ("stars_cyg", {"rows": 47, "columns": 1}),
    ],
)
def test_published_facts(name: str, facts: dict[str, Any], made: Workshop) -> None:
    card = made[name][1]
    assert {key: card[key] for key in facts} == facts
    declared = ENTRIES[name]["facts"]
    assert {key: declared[key] for key in facts} == facts


def test_published_means_of_single_columns(made: Workshop) -> None:
    iris = made["iris"][0]
    assert np.allclose(iris.X.mean(axis=0), [5.843, 3.057, 3.758, 1.199], atol=6e-4)
    assert np.isclose(loaders["statsmodels/randhie"]()["mdvis"].mean(), 2.861, atol=1e-3)  # Cameron & Trivedi (2005)
    assert np.isclose(loaders["statsmodels/engel"]()["income"].mean(), 982.47, atol=0.01)


def raw_table(name: str, made: Workshop) -> pd.DataFrame:
    return read_raw(
        [made.folder / "raw" / name / file for file in made[name][1]["raw_sha256"]], read_entry(name, made.entry(name))
    ).table


def test_published_summaries_of_downloaded_tables(made: Workshop) -> None:
    """Géron (2019), chapter 2, for California; the .names files and papers of the others, to the digits printed."""
    housing = raw_table("california", made)
    assert (len(housing), housing["total_bedrooms"].isna().sum()) == (20640, 207)
    value = housing["median_house_value"]
    assert value.mean() == pytest.approx(206855.816909, abs=1e-6)
    assert value.median() == ENTRIES["california_above_median"]["threshold"] == 179700
    assert housing["ocean_proximity"].value_counts().to_dict() == {
        **{"<1H OCEAN": 9136, "INLAND": 6551, "NEAR OCEAN": 2658, "NEAR BAY": 2290, "ISLAND": 5},
    }
    assert made["california"][1]["missing"].startswith("207 of 20640 rows left out")
    assert made["california_above_median"][1]["class_counts"] == [10217, 10216]
    assert made["california_above_median"][1]["target_transform"] == "above 179700"


def test_published_means_of_downloaded_columns(made: Workshop) -> None:
    abalone = raw_table("abalone", made)
    assert abalone["rings"].mean() == pytest.approx(9.934, abs=5e-4)
    assert abalone["length"].mean() == pytest.approx(0.524, abs=5e-4)
    assert abalone["sex"].value_counts().to_dict() == {"M": 1528, "I": 1342, "F": 1307}
    wine = raw_table("wine_quality", made)
    assert wine["quality"].value_counts().sort_index().tolist() == [30, 216, 2138, 2836, 1079, 193, 5]
    energy = made["energy"][0]
    np.testing.assert_allclose(energy.X[:, 1], energy.X[:, 2] + 2 * energy.X[:, 3])  # areas: surface, walls, roof
    assert made["energy"][1]["condition_number"] == 1e16
    assert raw_table("spambase", made)["capital_run_length_longest"].max() == 9989
    assert made["mnist"][0].X.mean() * 255 == pytest.approx(33.791, abs=1e-3)
    assert made["fashion_mnist"][0].X.mean() * 255 == pytest.approx(73.147, abs=1e-3)
    stars = made["stars_cyg"][0]
    assert np.polyfit(stars.X[:, 0], stars.y, 1) == pytest.approx([-0.4133, 6.7935], abs=5e-5)  # Rousseeuw & Leroy


def test_the_tables_in_the_docs_are_the_data(made: Workshop) -> None:
    """Each row that stands there; `make docs` writes them. A dataset of the project's own studies has one."""
    text = (loopback.ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    rows = {row[0]: row for _, _, table, _ in tables.MARKED.findall(text) for row in tables.cells_of(table)}
    assert {name for study in STUDIES for name in study["datasets"]} <= set(rows) <= set(ENTRIES)
    for name in (name for name in rows if not loopback.unavailable(ENTRIES[name])):
        expected = tables.dataset_row(made[name][1])
        condition, number = rows[name].pop(4), expected.pop(4)
        assert rows[name] == expected
        if "singular" in (condition, number):
            assert condition == number
        else:
            assert np.isclose(float(condition.replace(",", "")), float(number.replace(",", "")), rtol=0.01)
