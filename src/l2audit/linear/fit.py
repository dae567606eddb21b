"""From a `Problem` to `Fitted` linear models with their certificates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l2audit.linear.certificate import gradient_ratio, round_off
from l2audit.linear.coordinates import Array
from l2audit.linear.cross_entropy import loss_cross_entropy, solve_cross_entropy, solve_cross_entropy_l1
from l2audit.linear.huber import loss_huber, solve_huber
from l2audit.linear.squared import loss_squared, solve_squared, solve_squared_l1
from l2audit.models.penalties import Penalty
from l2audit.models.problem import Fitted, Problem
from l2audit.registry import Registry


@dataclass(frozen=True)
class LinearLoss:
    """A loss with exact linear solvers.

    solvers: by penalty, that of `l2` for beta = 0 too, the others for beta > 0 only. A solver maps X (n, p), y (n,),
        beta (m,), in classification the number of classes K, and intercept (True: free; False: none) to kernels
        (m, p, K) and biases (m, K), without the last axis in regression. A model's bits depend on X, y and its own
        beta only.
    loss: (predicted (n, outputs), y (n,)) to the mean loss and its gradient in `predicted`. It shares no code with the
        solvers: the certificates rest on it.
    """

    task: str
    solvers: dict[str, Callable[..., tuple[Array, Array]]]
    loss: Callable[[Array, Any], tuple[float, Array]]


LINEAR_LOSSES = Registry[LinearLoss]("loss of a linear model")
LINEAR_LOSSES.add("squared", LinearLoss("regression", {"l2": solve_squared, "l1": solve_squared_l1}, loss_squared))
LINEAR_LOSSES.add("huber", LinearLoss("regression", {"l2": solve_huber}, loss_huber))
LINEAR_LOSSES.add(
    "cross_entropy",
    LinearLoss("classification", {"l2": solve_cross_entropy, "l1": solve_cross_entropy_l1}, loss_cross_entropy),
)

WITHOUT_EFFECT = ("none", "placebo")
"""Penalties that leave an exactly solved model as it is at beta = 0, whatever the beta."""


def supports(loss: str, penalty: Penalty) -> None:
    """Nothing, if linear models of this loss and penalty can be fitted.

    UnknownName: the loss. ValueError: a penalty for networks or for other losses only, or one that leaves out a kernel
    that a linear model does not have; the message names the fix.
    """
    known = (*LINEAR_LOSSES[loss].solvers, *WITHOUT_EFFECT)
    if penalty.word not in known:
        reason = "is a way of training networks, and linear models are solved without steps"
        if penalty.word == "l1":
            reason = f"has no exact solver under loss '{loss}' of linear models"
        raise ValueError(
            f"penalty '{penalty.word}' {reason}: use {', '.join(known)}, or give '{penalty.word}' to networks only"
        )
    try:
        penalty.covers(1)
    except ValueError as fault:
        raise ValueError(
            f"{fault}; a linear model has one kernel, its output layer: leave out `output` or none"
        ) from None


def fit_linear(problem: Problem, loss: str, penalty: Penalty) -> Fitted:
    """Fit every model of `problem` as a linear model: the minimiser of mean(loss) + beta * penalty.

    loss: `squared` or `huber` for regression, `cross_entropy` for classification.
    penalty: `l2` is half the squared norm of the kernel. `l1` is its sum of absolute values, not with `huber`. Both may
        have the bias in them. A penalty on nothing (`none`, `placebo`, `l2 except output`) makes every beta 0.
    UnknownName and ValueError: see `supports`; also ValueError for a loss of the other task, or a regression of several
    outputs.

    What is solved at beta = 0 does not depend on the penalty; the L2 solver of each loss documents it. A model's bits
    do not depend on what else is in the problem. The float64 solution predicts and is certified. Kernels
    (M, p, outputs) and biases (M, outputs) are its float32 copies, as of every engine. Predictions from those copies
    would lose the large weights of opposite sign that a collinear design has at beta = 0.

    Certificates are computed in float64 from the weights alone, over the run's own training rows: the mean loss without
    the penalty, `certificate.gradient_ratio` (1 at beta = 0), NaN for `balance` (one layer), and inf for
    `decay_exposure` (0 where beta does nothing). Values that are not finite give NaN and `finite` = False.
    """
    supports(loss, penalty)
    chosen = LINEAR_LOSSES[loss]
    if problem.task != chosen.task:
        raise ValueError(f"loss '{loss}' is for {chosen.task}, not for {problem.task}")
    if problem.task == "regression" and problem.outputs != 1:
        raise ValueError(f"a regression has 1 output, not {problem.outputs}")
    (acts,) = penalty.covers(1)
    beta = problem.beta.astype(np.float64) * acts
    models = len(beta)
    kernel = np.empty((models, problem.X.shape[2], problem.outputs))
    bias = np.empty((models, problem.outputs))
    train_loss, ratio = np.empty(models), np.empty(models)
    for index in np.unique(problem.data):
        X = problem.X[index].astype(np.float64)
        y = problem.y[index].astype(np.int64 if problem.task == "classification" else np.float64)
        members = np.flatnonzero(problem.data == index)
        try:
            kernel[members], bias[members] = _solve(chosen, penalty, X, y, beta[members], problem.outputs)
        except np.linalg.LinAlgError:  # values that are not finite: a failed fit is a row, not a crash
            kernel[members], bias[members] = np.nan, np.nan
            train_loss[members], ratio[members] = np.nan, np.nan
            continue
        # A free bias may be counted from the mean of X, where large offsets do not drown the gradient in round-off.
        free, inside = _Rows.of(X, X.mean(axis=0)), _Rows.of(X, np.zeros(X.shape[1])) if penalty.biases else None
        for member in members:
            rows = inside if inside and beta[member] > 0 else free
            theta = rows.parameters(kernel[member], bias[member])
            train_loss[member], ratio[member] = _certify(chosen, penalty, rows, y, theta, beta[member])
    certificates = {
        "train_loss": train_loss,
        "gradient_ratio": ratio,
        "balance": np.full(models, np.nan),
        "decay_exposure": np.where(beta > 0, np.inf, 0.0),
        "finite": np.isfinite(kernel).all(axis=(1, 2)) & np.isfinite(bias).all(axis=1) & np.isfinite(train_loss),
    }
    return Fitted(
        kernels=[kernel.astype(np.float32)],
        biases=[bias.astype(np.float32)],
        certificates=certificates,
        predict=_predictor(kernel, bias),
    )


def _solve(chosen: LinearLoss, penalty: Penalty, X: Array, y: Any, beta: Array, outputs: int) -> tuple[Array, Array]:
    """Kernels and biases of one training set, each distinct beta solved once."""
    betas, model = np.unique(beta, return_inverse=True)
    kernel = np.empty((len(betas), X.shape[1], outputs))
    bias = np.empty((len(betas), outputs))

    def solve(word: str, X: Array, beta: Array, intercept: bool) -> tuple[Array, Array]:
        classes = {"classes": outputs} if chosen.task == "classification" else {}
        weights, base = chosen.solvers[word](X, y, beta, intercept=intercept, **classes)
        return weights.reshape(len(beta), -1, outputs), base.reshape(len(beta), outputs)

    plain = np.full(len(betas), penalty.word == "l2" and not penalty.biases) | (betas == 0)
    if plain.any():
        kernel[plain], bias[plain] = solve("l2", X, betas[plain], True)
    if not plain.all() and penalty.biases:  # the bias is the weight of a column of ones
        whole, _ = solve(penalty.word, _with_ones(X), betas[~plain], False)
        kernel[~plain], bias[~plain] = whole[:, :-1], whole[:, -1]
    elif not plain.all():
        kernel[~plain], bias[~plain] = solve(penalty.word, X, betas[~plain], True)
    return kernel[model], bias[model]


@dataclass(frozen=True)
class _Rows:
    """X - centre with a column of ones, (n, p + 1), for the certificates."""

    design: Array
    centre: Array
    nothing: float

    @classmethod
    def of(cls, X: Array, centre: Array) -> _Rows:
        design = _with_ones(X - centre)
        return cls(design, centre, round_off(design))

    def parameters(self, kernel: Array, bias: Array) -> Array:
        """Kernel (p, K) and the bias (K,) counted from the centre: (p + 1, K)."""
        theta = np.empty((len(kernel) + 1, len(bias)))
        theta[:-1], theta[-1] = kernel, bias + self.centre @ kernel
        return theta


def _certify(
    chosen: LinearLoss, penalty: Penalty, rows: _Rows, y: Any, theta: Array, beta: float
) -> tuple[float, float]:
    """Mean loss and gradient ratio of one model; theta: (p + 1, outputs), the bias last."""
    strength = np.full((len(theta), 1), beta)
    if not penalty.biases:
        strength[-1] = 0.0
    predicted = rows.design @ theta
    value, slope = chosen.loss(predicted, y)
    word = penalty.word if beta > 0 else "l2"
    return value, gradient_ratio(word, rows.design, slope, theta, strength, rows.nothing)


def _with_ones(X: Array) -> Array:
    return np.column_stack([X, np.ones(len(X))])


Single = NDArray[np.float32]


def _predictor(kernel: Array, bias: Array) -> Callable[[Single, NDArray[np.int64]], Single]:
    """Predictions of each model on its own rows: (X (D', n', p), which (M,)) to (M, n', outputs) float32."""

    def predict(X: Single, which: NDArray[np.int64]) -> Single:
        predicted = np.empty((len(kernel), X.shape[1], bias.shape[1]), dtype=np.float32)
        for model, index in enumerate(which):
            predicted[model] = X[index].astype(np.float64) @ kernel[model] + bias[model]
        return predicted

    return predict
