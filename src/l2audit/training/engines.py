"""One interface to three ways of training; which one it is follows from the architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np

from l2audit.models.architectures import Architecture, Network
from l2audit.training.problem import VANISHED, Array, Fitted, Problem, Schedule


def fit(
    problem: Problem,
    architecture: Architecture,
    loss: str,
    penalty: str,
    optimizer: str,
    schedule: Schedule,
    chunk: int,
) -> Fitted:
    """Train every model of `problem`: mean(loss) + beta * penalty over the kernels, biases free.

    An architecture without layers is solved exactly (`loss` in training.linear; it never imports TensorFlow). Dense
    networks train `chunk` at a time as one program, networks on images one by one. Either way a run's weights and
    certificates are the same to the last bit whatever else is in the problem, and a model that diverges is told by
    finite = False and disturbs no other.

    UnknownName: a loss, penalty or optimizer that is not registered. ValueError: a loss for the other task.
    UserError: layers that do not fit the rows.
    """
    if not architecture.layers:
        from l2audit.training.linear import fit_linear

        return fit_linear(problem, loss)
    network = architecture.network(problem.X.shape[2], problem.outputs, problem.image)
    return _fit_network(problem, network, loss, penalty, optimizer, schedule, chunk)


def _fit_network(
    problem: Problem, network: Network, loss: str, penalty: str, optimizer: str, schedule: Schedule, chunk: int
) -> Fitted:
    from l2audit.models.losses import LOSSES
    from l2audit.training.graph import train_one_by_one
    from l2audit.training.stacked import train_stacked

    if LOSSES[loss].task != problem.task:
        raise ValueError(f"loss '{loss}' is for {LOSSES[loss].task}, not for {problem.task}")
    if network.stackable:
        return assemble(network, problem, train_stacked(problem, network, loss, penalty, optimizer, schedule, chunk))
    return assemble(network, problem, train_one_by_one(problem, network, loss, penalty, optimizer, schedule))


def assemble(network: Network, problem: Problem, pieces: Iterable[dict[str, Array]]) -> Fitted:
    """Fitted models from what the programs returned, piece after piece along axis 0."""
    collected = list(pieces)
    trained = {name: np.concatenate([piece[name] for piece in collected]) for name in collected[0]}
    flat = trained.pop("flat")
    exposure = trained.pop("exposure").astype(np.float64)
    kernels, biases = network.unpack(flat)
    certificates = {name: values.astype(np.float64) for name, values in trained.items()}
    certificates["balance"] = balance(kernels)
    certificates["decay_exposure"] = np.where(problem.beta > 0, exposure * problem.beta.astype(np.float64), 0.0)
    certificates["finite"] = np.isfinite(flat).all(axis=1) & np.isfinite(certificates["train_loss"])
    return Fitted(kernels, biases, certificates, _predictor(network, flat))


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


def _predictor(network: Network, flat: Array) -> Callable[[Array, Array], Array]:
    from l2audit.training.program import predictor

    outputs_of = predictor(network)

    def predict(X: Array, which: Array) -> Array:
        rows = X.astype(np.float32, copy=False)
        return np.stack([outputs_of(one, rows[index]).numpy() for one, index in zip(flat, which, strict=True)])

    return predict
