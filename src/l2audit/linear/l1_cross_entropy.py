"""Multinomial logistic regression with an L1 penalty."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from l2audit.linear.arrays import Array, Labels
from l2audit.linear.columns import Columns
from l2audit.linear.cross_entropy import approximate_cross_entropy
from l2audit.linear.face import minimise_sparse
from l2audit.linear.kinked import Index, Look

ABSENT = 1e-15
"""Probability given to a class that has no training row: its bias would fall without end."""

LEAP = 30.0
"""The most that a step may change a logit by, in nats."""


def solve_cross_entropy_l1(
    X: Array, y: Labels, beta: Array, classes: int, intercept: bool = True
) -> tuple[Array, Array]:
    """Minimise mean(-log softmax(X W + b)[y]) + beta * sum|W| over W and b.

    X: (n, p); y: (n,) in 0..classes-1; beta: (m,), each > 0; classes >= 2. Returns W (m, p, classes), zeros exact, and
    b (m, classes), 0 without an intercept.

    All `classes` columns are fitted, as under L2. The loss fixes the weights of one feature only up to a common shift,
    the penalty wants their median at 0; where the number of classes is even, an interval of shifts does equally well,
    and the one of least Euclidean norm is taken. For two classes that is W[:, 1] = -W[:, 0] = w / 2, with w the
    solution of the one-column model under beta * sum|w| (`LogisticRegression` with C = 1 / (n beta)). A free b has
    mean 0.

    An interior point method from an L2 solution of about the same size (Koh, Kim and Boyd, 2007, for two classes), then
    Newton's method on the weights that are not 0.
    """
    columns = Columns.of(X, intercept)
    kernels, biases = approximate_cross_entropy(X, y, beta, classes, intercept)
    truth = np.zeros((classes, len(y)))
    truth[y, np.arange(len(y))] = 1.0
    smooth = CrossEntropy(columns.design, truth, intercept)
    empty = smooth.empty()
    found = []
    for one, kernel, bias in zip(beta, kernels, biases, strict=True):
        strength = np.tile(columns.strength(float(one)), classes)
        start = columns.coordinates(kernel.T, bias)
        if intercept:
            absent = truth.sum(axis=1) == 0
            start[absent] = empty[absent]
            start[:, -1] -= start[:, -1].mean()
        found.append(minimise_sparse(smooth, strength, empty.ravel(), start.ravel()).reshape(classes, -1))
    weights, base = columns.weights(np.array(found))
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
class CrossEntropy:
    """Mean cross-entropy of coordinates (K q,), class after class; design: (n, q); truth: (K, n) one-hot.

    If the last coordinate of a class is its free bias, half the square of their mean, times K, is added: a shift of all
    biases changes no probability, and this keeps it at 0.
    """

    design: Array
    truth: Array
    intercept: bool
    quadratic = False

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
        logits = state @ self.design.T
        probability = np.exp(logits - logits.max(axis=0))
        probability /= probability.sum(axis=0)
        gradient = (probability - self.truth) @ self.design / n
        if self.intercept:
            gradient[:, -1] += state[:, -1].mean()
        return Look(gradient.ravel(), lambda index: self._curvature(probability, index))

    def reach(self, step: Array) -> float:
        """So much of it that no logit moves by more than LEAP: the curvature changes exponentially with them."""
        moved = float(np.max(np.abs(step.reshape(len(self.truth), -1) @ self.design.T)))
        return min(1.0, LEAP / moved) if moved > 0 else 1.0

    def _curvature(self, probability: Array, index: Index) -> Array:
        """Mean over the rows of x x' times (p_k [k = l] - p_k p_l), for the coordinates asked for (ascending)."""
        classes, n = self.truth.shape
        size = self.design.shape[1]
        klass, column = np.divmod(index, size)
        ends = np.searchsorted(klass, np.arange(classes + 1))
        parts = [slice(start, stop) for start, stop in pairwise(ends)]
        # Divided by sqrt(n) beforehand: at hundreds of coordinates each pass over the matrix counts.
        rows = self.design / np.sqrt(n)
        weighted = np.empty((len(index), n))
        for part, p in zip(parts, probability, strict=True):
            np.multiply(rows.T[column[part]], p, out=weighted[part])
        curvature = weighted @ weighted.T
        np.negative(curvature, out=curvature)
        for part in parts:
            curvature[part, part] += weighted[part] @ rows[:, column[part]]
        if self.intercept:
            bias = np.flatnonzero(column == size - 1)
            curvature[np.ix_(bias, bias)] += 1.0 / classes
        return np.asarray(curvature)
