"""Measures: numbers computed from runs, each with a written formula and a unit, one small function a measure.

A measure takes an `Evaluation`: what M models of one shard were seen to do, and their weights. It returns one number
per model, (M,). That number depends on the model alone and on the runs that the measure says it rests on. A new measure
is one function in a module here; it becomes a column of `runs.parquet` and a line of `docs/results.md`.
"""

from l2audit.measures import kernels, neurons, risks
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
from l2audit.measures.kernels import layer_norms

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
    "kernels",
    "layer_norms",
    "neurons",
    "risks",
]
