"""Measures: numbers computed from runs, each with a written formula and a unit, one small function a measure.

A measure takes an `Evaluation` (what M models of one shard were seen to do, and their weights) and returns one number a
model, (M,), which depends on that model alone and on the runs that the measure says it rests on. Adding one is one
function in a module here; it becomes a column of `runs.parquet` and a line of `docs/results.md`.
"""

from l2audit.measures import neurons, risks, weights
from l2audit.measures.evaluation import (
    CLEAN_RUN,
    DIVERGED,
    MEASURES,
    OK,
    UNPENALISED_RUN,
    Evaluation,
    Hidden,
    Measure,
    Part,
)
from l2audit.measures.weights import layer_norms

__all__ = [
    "CLEAN_RUN",
    "DIVERGED",
    "MEASURES",
    "OK",
    "UNPENALISED_RUN",
    "Evaluation",
    "Hidden",
    "Measure",
    "Part",
    "layer_norms",
    "neurons",
    "risks",
    "weights",
]
