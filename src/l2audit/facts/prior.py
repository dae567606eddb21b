"""Claim h1: L2 as a Gaussian prior on the weights. Claim A7: a penalised intercept biases every prediction.

With features of mean 0 the derivative of the objective in the penalised intercept b is b - mean(y) + beta b. So
b = mean(y) / (1 + beta). Where y has mean s, the predictions, whose mean is b, are too small
by s - s / (1 + beta) = s beta / (1 + beta). Without beta b^2 they are right on average at every beta.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import mul
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.linear_model import BayesianRidge, Ridge

from l2audit.facts.fact import fact, largest
from l2audit.linear import fit_linear
from l2audit.linear.coordinates import Array
from l2audit.models.penalties import read_penalty
from l2audit.models.problem import Problem
from l2audit.seeds import generator

POSTERIOR = "computed; Bishop (2006), Pattern Recognition and Machine Learning, 3.3.1"
INTERCEPT = "computed; Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, 3.4.1"

BETAS = np.array([0.0, 0.01, 0.1, 1.0, 10.0])
SHIFT = 4.0
SINGLE = 1e-6  # models are handed over in float32, about seven digits


def regression() -> tuple[np.ndarray, np.ndarray]:
    """Centred X (80, 6) with correlated columns, and centred y."""
    rng = generator("identity regression")
    X = rng.normal(size=(80, 6)) @ (np.eye(6) + 0.5)
    y = X @ rng.normal(size=6) + rng.normal(size=80)
    return X - X.mean(axis=0), y - y.mean()


@fact(POSTERIOR)
def bayesian_ridge_is_ridge(alpha: Callable[[float, float], float] = lambda prior, noise: prior / noise) -> Any:
    """BayesianRidge has the coefficients of Ridge(alpha = lambda_/alpha_): largest difference."""
    X, y = regression()
    bayes = BayesianRidge(tol=1e-12, max_iter=10_000).fit(X, y)
    ridge = Ridge(alpha=alpha(bayes.lambda_, bayes.alpha_)).fit(X, y)
    return largest(bayes.coef_ - ridge.coef_)


@fact(POSTERIOR)
def ridge_maximises_the_posterior(alpha: Callable[[int, float], float] = mul) -> Any:
    """The penalised solution maximises the posterior under a Gaussian prior: largest slope of the log posterior there,
    relative to the prior's own.
    """
    X, y = regression()
    noise, prior = 1.5, 0.7
    ridge = Ridge(alpha=alpha(len(y), noise**2 / (len(y) * prior**2)), fit_intercept=False).fit(X, y)
    w = tf.constant(ridge.coef_)
    with tf.GradientTape() as tape:
        tape.watch(w)
        deviations = (y - tf.linalg.matvec(X, w)) / noise, w / prior
        log_posterior = tf.add_n([tf.reduce_sum(-0.5 * one**2) for one in deviations])  # but for a constant
    return largest(tape.gradient(log_posterior, w)) / largest(ridge.coef_ / prior**2)


def shortfall(penalty: str) -> Array:
    """(betas,): by how much the mean prediction falls short of the mean target, as a share of it.

    The second 20 of 40 rows mirror the first, so means are exactly 0; then y is shifted to mean 4.
    """
    rng = generator("identity intercept")
    half = np.round(rng.normal(size=(20, 3)) * 256) / 256  # few binary digits: float32 holds them all
    target = np.round((half @ [1.0, -2.0, 0.5] + rng.normal(size=20)) * 256) / 256
    X = np.concatenate([half, -half]).astype(np.float32)[None]
    y = (np.concatenate([target, -target]) + SHIFT).astype(np.float32)[None]
    each = np.zeros(len(BETAS), dtype=np.int64)
    problem = Problem("regression", 1, X, y, data=each, beta=BETAS, seed=each, dataset="identity-intercept")
    predicted = fit_linear(problem, "squared", read_penalty(penalty)).predict(X, each)
    return np.asarray(1 - predicted[:, :, 0].mean(axis=1, dtype=np.float64) / SHIFT)


@fact(INTERCEPT, tolerance=SINGLE)
def penalised_intercept_is_biased(penalty: str = "l2 with biases") -> Any:
    """With a penalised intercept a target of mean s is predicted too small by s·beta/(1 + beta) on average: largest
    difference over five betas, as a share of s.
    """
    return largest(shortfall(penalty) - BETAS / (1 + BETAS))


@fact(INTERCEPT, tolerance=SINGLE)
def free_intercept_is_not(penalty: str = "l2") -> Any:
    """With a free intercept the mean prediction is the mean target at every beta: largest difference over five betas,
    as a share of it.
    """
    return largest(shortfall(penalty))
