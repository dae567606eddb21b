"""Measures of hidden units: whether few of them do all the work."""

from __future__ import annotations

import numpy as np

from l2audit.measures.evaluation import Array, Evaluation, measure, not_there

TOP = 0.1
"""The share of a network's hidden units whose share of the work is looked at."""


def importances(runs: Evaluation, layer: int) -> Array:
    """||w_in|| * scale * ||w_out|| of each unit of a hidden layer, (M, units).

    Multiplying a unit's incoming weights by s > 0 and dividing the outgoing ones by s changes no output of a relu
    network and no importance. A channel's outgoing weights are those at all pixels that the next kernel takes it from.
    A normalisation between is taken into the incoming weights (see `Hidden.scale`).
    """
    scale = runs.hidden[layer].scale.astype(np.float64)
    models, units = scale.shape
    incoming = runs.kernels[layer].reshape(models, -1, units).astype(np.float64)
    outgoing = runs.kernels[layer + 1]
    outgoing = outgoing.reshape(models, -1, units, outgoing.shape[-1]).astype(np.float64)
    return np.asarray(np.sqrt((incoming**2).sum(axis=1)) * np.abs(scale) * np.sqrt((outgoing**2).sum(axis=(1, 3))))


@measure(
    "effective_neurons",
    "(sum a)^2 / (units sum a^2), a = ||w_in|| ||w_out|| of each hidden unit, mean over hidden layers; null for a "
    "linear model",
)
def effective_neurons(runs: Evaluation) -> Array:
    """Effective share of the hidden units, (M,) in (0, 1]; 1 where all weigh the same; NaN where a layer has none."""
    if not runs.hidden:
        return not_there(len(runs.kernels[0]))
    shares = []
    for layer in range(len(runs.hidden)):
        a = importances(runs, layer)
        largest = a.max(axis=1, keepdims=True)
        a = np.divide(a, largest, out=np.full_like(a, np.nan), where=largest > 0)
        shares.append(a.sum(axis=1) ** 2 / (a.shape[1] * (a**2).sum(axis=1)))
    return np.asarray(np.mean(shares, axis=0))


@measure(
    "ablation_share",
    "share of the summed rises in clean validation loss (at most 128 rows), each with one hidden unit set to 0, falls "
    "counted as 0, that the top 10 % of units hold; null where nothing rises",
)
def ablation_share(runs: Evaluation) -> Array:
    """How much of the loss that silencing single units costs is owned by the top tenth of them, (M,) in [0, 1].

    The tenth is round(units / 10) of the units of all hidden layers together, at least one.
    """
    if not runs.hidden:
        return not_there(len(runs.kernels[0]))
    rises = np.concatenate([one.increase for one in runs.hidden], axis=1).astype(np.float64).clip(min=0.0)
    top = max(1, round(TOP * rises.shape[1]))
    total = rises.sum(axis=1)
    owned = np.sort(rises, axis=1)[:, -top:].sum(axis=1)
    return np.asarray(np.divide(owned, total, out=not_there(len(total)), where=total > 0))


@measure("dead_fraction", "share of hidden units that do nothing on the rows fitted; null for a linear model")
def dead_fraction(runs: Evaluation) -> Array:
    """Share of the units of all hidden layers that are not live, (M,) in [0, 1]."""
    if not runs.hidden:
        return not_there(len(runs.kernels[0]))
    live = np.concatenate([one.live for one in runs.hidden], axis=1)
    return np.asarray(1.0 - live.mean(axis=1))
