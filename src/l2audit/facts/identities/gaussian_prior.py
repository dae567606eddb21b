"""Claim h1: L2 as a Gaussian prior on the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.linear_model import BayesianRidge, Ridge

from l2audit.facts.checks import Check, largest
from l2audit.facts.identities.entries import agrees, of_claim
from l2audit.models.beta import ridge_alpha
from l2audit.seeds import generator

SOURCE = "computed; Bishop (2006), Pattern Recognition and Machine Learning, 3.3.1"


def _regression() -> tuple[np.ndarray, np.ndarray]:
    """Centred X (80, 6) with correlated columns, and centred y."""
    rng = generator("identity regression")
    X = rng.normal(size=(80, 6)) @ (np.eye(6) + 0.5)
    y = X @ rng.normal(size=6) + rng.normal(size=80)
    return X - X.mean(axis=0), y - y.mean()


@of_claim("h1")
def bayesian_ridge_is_ridge(alpha: Callable[[float, float], float] = lambda prior, noise: prior / noise) -> Check:
    """Posterior mean of scikit-learn's BayesianRidge, against its Ridge at prior precision / noise precision."""
    X, y = _regression()
    bayes = BayesianRidge(tol=1e-12, max_iter=10_000).fit(X, y)
    ridge = Ridge(alpha=alpha(bayes.lambda_, bayes.alpha_)).fit(X, y)
    statement = "BayesianRidge has the coefficients of Ridge(alpha = lambda_/alpha_): largest difference"
    return agrees(statement, SOURCE, expected=0.0, obtained=largest(bayes.coef_ - ridge.coef_))


@of_claim("h1")
def ridge_maximises_the_posterior(alpha: Callable[[int, float], float] = ridge_alpha) -> Check:
    """Gradient of the Gaussian log posterior at the ridge solution.

    y ~ N(X w, noise^2), w ~ N(0, prior^2), beta = noise^2 / (rows * prior^2).
    """
    X, y = _regression()
    noise, prior = 1.5, 0.7
    ridge = Ridge(alpha=alpha(len(y), noise**2 / (len(y) * prior**2)), fit_intercept=False).fit(X, y)
    w = tf.constant(ridge.coef_)
    with tf.GradientTape() as tape:
        tape.watch(w)
        log_likelihood = tf.reduce_sum(_log_gaussian(y - tf.linalg.matvec(X, w), noise))
        log_posterior = log_likelihood + tf.reduce_sum(_log_gaussian(w, prior))
    slope = tape.gradient(log_posterior, w)
    statement = (
        "The penalised solution maximises the posterior under a Gaussian prior:"
        " largest slope of the log posterior there, relative to the prior's own"
    )
    return agrees(statement, SOURCE, expected=0.0, obtained=largest(slope) / largest(ridge.coef_ / prior**2))


def _log_gaussian(deviation: Any, scale: float) -> Any:
    """Log density of a centred Gaussian of standard deviation `scale`."""
    return -0.5 * (deviation / scale) ** 2 - np.log(scale * np.sqrt(2 * np.pi))
