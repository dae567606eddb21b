"""Multinomial logistic regression, by Newton's method along a fixed path of betas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from l2audit.linear.coordinates import Array, Basis, Columns, Labels
from l2audit.linear.sparse import Index, Look, minimise_sparse

FLOOR = 1e-8
"""The beta at which beta = 0 is solved (see `solve_cross_entropy`)."""

PATH = tuple(10.0**-k for k in range(-1, 9))
"""Betas at which the solver makes a stop on its way down, the same for every run: 10, 1, ..., 1e-8."""

ON_PATH, AT_BETA, AT_FLOOR = 1e-2, 1e-7, 1e-4
"""Gradient ratios that end the Newton iteration: at a stop of the path, at a run's own beta > 0, and at FLOOR."""

ROUND_OFF = 1e-15
"""Relative round-off of a gradient, which is a mean of features times differences between probabilities."""

ABSENT = 1e-15
"""Probability given under L1 to a class that has no training row: its bias would fall without end."""

LEAP = 10.0
"""The most that a step under L1 may change a logit by, in nats: the curvature changes exponentially with logits."""

STOPS = tuple(10.0 ** (-k / 4) for k in range(-4, 33))
"""Betas at which the L1 solver makes a stop on its way down: 10, 5.6, 3.2, 1.8, 1, ..., 1e-8."""

NEWTON_STEPS, GRADIENT_STEPS = 100, 2000
"""Caps on Newton steps for one beta and on conjugate-gradient steps within one Newton step."""


def solve_cross_entropy(X: Array, y: Labels, beta: Array, classes: int, intercept: bool = True) -> tuple[Array, Array]:
    """Minimise mean(-log softmax(X W + b)[y]) + beta * 0.5 * ||W||^2 over W and b.

    X: (n, p); y: (n,) in 0..classes-1; beta: (m,), each >= 0; classes >= 2. Returns W (m, p, classes), b (m, classes),
    0 without an intercept.

    All `classes` columns are fitted, for two classes as well, because that is what the nets do. The minimiser has
    W.sum(axis=1) = 0. The loss fixes b only up to a constant, and b is returned with mean 0. With two classes the
    one-column model w = W[:, 1] - W[:, 0] carries half the penalty, beta / 2 * 0.5 * ||w||^2.

    beta > 0: Newton steps until ||gradient|| <= 1e-7 (||gradient of the loss|| + ||beta W||). By strong convexity W is
    then within 2e-7 of the minimiser, relative to its norm.

    beta = 0 is solved at beta = 1e-8, to a ratio of 1e-4: the end of the regularisation path. Where the classes can be
    separated, the rule in a study of overfitting, no minimiser exists. The path then tends to the direction of the
    maximum margin separator (Rosset, Zhu and Hastie, 2004), as gradient descent does (Soudry et al., 2018). Where the
    maximum likelihood estimate exists, the path ends there, up to 1e-8 over the smallest curvature. Newton's method
    without any penalty ends elsewhere, because it does not see the scale of the features. On digits that makes 1.6
    times the test error, and a study would credit the difference to L2.

    Each run walks down PATH to its own beta, so that a result depends on the training set and its beta alone. Runs
    of one training set share the stops.
    """
    task = _Task.of(X, y, classes, intercept)
    targets = np.where(beta > 0, beta, FLOOR).tolist()
    solutions = {
        target: _minimise(task, target, state, AT_BETA if target > FLOOR else AT_FLOOR)
        for target, state in _down_the_path(
            PATH, targets, task.start(), lambda stop, state: _minimise(task, stop, state, ON_PATH)
        )
    }
    return task.weights(np.stack([solutions[target] for target in targets]))


def _down_the_path(
    stops: Iterable[float], targets: list[float], state: Array, solve: Callable[[float, Array], Array]
) -> Iterator[tuple[float, Array]]:
    """Each target beta, the largest first, with the state at the last stop above it; solve: (stop, state) to state."""
    left = list(stops)
    for target in sorted(set(targets), reverse=True):
        while left and left[0] > 0.99 * target:  # 0.99: betas arrive rounded to float32
            state = solve(left.pop(0), state)
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
        ones = np.ones((len(y), int(intercept)))
        return cls(basis, np.column_stack([basis.U * basis.s, ones]), _one_hot(y, classes), intercept)

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

    The preconditioner is the Hessian of a model that gives every row the average curvature. It is a Kronecker product:
    the (K, K) mean of diag(p) - p p', and the covariance of the features, which is diagonal in these coordinates.
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


def solve_cross_entropy_l1(
    X: Array, y: Labels, beta: Array, classes: int, intercept: bool = True
) -> tuple[Array, Array]:
    """Minimise mean(-log softmax(X W + b)[y]) + beta * sum|W| over W and b.

    X: (n, p); y: (n,) in 0..classes-1; beta: (m,), each > 0; classes >= 2. Returns W (m, p, classes), zeros exact, and
    b (m, classes), 0 without an intercept.

    All `classes` columns are fitted, as under L2. The loss fixes the weights of one feature only up to a common shift,
    and the penalty puts their median at 0. If the number of classes is even, an interval of shifts does equally well;
    the shift of least Euclidean norm is taken. For two classes that is W[:, 1] = -W[:, 0] = w / 2, with w the solution
    of the one-column model under beta * sum|w|: `LogisticRegression` with C = 1 / (n beta). A free b has mean 0.

    Each run walks down STOPS to its own beta, as under L2; `minimise_sparse` solves each stop and each run.
    """
    columns = Columns.of(X, intercept)
    smooth = _Smooth(columns.design, _one_hot(y, classes), intercept)

    def solve(one: float, state: Array) -> Array:
        return minimise_sparse(smooth, np.tile(columns.strength(one), classes), state)

    path = _down_the_path(STOPS, beta.tolist(), smooth.empty().ravel(), solve)
    solutions = {target: solve(target, state) for target, state in path}
    found = np.array([solutions[target] for target in beta.tolist()]).reshape(len(beta), classes, -1)
    weights, base = columns.weights(found)
    weights -= middle(weights)
    base -= base.mean(axis=1, keepdims=True) if intercept else 0.0
    return np.ascontiguousarray(weights.transpose(0, 2, 1)), base


def middle(weights: Array) -> Array:
    """What to subtract for the least sum of squares among the least sums of absolute values: (m, K, p) to (m, 1, p).

    The mean over the K classes, brought between the middle two of their values (the median, if K is odd).
    """
    classes = weights.shape[1]
    ordered = np.sort(weights, axis=1)
    low, high = ordered[:, (classes - 1) // 2], ordered[:, classes // 2]
    return np.asarray(np.clip(weights.mean(axis=1), low, high)[:, None])


@dataclass(frozen=True)
class _Smooth:
    """Mean cross-entropy of coordinates (K q,), class after class; design: (n, q); truth: (K, n) one-hot.

    A shift of all free biases, the last coordinate of each class, changes no probability. Half the square of their
    mean, times K, is added to keep their mean at 0.
    """

    design: Array
    truth: Array
    intercept: bool

    def empty(self) -> Array:
        """(K, q) weights 0 and log class frequencies for biases, ABSENT for a class without a row."""
        state = np.zeros((len(self.truth), self.design.shape[1]))
        if self.intercept:
            frequency = np.log(np.maximum(self.truth.mean(axis=1), ABSENT))
            state[:, -1] = frequency - frequency.mean()
        return state

    def look(self, u: Array) -> Look:
        """Its derivatives at u (K q,)."""
        classes, n = self.truth.shape
        state = u.reshape(classes, -1)
        probability = softmax(state @ self.design.T, axis=0)
        gradient = (probability - self.truth) @ self.design / n
        if self.intercept:
            gradient[:, -1] += state[:, -1].mean()
        return Look(gradient.ravel(), lambda index: self._curvature(probability, index))

    def reach(self, step: Array) -> float:
        """So much of it that no logit moves by more than LEAP."""
        moved = float(np.max(np.abs(step.reshape(len(self.truth), -1) @ self.design.T)))
        return min(1.0, LEAP / moved) if moved > 0 else 1.0

    def _curvature(self, probability: Array, index: Index) -> Array:
        """Mean over the rows of x x' times (p_k [k = l] - p_k p_l), for the coordinates asked for."""
        klass, column = np.divmod(index, self.design.shape[1])
        rows = self.design.T[column] / np.sqrt(self.design.shape[0])
        weighted = rows * probability[klass]
        curvature = np.where(klass[:, None] == klass, weighted @ rows.T, 0.0) - weighted @ weighted.T
        if self.intercept:
            bias = np.flatnonzero(column == self.design.shape[1] - 1)
            curvature[np.ix_(bias, bias)] += 1.0 / len(self.truth)
        return np.asarray(curvature)


def _one_hot(y: Labels, classes: int) -> Array:
    """(K, n) 1 in the row of the true class, else 0."""
    truth = np.zeros((classes, len(y)))
    truth[y, np.arange(len(y))] = 1.0
    return truth


def loss_cross_entropy(logits: Array, y: Labels) -> tuple[float, Array]:
    """Mean cross-entropy in nats, and its gradient in the logits (both (n, K); y: (n,))."""
    rows = np.arange(len(y))
    shifted = logits - logits.max(axis=1, keepdims=True)
    odds = np.exp(shifted)
    total = odds.sum(axis=1, keepdims=True)
    gradient = odds / total
    gradient[rows, y] -= 1.0
    return float(np.mean(np.log(total[:, 0]) - shifted[rows, y])), gradient / len(y)
