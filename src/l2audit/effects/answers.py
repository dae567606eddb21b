"""The answer for a practitioner: test risk with and without L2, the gain, and what goes with a larger gain.

Nothing here is clipped or judged. A number is a mean over datasets of means over seeds, in units of a reader: errors
per 100 rows, or shares of the target's standard deviation. Every finite run counts. The page draws this table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from l2audit.config.study import CLASSIFICATION, PRIMARY_LOSS, REGRESSION
from l2audit.contamination import CLEAN
from l2audit.data.split import sizes_for
from l2audit.effects.evidence import Evidence
from l2audit.effects.grid import Array, Grid, moments

if TYPE_CHECKING:
    from l2audit.plan import Shard

OUTLIERS, CLEAN_DATA, MECHANISM, MODERATORS = QUESTIONS = ("outliers", "clean data", "mechanism", "moderators")
CHOICES = {"clean": "validation_risk", "contaminated": "validation_risk_contaminated"}
"""Rows that beta is chosen on -> the risk that is least there. Without outliers the two are one, and "clean" stands."""
EACH = "each"
"""In place of a choice: one row for every beta that was trained."""
ALL = "all"

GAIN = "gain"
SCALES = {CLASSIFICATION: 100.0, REGRESSION: 1.0}
UNITS = {CLASSIFICATION: "errors per 100 rows", REGRESSION: "SD of the target"}
CHANGES = {
    "gini_live_inputs": "of the Gini index",
    "gini_live": "of the Gini index",
    "dead_fraction": "share of hidden units",
    "effective_neurons": "share of hidden units",
}
LOG_NORM, NORM = "weight_norm_log_ratio", "weight_norm"

COLLINEARITY, COLUMNS, SHARE = "collinearity", "columns per row", "share of outliers"
PER = {COLLINEARITY: "per tenfold", COLUMNS: "per tenfold", SHARE: "per 10 points of outliers"}
SHARE_STEP = 0.1

GROUP = ["question", "kind", "arm", "task", "choice", "level", "quantity", "beta"]
KEY = ["question", "kind", "arm", "task", "choice", "level", "quantity", "moderator", "beta"]
VALUES = ["estimate", "ci_low", "ci_high", "n_datasets", "median", "unit"]
CONFIDENCE = 0.95


def answers(evidence: Evidence, cards: Sequence[Mapping[str, Any]], shards: Sequence[Shard]) -> pd.DataFrame:
    """The table of answers of a study, sorted by `KEY`. docs/results.md explains its columns.

    cards: the data cards, which know the moderators. shards: the plan, which knows how many rows are trained on.
    Only primary arms on datasets of the study are in it. An interval is null where there is one dataset.
    """
    scores = pd.DataFrame(_scores(evidence), columns=[*GROUP, "dataset", "value"]).dropna(subset="value")
    place = [*GROUP, "dataset"]
    over_levels = scores[scores["question"] == OUTLIERS].assign(level=ALL)
    over_levels = over_levels.groupby(place, dropna=False, sort=True)["value"].mean().reset_index()
    scores = pd.concat([scores, over_levels]).sort_values(place, ignore_index=True)
    rows = []
    for key, own in scores.groupby(GROUP, dropna=False, sort=True):
        named: dict[str, Any] = dict(zip(GROUP, key, strict=True))
        rows.append({**named, "moderator": "", **_average(own["value"].to_numpy()), "unit": _unit(named)})
    rows += _slopes(scores, _moderators(cards, shards), evidence)
    return pd.DataFrame(rows, columns=[*KEY, *VALUES]).sort_values(KEY, ignore_index=True)


def _scores(evidence: Evidence) -> Iterator[tuple[object, ...]]:
    """`GROUP`, the dataset, and the mean over its seeds; NaN where no seed has all the runs of a number."""
    for block, by_loss in evidence.grids.items():
        grid = by_loss.get(PRIMARY_LOSS[block.task])
        if block.role != "study" or block not in evidence.primary or grid is None:
            continue
        for level in grid.levels:
            kind = evidence.stratum(level, block.dataset)
            for choice, risk in CHOICES.items():
                if level == CLEAN and risk != CHOICES["clean"]:
                    continue
                chosen = grid.best(CLEAN if choice == "clean" else level, risk)
                question = CLEAN_DATA if level == CLEAN else OUTLIERS
                for quantity, value in _risks(grid, level, chosen, SCALES[block.task]).items():
                    place = (question, kind, block.arm, block.task, choice, level, quantity, np.nan)
                    yield (*place, block.dataset, value)
        for choice, quantity, beta, value in _mechanism(grid):
            place = (MECHANISM, CLEAN, block.arm, block.task, choice, CLEAN, quantity, beta)
            yield (*place, block.dataset, value)


def _risks(grid: Grid, level: str, chosen: NDArray[np.int64], scale: float) -> dict[str, float]:
    """Mean risks on clean test rows, and their differences, over the seeds that have every run of them.

    With outliers there are four runs, trained on contaminated and on clean rows, with the penalty and without it. All
    quantities are of the same seeds, so gain = clean benefit - sensitivity.
    """
    seeds, own, clean = np.arange(len(grid.seeds)), grid.levels.index(level), grid.levels.index(CLEAN)
    risk = scale * grid.column("test_risk")
    without, with_l2 = risk[own, 0, seeds], risk[own, chosen, seeds]
    found = {"risk without L2": without, "risk with L2": with_l2, GAIN: without - with_l2}
    if level != CLEAN:
        benefit = risk[clean, 0, seeds] - risk[clean, chosen, seeds]
        found |= {"clean benefit": benefit, "sensitivity": benefit - found[GAIN]}
    there = np.isfinite(list(found.values())).all(axis=0)
    return {name: float(values[there].mean()) if there.any() else np.nan for name, values in found.items()}


def _mechanism(grid: Grid) -> Iterator[tuple[str, str, float, float]]:
    """(choice, quantity, beta, mean over seeds): changes from beta = 0, and norms, of models trained on clean rows.

    beta is NaN where each seed has its own, the one that its clean validation rows choose.
    """
    clean, seeds = grid.levels.index(CLEAN), np.arange(len(grid.seeds))
    chosen = grid.best(CLEAN)

    def mean(values: Array) -> float:
        return float(moments(values)[1])

    for name in CHANGES:
        values = grid.column(name)[clean]
        yield "clean", name, np.nan, mean(values[chosen, seeds] - values[0])
    norms = grid.column(NORM)[clean]
    with np.errstate(divide="ignore", invalid="ignore"):  # a network without weights has no logarithm, and is left out
        ratios = np.log(norms / norms[0])
    yield "clean", LOG_NORM, np.nan, mean(ratios[chosen, seeds])
    for index, beta in enumerate(grid.betas):
        yield EACH, NORM, float(beta), mean(norms[index])
        yield EACH, LOG_NORM, float(beta), mean(ratios[index])


def _average(values: NDArray[np.floating[Any]]) -> dict[str, Any]:
    """Mean, t interval and median of one finite value a dataset."""
    n = len(values)
    mean, half = values.mean(), np.nan
    if n > 1:
        half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return {
        "estimate": mean,
        "ci_low": mean - half,
        "ci_high": mean + half,
        "n_datasets": n,
        "median": float(np.median(values)),
    }


def _unit(named: Mapping[str, Any]) -> str:
    if named["question"] != MECHANISM:
        return UNITS[named["task"]]
    return {LOG_NORM: "natural log ratio", NORM: "Frobenius norm of all kernels", **CHANGES}[named["quantity"]]


def _moderators(cards: Sequence[Mapping[str, Any]], shards: Sequence[Shard]) -> dict[str, dict[str, float]]:
    """What a dataset has of each moderator: log10 of its condition number, log10 of its columns per training row."""
    caps = {shard.dataset: shard.rows for shard in shards}
    known = [card for card in cards if card["name"] in caps]
    return {
        COLLINEARITY: {card["name"]: float(np.log10(card["condition_number"])) for card in known},
        COLUMNS: {
            card["name"]: float(np.log10(card["columns"] / sizes_for(card["rows"], caps[card["name"]]).train))
            for card in known
        },
    }


def _slopes(
    scores: pd.DataFrame, moderators: Mapping[str, Mapping[str, float]], evidence: Evidence
) -> Iterator[dict[str, Any]]:
    """The slopes of the gain on each moderator: over datasets, and for the share of outliers within each of them.

    Over datasets: least squares with an interval that allows for unequal variances (HC3, MacKinnon & White 1985); its
    median is that of the slopes between pairs (Theil-Sen). No row for fewer datasets than a verdict needs.
    """
    gains = scores[(scores["quantity"] == GAIN) & scores["question"].isin([OUTLIERS, CLEAN_DATA])]
    least = evidence.registration.constants.k_min
    for key, own in gains[gains["level"].isin([ALL, CLEAN])].groupby(GROUP, dropna=False, sort=True):
        named: dict[str, Any] = {**dict(zip(GROUP, key, strict=True)), "question": MODERATORS}
        for name, values in moderators.items():
            x, y = own["dataset"].map(values).to_numpy(dtype=float), own["value"].to_numpy()
            if len(y) >= least and np.ptp(x) > 0:
                yield {**named, "moderator": name, **_line(x, y), "unit": f"{UNITS[named['task']]} {PER[name]}"}
    levels = evidence.plan.drop_duplicates("level").set_index("level")[["kind", "rate", "magnitude"]]
    levels = levels.rename(columns={"kind": "way"})  # a kind of contamination; `kind` is what is judged together
    by_level = gains[~gains["level"].isin([ALL, CLEAN])].join(levels, on="level")
    alike = [*GROUP, "dataset", "way", "magnitude"]
    alike.remove("level")
    about = by_level.groupby(alike, dropna=False)[["rate", "value"]]
    away = by_level[["rate", "value"]] - about.transform("mean")
    products = by_level.assign(xy=away["rate"] * away["value"], xx=away["rate"] ** 2, level=ALL)
    sums = products.groupby([*GROUP, "dataset"], dropna=False, sort=True)[["xy", "xx"]].sum()
    slopes = (SHARE_STEP * sums["xy"] / sums["xx"])[sums["xx"] > 0].rename("value").reset_index()
    for key, own in slopes.groupby(GROUP, dropna=False, sort=True):
        named = {**dict(zip(GROUP, key, strict=True)), "question": MODERATORS}
        if len(own) >= least:
            average = _average(own["value"].to_numpy())
            yield {**named, "moderator": SHARE, **average, "unit": f"{UNITS[named['task']]} {PER[SHARE]}"}


def _line(x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> dict[str, Any]:
    """Slope of `y` on `x`, both (n,), one number a dataset."""
    from statsmodels.api import OLS, add_constant

    with np.errstate(all="ignore"):  # a dataset that fixes the slope alone has no HC3 variance: the interval is null
        fit = OLS(y, add_constant(x)).fit(cov_type="HC3", use_t=True)
        low, high = fit.conf_int(alpha=1 - CONFIDENCE)[1]
    return {
        "estimate": fit.params[1],
        "ci_low": low,
        "ci_high": high,
        "n_datasets": len(y),
        "median": float(stats.theilslopes(y, x).slope),
    }
