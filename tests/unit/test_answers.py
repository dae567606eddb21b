"""The table of answers, against the same figures taken from the runs by plain pandas, one dataset at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from l2audit.config.claims import load
from l2audit.config.study import CLEAN, Contamination, Schedule
from l2audit.data.split import Sizes
from l2audit.effects.answers import KEY, answers
from l2audit.effects.evidence import Evidence
from l2audit.plan import Shard, planned
from l2audit.stored import write_frame

CLAIMS = Path(__file__).parents[2] / "config" / "claims.yaml"
DATASETS = {"classification": ["a1", "a2", "a3", "a4", "a5", "a6"], "regression": ["b1", "b2", "b3", "b4", "b5"]}
LEVELS = {
    "classification": (CLEAN, Contamination("sym", 0.2), Contamination("sym", 0.4)),
    "regression": (CLEAN, Contamination("badlev", 0.1, 10.0), Contamination("vert", 0.05, 5.0)),
}
STRATA = {"sym": "label", "vert": "target", "badlev": "leverage"}
BETAS = (0.0, 0.01, 0.1, 1.0)
LOSS = {"classification": "cross_entropy", "regression": "squared"}
UNIT = {"classification": 100.0, "regression": 1.0}
PLACE = ["arm", "task", "dataset"]


def shard(dataset: str, task: str, arm: str, **changes: Any) -> Shard:
    known: dict[str, Any] = {
        "shard_id": f"{dataset}.{arm}.0",
        "dataset": dataset,
        "arm": arm,
        "primary": True,
        "architecture": "mlp-64-64",
        "losses": (LOSS[task],),
        "penalty": "l2",
        "betas": BETAS,
        "optimizer": arm,
        "scaling": "clean",
        "contaminations": LEVELS[task],
        "seeds": (0, 1, 2),
        "task": task,
        "role": "study",
        "layers": ("dense 64", "relu"),
        "rows": Sizes(400, 400, 1000),
        "schedule": Schedule(0.01, 10, 8),
    }
    return Shard(**{**known, **changes})


def shards() -> list[Shard]:
    """Two primary arms, one further arm and one control: only the primary arms on study datasets may enter."""
    own = [shard(name, task, arm) for task, names in DATASETS.items() for name in names for arm in ("adam", "sgd")]
    further = shard("a1", "classification", "further", primary=False)
    return [*own, further, shard("planted", "regression", "adam", role="control")]


def cards() -> list[dict[str, Any]]:
    names = [*DATASETS["classification"], *DATASETS["regression"], "planted"]
    return [
        {
            "name": name,
            "rows": 300 + 170 * index,
            "columns": 4 + 3 * index,
            "condition_number": 10.0 ** (index % 4),
            "collinear": index % 2 == 0,
        }
        for index, name in enumerate(names)
    ]


def runs(seed: int = 0, lost: float = 0.0) -> pd.DataFrame:
    """Random measures; a share `lost` of the runs has diverged, with figures that must not be read."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(planned(shards())).drop(columns=["role", "primary"])
    n = len(frame)
    measures = ["test_risk", "validation_risk", "validation_risk_contaminated", "gini_live", "gini_live_inputs"]
    for name in (*measures, "effective_neurons", "weight_norm"):
        frame[name] = random.uniform(0.1, 0.9, n)
    frame["dead_fraction"] = np.where(frame["arm"] == "sgd", np.nan, random.uniform(size=n))
    return frame.assign(status=np.where(random.uniform(size=n) < lost, "diverged", "ok"))


def evidence(table: pd.DataFrame) -> Evidence:
    plan = pd.DataFrame(planned(shards()))
    return Evidence(plan, table, load(CLAIMS), STRATA, {card["name"]: card["collinear"] for card in cards()})


def made(table: pd.DataFrame) -> pd.DataFrame:
    return answers(evidence(table), cards(), shards())


def per_dataset(table: pd.DataFrame, level: str, risk: str, of_level: str) -> pd.DataFrame:
    """Means over the seeds that have all four runs of a comparison; beta is chosen by `risk` at `of_level`."""
    primary = table[table["arm"].isin(["adam", "sgd"]) & (table["dataset"] != "planted") & (table["status"] == "ok")]
    by = [*PLACE, "seed"]
    offered = primary[(primary["level"] == of_level) & (primary["beta"] > 0)]
    chosen = offered.loc[offered.groupby(by)[risk].idxmin(), [*by, "beta"]]
    runs_of = primary.set_index([*by, "level", "beta"])["test_risk"]
    out = []
    for row in chosen.itertuples(index=False):
        at = {
            name: runs_of.get((row.arm, row.task, row.dataset, row.seed, where, beta), np.nan) * UNIT[row.task]
            for name, where, beta in (
                ("with", level, row.beta),
                ("without", level, 0.0),
                ("clean with", "clean", row.beta),
                ("clean without", "clean", 0.0),
            )
        }
        if not any(np.isnan(value) for value in at.values()):
            out.append({**{name: getattr(row, name) for name in PLACE}, **at})
    return pd.DataFrame(out).groupby(PLACE).mean().reset_index()


def the(found: pd.DataFrame, **key: Any) -> pd.Series:
    """The one row of `found` with this key; `beta` is null unless it is named."""
    own = found
    for name, value in {"moderator": "", **key}.items():
        own = own[own[name] == value]
    own = own if "beta" in key else own[own["beta"].isna()]
    assert len(own) == 1, (key, own)
    return own.iloc[0]


def agrees(row: pd.Series, values: pd.Series) -> None:
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    expected = [values.mean(), low, high, len(values), values.median()]
    assert row[["estimate", "ci_low", "ci_high", "n_datasets", "median"]].tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("lost", [0.0, 0.25])
@pytest.mark.parametrize("choice", ["clean", "contaminated"])
@pytest.mark.parametrize(
    ("task", "kind", "level"),
    [
        ("classification", "label", "sym@0.4"),
        ("regression", "target", "vert@0.05,5"),
        ("classification", "label", "all"),
    ],
)
def test_risks_and_gains_are_means_over_datasets_of_means_over_seeds(
    task: str, kind: str, level: str, choice: str, lost: float
) -> None:
    table = runs(1, lost)
    found = made(table)
    risk = "validation_risk" if choice == "clean" else "validation_risk_contaminated"
    levels = ["sym@0.2", "sym@0.4"] if level == "all" else [level]
    told = [per_dataset(table, one, risk, "clean" if choice == "clean" else one) for one in levels]
    own = pd.concat(told).groupby(PLACE).mean().reset_index()
    own = own[(own["arm"] == "adam") & (own["task"] == task)]
    expected = {
        "risk without L2": own["without"],
        "risk with L2": own["with"],
        "gain": own["without"] - own["with"],
        "clean benefit": own["clean without"] - own["clean with"],
        "sensitivity": (own["with"] - own["clean with"]) - (own["without"] - own["clean without"]),
    }
    rows = {
        name: the(
            found, question="outliers", kind=kind, arm="adam", task=task, choice=choice, level=level, quantity=name
        )
        for name in expected
    }
    for name, values in expected.items():
        agrees(rows[name], values)
        assert rows[name]["unit"] == ("errors per 100 rows" if task == "classification" else "SD of the target")
    gain = rows["clean benefit"]["estimate"] - rows["sensitivity"]["estimate"]
    assert rows["gain"]["estimate"] == pytest.approx(gain, abs=1e-9)


def test_leverage_is_told_apart_by_collinearity() -> None:
    found = made(runs())
    counts = found[(found["quantity"] == "gain") & (found["level"] == "badlev@0.1,10") & (found["moderator"] == "")]
    counts = counts.groupby("kind")["n_datasets"].unique().map(list).to_dict()
    assert counts == {"leverage-collinear": [3], "leverage-other": [2]}


def test_clean_rows_and_mechanism() -> None:
    table = runs(2)
    found = made(table)
    own = table[(table["level"] == "clean") & (table["arm"] == "adam") & (table["task"] == "classification")]
    own = own[own["dataset"] != "planted"].set_index(["dataset", "seed", "beta"])
    penalised = own[own.index.get_level_values("beta") > 0]
    at = penalised.loc[penalised.groupby(["dataset", "seed"])["validation_risk"].idxmin()].droplevel("beta")
    base = own.xs(0.0, level="beta").loc[at.index]
    of = {"arm": "adam", "task": "classification", "kind": "clean", "level": "clean", "choice": "clean"}

    def mean(values: pd.Series) -> pd.Series:
        return values.groupby("dataset").mean()

    agrees(the(found, question="clean data", quantity="gain", **of), mean(100 * (base["test_risk"] - at["test_risk"])))
    for name in ("gini_live", "gini_live_inputs", "dead_fraction", "effective_neurons"):
        agrees(the(found, question="mechanism", quantity=name, **of), mean(at[name] - base[name]))
    ratio = mean(np.log(at["weight_norm"] / base["weight_norm"]))
    agrees(the(found, question="mechanism", quantity="weight_norm_log_ratio", **of), ratio)
    each = {**of, "choice": "each", "question": "mechanism"}
    for beta in BETAS:
        norms = own.xs(beta, level="beta")["weight_norm"]
        agrees(the(found, quantity="weight_norm", beta=beta, **each), mean(norms))
        ratio = mean(np.log(norms / own.xs(0.0, level="beta")["weight_norm"]))
        if beta:
            agrees(the(found, quantity="weight_norm_log_ratio", beta=beta, **each), ratio)
    assert "dead_fraction" not in set(found.loc[found["arm"] == "sgd", "quantity"])


def test_slopes_over_datasets_have_the_interval_of_hc3() -> None:
    """By the formula of MacKinnon & White (1985): residuals over 1 - leverage, in the sandwich."""
    table = runs(3)
    found = made(table)
    known = pd.DataFrame(cards()).set_index("name")
    train = np.minimum(400, known["rows"] // 2)
    moderators = {
        "collinearity": np.log10(known["condition_number"]),
        "columns per row": np.log10(known["columns"] / train),
    }
    own = per_dataset(table, "vert@0.05,5", "validation_risk", "clean")
    own = own[(own["arm"] == "sgd") & (own["task"] == "regression")].set_index("dataset")
    y = own["without"] - own["with"]
    for name, values in moderators.items():
        X = np.column_stack([np.ones(len(y)), values[y.index]])
        inverse = np.linalg.inv(X.T @ X)
        coefficients = inverse @ X.T @ y
        e = (y - X @ coefficients) / (1 - np.einsum("ij,jk,ik->i", X, inverse, X))
        half = stats.t.ppf(0.975, len(y) - 2) * np.sqrt((inverse @ (X.T * e.to_numpy() ** 2) @ X @ inverse)[1, 1])
        row = the(
            found, question="moderators", kind="target", arm="sgd", task="regression", choice="clean", level="all",
            quantity="gain", moderator=name,
        )  # fmt: skip
        expected = [coefficients[1], coefficients[1] - half, coefficients[1] + half, len(y)]
        assert row[["estimate", "ci_low", "ci_high", "n_datasets"]].tolist() == pytest.approx(expected, rel=1e-8)
        assert row["unit"] == "SD of the target per tenfold"


def test_the_share_of_outliers_is_compared_within_a_dataset() -> None:
    table = runs(4)
    found = made(table)
    low, high = (per_dataset(table, level, "validation_risk", "clean") for level in ("sym@0.2", "sym@0.4"))
    rise = (high["without"] - high["with"]) - (low["without"] - low["with"])
    own = rise[(low["arm"] == "adam") & (low["task"] == "classification")] / 2  # a tenth of the rows
    of = {"question": "moderators", "arm": "adam", "choice": "clean", "level": "all", "quantity": "gain"}
    agrees(the(found, kind="label", task="classification", moderator="share of outliers", **of), own)
    assert set(found.loc[found["moderator"] == "share of outliers", "kind"]) == {"label"}  # the others have one share


def test_few_datasets_have_no_slope_and_one_has_no_interval() -> None:
    table = runs(5)
    found = made(table[table["dataset"].isin(["a1", "b1", "b2"])])
    assert found[found["moderator"] != ""].empty
    one = found[(found["task"] == "classification") & (found["question"] == "outliers")]
    assert (one["n_datasets"] == 1).all() and one["ci_low"].isna().all() and one["estimate"].notna().all()


def test_bytes_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    table = runs(6, lost=0.1)
    files = []
    for name, frame in (("one", table), ("other", table.sample(frac=1, random_state=1))):
        files.append(tmp_path / name)
        write_frame(made(frame), files[-1])
    assert files[0].read_bytes() == files[1].read_bytes()


def test_keys_are_unique_and_nothing_is_told_of_further_arms_and_controls() -> None:
    found = made(runs(7))
    assert not found.duplicated(KEY).any()
    assert set(found["arm"]) == {"adam", "sgd"}
    assert found.loc[found["task"] == "regression", "n_datasets"].max() == 5
