"""One interface to three ways of training; which one it is follows from the architecture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from l2audit.config.study import Schedule
from l2audit.models.architectures import Architecture, Network
from l2audit.models.penalties import Penalty
from l2audit.models.problem import VANISHED, Array, Fitted, Problem
from l2audit.networks.recipe import Recipe


def fit(
    problem: Problem,
    architecture: Architecture,
    loss: str,
    penalty: Penalty,
    optimizer: str,
    schedule: Schedule | None,
    chunk: int | None = None,
) -> Fitted:
    """Train every model of `problem`: mean(loss) plus beta times the penalty.

    An architecture without layers is solved exactly (`loss` and `penalty` in l2audit.linear; it never imports
    TensorFlow). Networks train `chunk` at a time as one program (their size decides how many, unless told), those on
    larger images one by one. Either way a run's weights and certificates are the same to the last bit whatever else is
    in the problem. A model that diverges has finite = False and disturbs no other.

    UnknownName: a loss or optimizer that is not registered. ValueError: a loss for the other task, a penalty that
    leaves out a kernel that is not there. UserError: layers that do not fit the rows.
    """
    if not architecture.layers:
        from l2audit.linear import fit_linear

        return fit_linear(problem, loss, penalty)
    if schedule is None:
        raise ValueError("networks are trained by a schedule, and none was given")
    network = architecture.network(problem.X.shape[2], problem.outputs, problem.image)
    again = np.flatnonzero((problem.beta == 0) & (problem.seed == HALF_SEED))
    models = np.concatenate([np.arange(len(problem.data)), again])
    steps = np.full(len(models), schedule.steps)
    steps[len(problem.data) :] = max(1, schedule.steps // 2)
    twice = replace(problem, data=problem.data[models], beta=problem.beta[models], seed=problem.seed[models])
    trained = _train(twice, Recipe(network, loss, penalty, optimizer, schedule), steps, chunk)
    half = np.full(len(problem.data), np.nan)
    half[again] = trained["train_loss"][len(problem.data) :]
    fitted = assemble(network, problem, penalty, {name: one[: len(problem.data)] for name, one in trained.items()})
    fitted.certificates["train_loss_half"] = half
    return fitted


HALF_SEED = 0
"""The replicate whose models at beta = 0 are trained once more with half the steps.

At beta = 0 nothing certifies convergence (on separable data there is no minimum): what twice the steps change has to be
looked at.
"""


def _train(problem: Problem, recipe: Recipe, steps: Array, chunk: int | None) -> dict[str, Array]:
    """What `networks.program.program` returns, for all models along axis 0; steps: (M,), how many each one takes."""
    from l2audit.models.losses import LOSSES
    from l2audit.networks.graph import train_one_by_one
    from l2audit.networks.stacked import train_stacked

    if LOSSES[recipe.loss].task != problem.task:
        raise ValueError(f"loss '{recipe.loss}' is for {LOSSES[recipe.loss].task}, not for {problem.task}")
    if recipe.network.stackable:
        pieces = list(train_stacked(problem, recipe, steps, chunk))
    else:
        pieces = list(train_one_by_one(problem, recipe, steps))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def assemble(network: Network, problem: Problem, penalty: Penalty, trained: dict[str, Array]) -> Fitted:
    """Fitted models from what the programs returned, models along axis 0."""
    named = dict(trained)
    flat, moments = named.pop("flat"), named.pop("moments")
    exposure = named.pop("exposure").astype(np.float64)
    kernels, biases = network.unpack(flat)
    acts = (problem.beta > 0) & any(penalty.covers(len(kernels)))
    certificates: dict[str, Array] = {name: values.astype(np.float64) for name, values in named.items()}
    certificates["balance"] = balance(kernels) if balances(network, penalty) else np.full(len(flat), np.nan)
    certificates["decay_exposure"] = np.where(acts, exposure * problem.beta.astype(np.float64), 0.0)
    certificates["finite"] = (
        np.isfinite(flat).all(axis=1) & np.isfinite(moments).all(axis=1) & np.isfinite(certificates["train_loss"])
    )
    return Fitted(kernels, biases, certificates, _predictor(network, flat, moments), network, flat, moments)


def balances(network: Network, penalty: Penalty) -> bool:
    """Whether theory has the norms of neighbouring kernels equal at every stationary point.

    Each layer must turn s times its input into s times its output, s > 0, and all kernels must have the squared norm
    as their penalty, biases free.
    """
    reached = penalty.covers(len(network.kernels))
    return (
        penalty.word == "l2" and all(reached) and not penalty.biases and all(one.homogeneous for one in network.layers)
    )


def balance(kernels: list[Array]) -> Array:
    """(M,): the largest |log(||W_l|| / ||W_l+1||)| over neighbouring kernels [(M, ...)]; NaN for a single kernel.

    0 at every stationary point of a relu network whose kernels are all penalised: at a minimum the norms into and
    out of each hidden unit agree (Du, Hu & Lee 2018, extended to L2). Kernels that have both vanished are balanced.
    """
    models = len(kernels[0])
    if len(kernels) == 1:
        return np.full(models, np.nan)
    norms = np.array([[np.linalg.norm(one.astype(np.float64)) for one in kernel] for kernel in kernels])
    with np.errstate(divide="ignore", invalid="ignore"):
        gaps = [
            np.where((a < VANISHED) & (b < VANISHED), 0.0, np.abs(np.log(a) - np.log(b))) for a, b in pairwise(norms)
        ]
    return np.max(gaps, axis=0)  # type: ignore[no-any-return]


def _predictor(network: Network, flat: Array, moments: Array) -> Callable[[Array, Array], Array]:
    from l2audit.networks.program import predictor

    outputs_of = predictor(network)

    def predict(X: Array, which: Array) -> Array:
        rows = X.astype(np.float32, copy=False)
        models = zip(flat, moments, which, strict=True)
        return np.stack([outputs_of(one, own, rows[index]).numpy() for one, own, index in models])

    return predict
