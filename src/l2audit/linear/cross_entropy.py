"""Multinomial logistic regression: Newton's method with conjugate gradients along a fixed path of betas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from l2audit.linear.basis import DATA_RESOLUTION, Array, Basis, Labels

FLOOR = 1e-8
"""The beta at which beta = 0 is solved (see `solve_cross_entropy`)."""

PATH = tuple(10.0**-k for k in range(-1, 9))
"""Betas at which the solver makes a stop on its way down, the same for every run: 10, 1, ..., 1e-8."""

ON_PATH, AT_BETA, AT_FLOOR = 1e-2, 1e-7, 1e-4
"""Gradient ratios that end the Newton iteration: at a stop of the path, at a run's own beta > 0, and at FLOOR."""

ROUGH = 0.1
"""The same for models that others start from."""

ROUND_OFF = 1e-15
"""Relative round-off of a gradient, which is a mean of features times differences between probabilities."""

NEWTON_STEPS, GRADIENT_STEPS = 100, 2000
"""Caps on Newton steps for one beta and on conjugate-gradient steps within one Newton step."""


def solve_cross_entropy(X: Array, y: Labels, beta: Array, classes: int, intercept: bool = True) -> tuple[Array, Array]:
    """Minimise mean(-log softmax(X W + b)[y]) + beta * 0.5 * ||W||^2 over W and b.

    X: (n, p); y: (n,) in 0..classes-1; beta: (m,), each >= 0; classes >= 2. Returns W (m, p, classes), b (m, classes),
    0 without an intercept.

    All `classes` columns are fitted, for two classes as well, because that is what the nets do. The minimiser has
    W.sum(axis=1) = 0; b, which the loss fixes only up to a constant, is given with mean 0. With two classes the
    one-column model w = W[:, 1] - W[:, 0] carries half the penalty, beta / 2 * 0.5 * ||w||^2.

    beta > 0: Newton steps until ||gradient|| <= 1e-7 (||gradient of the loss|| + ||beta W||), which by strong convexity
    puts W within 2e-7 of the minimiser, relative to its norm.

    beta = 0 has no minimiser where the classes can be separated (the rule, not the exception, in a study of
    overfitting). It is solved at beta = 1e-8, to a ratio of 1e-4: the end of the regularisation path. Where the maximum
    likelihood estimate exists this is that estimate, up to 1e-8 over the smallest curvature; where it does not, the
    limit of this path has the direction of the maximum margin separator (Rosset, Zhu and Hastie, 2004), in which
    gradient descent goes as well (Soudry et al., 2018). Newton's method without any penalty goes elsewhere: it does not
    see the scale of the features, and on digits makes 1.6 times the test error of this limit, which a study would then
    credit to L2.

    Each run walks down PATH to its own beta, so that a result depends on the training set and its beta alone; runs
    of one training set share the stops.
    """
    task = _Task.of(X, y, classes, intercept)
    targets = np.where(beta > 0, beta, FLOOR).tolist()
    solutions = {
        target: _minimise(task, target, state, AT_BETA if target > FLOOR else AT_FLOOR)
        for target, state in _down_the_path(task, targets, ON_PATH)
    }
    return task.weights(np.stack([solutions[target] for target in targets]))


def approximate_cross_entropy(
    X: Array, y: Labels, beta: Array, classes: int, intercept: bool = True
) -> tuple[Array, Array]:
    """Models of about the size that beta * sum|W| gives, to start from: as `solve_cross_entropy`, each beta > 0.

    Solved to a gradient ratio of 0.1, under L2 at beta first, then at the beta whose pull along W is that of the L1
    penalty at W, beta * sum|W| / ||W||^2.
    """
    task = _Task.of(X, y, classes, intercept)
    found = {}
    for target, on_path in _down_the_path(task, beta.tolist(), ROUGH):
        state = _minimise(task, target, on_path, ROUGH)
        kernel = task.weights(state[None])[0]
        size = float(np.sum(kernel**2))
        if size > DATA_RESOLUTION**2:
            state = _minimise(task, target * float(np.sum(np.abs(kernel))) / size, state, ROUGH)
        found[target] = state
    return task.weights(np.stack([found[target] for target in beta.tolist()]))


def _down_the_path(task: _Task, targets: list[float], tolerance: float) -> Iterator[tuple[float, Array]]:
    """Each target beta, the largest first, with the state at the last stop above it."""
    state, stops = task.start(), list(PATH)
    for target in sorted(set(targets), reverse=True):
        while stops and stops[0] > 0.99 * target:  # 0.99: betas arrive rounded to float32
            state = _minimise(task, stops.pop(0), state, tolerance)
        yield target, state


@dataclass(frozen=True)
class _Task:
    """One training set in its own coordinates. States are (K, size): coordinates along Vt, then the bias, if any."""

    basis: Basis
    design: Array  # (n, size)
    truth: Array  # (K, n) one-hot
    intercept: bool

    @classmethod
    def of(cls, X: Array, y: Labels, classes: int, intercept: bool) -> _Task:
        basis = Basis.of(X, intercept)
        truth = np.zeros((classes, len(y)))
        truth[y, np.arange(len(y))] = 1.0
        ones = np.ones((len(y), int(intercept)))
        return cls(basis, np.column_stack([basis.U * basis.s, ones]), truth, intercept)

    def start(self) -> Array:
        """Zero weights and the log class frequencies (half a row for a class that is absent), with mean 0."""
        n = self.truth.shape[1]
        state = np.zeros((len(self.truth), self.design.shape[1]))
        if not self.intercept:
            return state
        frequency = np.log(np.maximum(self.truth.sum(axis=1), 0.5) / n)
        state[:, -1] = frequency - frequency.mean()
        return state

    def penalty(self, beta: float) -> Array:
        """(size,) beta for each coordinate, 0 for the bias."""
        penalty = np.full(self.design.shape[1], beta)
        penalty[len(self.basis.s) :] = 0.0
        return penalty

    def objective(self, state: Array, penalty: Array) -> tuple[float, Array]:
        """Penalised mean loss, and the class probabilities (K, n)."""
        logits = state @ self.design.T
        logits -= logits.max(axis=0)
        odds = np.exp(logits)
        total = odds.sum(axis=0)
        loss = np.mean(np.log(total) - (logits * self.truth).sum(axis=0))
        return float(loss + 0.5 * np.sum(penalty * state**2)), odds / total

    def weights(self, states: Array) -> tuple[Array, Array]:
        """Kernels (m, p, K) and biases (m, K) of states (m, K, size), in the original coordinates."""
        m, classes, _ = states.shape
        r = len(self.basis.s)
        rows = self.basis.weights(states[:, :, :r].reshape(m * classes, r)).reshape(m, classes, -1)
        bias = states[:, :, r:].sum(axis=2) - (rows * self.basis.centre).sum(axis=2)
        return np.ascontiguousarray(rows.transpose(0, 2, 1)), bias


def _minimise(task: _Task, beta: float, state: Array, tolerance: float) -> Array:
    """Newton's method from `state` until the gradient ratio is at most `tolerance`."""
    penalty = task.penalty(beta)
    nothing = ROUND_OFF * np.linalg.norm(task.design) / np.sqrt(len(task.design))
    value, probability = task.objective(state, penalty)
    for _ in range(NEWTON_STEPS):
        slope = (probability - task.truth) @ task.design / len(task.design)
        gradient = slope + penalty * state
        size = float(np.linalg.norm(slope) + np.linalg.norm(penalty * state))
        norm = float(np.linalg.norm(gradient))
        if norm <= tolerance * size + nothing:
            break
        # Inexact Newton: a loose solution far from the minimum, quadratic convergence close to it, never an accuracy
        # beyond the one asked for, which round-off could not deliver.
        goal = max(min(0.1, norm / size) * norm, 0.1 * tolerance * size)
        step = _newton_step(task, probability, penalty, gradient, goal)
        state, value, probability = _line_search(task, penalty, state, step, value, float(np.vdot(gradient, step)))
    return state


def _newton_step(task: _Task, probability: Array, penalty: Array, gradient: Array, goal: float) -> Array:
    """Solve Hessian * step = -gradient by preconditioned conjugate gradients until the residual norm is at most `goal`.

    The preconditioner is the Hessian of a model that gives every row the average curvature: a Kronecker product of
    the (K, K) mean of diag(p) - p p' and the features' covariance, which is diagonal in these coordinates.
    """
    design, n = task.design, len(task.design)
    curvature, classes = np.linalg.eigh(np.diag(probability.mean(axis=1)) - probability @ probability.T / n)
    covariance = np.append(task.basis.s**2 / n, np.ones(int(task.intercept)))
    inverse = np.zeros(gradient.shape)
    # The first eigenvector shifts all classes alike and changes no probability; no gradient has a part in it.
    # The floor keeps the inverse finite for biases of a model that is sure of every row.
    inverse[1:] = 1.0 / (np.maximum(curvature[1:, None], 1e-12) * covariance + penalty)

    def precondition(residual: Array) -> Array:
        return np.asarray(classes @ ((classes.T @ residual) * inverse))

    def curve(direction: Array) -> Array:
        change = direction @ design.T
        change *= probability
        change -= probability * change.sum(axis=0)
        return np.asarray(change @ design / n + penalty * direction)

    step = np.zeros_like(gradient)
    residual = -gradient
    towards = precondition(residual)
    direction = towards
    power = np.vdot(residual, towards)
    for _ in range(GRADIENT_STEPS):
        image = curve(direction)
        bend = np.vdot(direction, image)
        if not bend > 0:
            break
        length = power / bend
        step = step + length * direction
        residual = residual - length * image
        if np.linalg.norm(residual) <= goal:
            break
        towards = precondition(residual)
        previous, power = power, np.vdot(residual, towards)
        direction = towards + power / previous * direction
    return step


def _line_search(
    task: _Task, penalty: Array, state: Array, step: Array, value: float, descent: float
) -> tuple[Array, float, Array]:
    """Halve the Newton step until it lowers the objective (Armijo), allowing for the objective's round-off."""
    length, slack = 1.0, 1e-15 * (1.0 + abs(value))
    while True:
        moved = state + length * step
        found, probability = task.objective(moved, penalty)
        if found <= value + 1e-4 * length * descent + slack or length < 1e-8:
            return moved, found, probability
        length /= 2


def loss_cross_entropy(logits: Array, y: Labels) -> tuple[float, Array]:
    """Mean cross-entropy in nats, and its gradient in the logits (both (n, K); y: (n,))."""
    rows = np.arange(len(y))
    shifted = logits - logits.max(axis=1, keepdims=True)
    odds = np.exp(shifted)
    total = odds.sum(axis=1, keepdims=True)
    gradient = odds / total
    gradient[rows, y] -= 1.0
    return float(np.mean(np.log(total[:, 0]) - shifted[rows, y])), gradient / len(y)
