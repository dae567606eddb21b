"""From a `Problem` to `Fitted` linear models with their certificates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l2audit.registry import Registry
from l2audit.training.linear.arrays import Array
from l2audit.training.linear.cross_entropy import loss_cross_entropy, solve_cross_entropy
from l2audit.training.linear.huber import loss_huber, solve_huber
from l2audit.training.linear.squared import loss_squared, solve_squared
from l2audit.training.problem import Fitted, Problem


@dataclass(frozen=True)
class LinearLoss:
    """A loss with an exact linear solver.

    solve: (X (n, p), y (n,), beta (m,), outputs) to kernels (m, p, outputs) and biases (m, outputs), in float64, each
        model's bits a function of X, y and its own beta only.
    loss: (predicted (n, outputs), y (n,)) to the mean loss and its gradient in `predicted`. It shares no code with
        `solve`: the certificates rest on it.
    """

    task: str
    solve: Callable[[Array, Any, Array, int], tuple[Array, Array]]
    loss: Callable[[Array, Any], tuple[float, Array]]


LINEAR_LOSSES = Registry[LinearLoss]("loss of a linear model")


def _one_output(solve: Callable[[Array, Array, Array], tuple[Array, Array]]) -> Callable[..., tuple[Array, Array]]:
    """A solver of regressions, with the axis of outputs that every model has."""

    def solve_with_outputs(X: Array, y: Array, beta: Array, outputs: int) -> tuple[Array, Array]:
        if outputs != 1:
            raise ValueError(f"a regression has 1 output, not {outputs}")
        weights, intercept = solve(X, y, beta)
        return weights[:, :, None], intercept[:, None]

    return solve_with_outputs


LINEAR_LOSSES.add("squared", LinearLoss("regression", _one_output(solve_squared), loss_squared))
LINEAR_LOSSES.add("huber", LinearLoss("regression", _one_output(solve_huber), loss_huber))
LINEAR_LOSSES.add("cross_entropy", LinearLoss("classification", solve_cross_entropy, loss_cross_entropy))


def fit_linear(problem: Problem, loss: str) -> Fitted:
    """Fit every model of `problem` as a linear model: the minimiser of mean(loss) + beta * 0.5 * ||W||^2, bias free.

    loss: `squared` and `huber` for regression, `cross_entropy` for classification (UnknownName and ValueError
    otherwise). What is solved at beta = 0, and Huber's residual scale, stand with each solver.

    A model's kernel, bias and certificates are the same to the last bit whatever else is in the problem. The model is
    the float64 solution: it predicts, and it is certified. Kernels (M, p, outputs) and biases (M, outputs) are its
    float32 copies, as of every engine; the large weights of opposite sign that a collinear design has at beta = 0
    would not survive predicting from those.

    Certificates, computed in float64 from the weights alone, over the run's own training rows:
    train_loss, mean loss without the penalty; gradient_ratio, ||g + beta W|| / (||g|| + ||beta W||) with g the
    gradient of the mean loss in the kernel (identically 1 at beta = 0); balance, NaN (one layer); decay_exposure, inf
    (0 at beta = 0); finite. A training set with values that are not finite gives NaN and finite = False.
    """
    chosen = LINEAR_LOSSES[loss]
    if problem.task != chosen.task:
        raise ValueError(f"loss '{loss}' is for {chosen.task}, not for {problem.task}")
    beta = problem.beta.astype(np.float64)
    models = len(beta)
    kernel = np.empty((models, problem.X.shape[2], problem.outputs))
    bias = np.empty((models, problem.outputs))
    train_loss, gradient_ratio = np.empty(models), np.empty(models)
    for index in np.unique(problem.data):
        X = problem.X[index].astype(np.float64)
        y = problem.y[index].astype(np.int64 if problem.task == "classification" else np.float64)
        members = np.flatnonzero(problem.data == index)
        try:
            kernel[members], bias[members] = chosen.solve(X, y, beta[members], problem.outputs)
        except np.linalg.LinAlgError:  # values that are not finite: a failed fit is a row, not a crash
            kernel[members], bias[members] = np.nan, np.nan
            train_loss[members], gradient_ratio[members] = np.nan, np.nan
            continue
        for member in members:
            value, slope = chosen.loss(X @ kernel[member] + bias[member], y)
            train_loss[member] = value
            gradient_ratio[member] = _gradient_ratio(X.T @ slope, beta[member], kernel[member])
    certificates = {
        "train_loss": train_loss,
        "gradient_ratio": gradient_ratio,
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


def _gradient_ratio(slope: Array, beta: float, kernel: Array) -> float:
    """||slope + beta W|| / (||slope|| + ||beta W||): 0 at a stationary point, 1 where nothing opposes the loss."""
    pull = beta * kernel
    size = np.linalg.norm(slope) + np.linalg.norm(pull)
    if beta == 0:
        return 1.0
    return float(np.linalg.norm(slope + pull) / size) if size > 0 else 0.0


Single = NDArray[np.float32]


def _predictor(kernel: Array, bias: Array) -> Callable[[Single, NDArray[np.int64]], Single]:
    """Predictions of each model on its own rows: (X (D', n', p), which (M,)) to (M, n', outputs) float32."""

    def predict(X: Single, which: NDArray[np.int64]) -> Single:
        predicted = np.empty((len(kernel), X.shape[1], bias.shape[1]), dtype=np.float32)
        for model, index in enumerate(which):
            predicted[model] = X[index].astype(np.float64) @ kernel[model] + bias[model]
        return predicted

    return predict
