"""What every model predicted on its clean test rows, stored so that it can be scored anew without training.

One file per job, one row per run. Classes are kept in the smallest unsigned integers that hold them. The
log-probability of the true class is kept as float16, with a relative error of at most 1 in 2,000, cut at -65504: enough
for a mean over hundreds of rows. Values stay float32. An unpenalised model under bad leverage can exceed 65504, where
float16 ends, and a risk scored from float16 could not be compared to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from l2audit import stored
from l2audit.measures import DIVERGED, OK, Part
from l2audit.measures.risks import half_squared, nrmse

LOWEST = float(np.finfo(np.float16).min)

Predictions = dict[str, NDArray[Any]]
"""run_id and status (M,); target and predicted (M, n); for classification log_probability (M, n)."""


def predictions_of(task: str, test: Part, run_ids: Sequence[str], finite: NDArray[np.bool_]) -> Predictions:
    """Predictions of M models on their test rows; a class is that of the largest logit, ties go to the lowest.

    finite: (M,) which runs did not diverge. What is stored of a diverged run means nothing: its status says so.
    """
    found: Predictions = {"run_id": np.asarray(run_ids), "status": np.where(finite, OK, DIVERGED)}
    if task != "classification":
        return {**found, "target": test.y, "predicted": test.outputs[:, :, 0]}
    small = np.min_scalar_type(test.outputs.shape[2] - 1)
    with np.errstate(all="ignore"):  # a diverged model predicts nothing that is a number
        chance = np.maximum(_log_probability(test), LOWEST).astype(np.float16)
    predicted = test.outputs.argmax(axis=2).astype(small)
    return {**found, "target": test.y.astype(small), "predicted": predicted, "log_probability": chance}


def _log_probability(test: Part) -> NDArray[np.float64]:
    """(M, n): log of the softmax at the target class, <= 0."""
    logits = test.outputs.astype(np.float64)
    logits -= logits.max(axis=2, keepdims=True)
    chosen = np.take_along_axis(logits, test.y[:, :, None].astype(np.int64), axis=2)[:, :, 0]
    return np.asarray(chosen - np.log(np.exp(logits).sum(axis=2)))


def predictions_table(pieces: Sequence[Predictions]) -> pa.Table:
    """The predictions of a shard, sorted by run_id."""
    whole = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    order = np.argsort(whole["run_id"])
    return pa.table({name: _column(values[order]) for name, values in whole.items()})


def _column(values: NDArray[Any]) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values.tolist(), pa.string())
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).ravel()), values.shape[1])


def rescored(path: str | Path) -> dict[str, NDArray[Any]]:
    """run_id, test_risk and test_loss of every run in a file of predictions, from what is in it alone.

    Both are NaN for a diverged run. test_risk equals the column of that name to the bit. So does test_loss for
    regression; for classification it agrees to the precision of float16, a relative error of at most 2^-11.
    DamagedFile: the file is not what was written.
    """
    table = stored.read_table(path)

    def column(name: str) -> NDArray[Any]:
        flat = table[name].combine_chunks()
        return np.asarray(flat.values.to_numpy(zero_copy_only=False)).reshape(len(table), -1)

    run_id = np.asarray(table["run_id"].to_pylist())
    target, predicted = column("target"), column("predicted")
    with np.errstate(all="ignore"):
        if "log_probability" in table.column_names:
            risk = (predicted != target).mean(axis=1)
            loss = -column("log_probability").astype(np.float64).mean(axis=1)
        else:
            part = Part(predicted[:, :, None], target)
            risk, loss = nrmse(part), half_squared(part)
    usable = np.asarray(table["status"].to_pylist()) == OK
    scores = {"test_risk": risk, "test_loss": loss}
    return {"run_id": run_id, **{name: np.where(usable, score, np.nan) for name, score in scores.items()}}
