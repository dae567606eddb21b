"""Measure what optimizer and learning rate do to networks, into the tables of docs/training.md: `make learning-rates`.

Seven bundled datasets, four seeds, 2,000 steps, clean and contaminated rows, five betas. A table stands between
`<!-- measured: NAME -->` and `<!-- end of table -->`. It takes some five minutes of one core.
"""

from __future__ import annotations

import re
import sys

import pandas as pd
from tools.outside import ROOT, Data, bundled, trained
from tools.tables import Rows, table_text

from l2audit.config.study import PRIMARY_LOSS, Contamination, Schedule
from l2audit.data.split import Sizes
from l2audit.files import write_text
from l2audit.pipeline.environment import prepare_environment
from l2audit.plan import CLEAN, Shard

DOCUMENT = ROOT / "docs" / "training.md"
DATASETS = ("digits", "breast_cancer", "wine", "anes96", "star98", "diabetes", "engel")
WAYS = {  # optimizer and learning rate -> what it is
    ("adam-95", 0.02): "study 1",
    ("adam", 0.02): "Adam of Keras, rate of study 1",
    ("adam", 0.001): "mlp-adam: as Keras sets it",
    ("momentum", 0.01): "mlp-sgd: as Keras sets it",
    ("sgd", 0.02): "plain gradient descent",
}
BETAS = (0.0, 0.001, 0.01, 0.1, 1.0)
SEEDS = (0, 1, 2, 3)
BAD_ROWS = {"classification": Contamination("sym", 0.2), "regression": Contamination("vert", 0.1, 10.0)}
SHOWN = ("star98", "diabetes")  # regression: where the two studies differ most
MARKED = re.compile(r"(<!-- measured: ([\w ]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)


def shards(data: Data) -> list[Shard]:
    """One shard per dataset and way of training."""
    return [
        Shard(
            shard_id=f"{name}.{optimizer}-{rate:g}",
            dataset=name,
            arm=f"{optimizer}-{rate:g}",
            primary=True,
            architecture="mlp-64-64",
            losses=(PRIMARY_LOSS[prepared.task],),
            penalty="l2",
            betas=BETAS,
            optimizer=optimizer,
            scaling="clean",
            contaminations=(CLEAN, BAD_ROWS[prepared.task]),
            seeds=SEEDS,
            task=prepared.task,
            role="study",
            layers=("dense 64", "relu", "dense 64", "relu"),
            rows=Sizes(train=400, validation=400, test=1000),
            schedule=Schedule(learning_rate=rate, steps=2000, batch=64),
        )
        for name, (prepared, _) in data.items()
        for optimizer, rate in WAYS
    ]


def tables(runs: pd.DataFrame) -> dict[str, tuple[list[str], Rows]]:
    """Name -> head and rows: medians over datasets, levels and seeds, and over the seeds of two datasets."""
    betas = [f"beta {beta:g}" for beta in BETAS]

    def medians(measure: str, optimizer: str, rate: float, of: pd.DataFrame) -> list[float]:
        found = of[of["arm"] == f"{optimizer}-{rate:g}"].groupby("beta")[measure].median()
        return [float(found[beta]) for beta in BETAS]

    dead = [
        [f"{optimizer} at {rate:g}", meaning]
        + [f"{100 * share:.0f} %" for share in medians("dead_fraction", optimizer, rate, runs)]
        for (optimizer, rate), meaning in WAYS.items()
    ]
    hit = runs[runs["level"] != CLEAN.level]
    risks = [
        [name, f"{optimizer} at {rate:g}"]
        + [f"{risk:.2f}" for risk in medians("test_risk", optimizer, rate, hit[hit["dataset"] == name])]
        for name in SHOWN
        for optimizer, rate in WAYS
    ]
    return {
        "dead units": (["training", "which is", *betas], dead),
        "risk with outliers": (["dataset", "training", *betas], risks),
    }


def written(text: str, made: dict[str, tuple[list[str], Rows]]) -> str:
    """`text` of a document with the measured tables in their places; KeyError: a place for a table that is not made."""
    return MARKED.sub(lambda match: match[1] + table_text(*made[match[2]]) + match[4], text)


def main() -> None:
    """Train, and write docs/training.md."""
    prepare_environment(ROOT / "src")
    data = bundled(DATASETS)
    runs = trained(shards(data), data)
    write_text(DOCUMENT, written(DOCUMENT.read_text(encoding="utf-8"), tables(runs)))
    lost = int((runs["status"] != "ok").sum())
    sys.stdout.write(f"{DOCUMENT.relative_to(ROOT)}: {len(runs)} models, {lost} of them diverged\n")


if __name__ == "__main__":
    main()
