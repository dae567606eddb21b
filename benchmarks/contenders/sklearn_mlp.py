"""scikit-learn's `MLPClassifier`, one model at a time, in float32."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from benchmarks.contenders.serving import serve
from benchmarks.conventions import mlp_alpha
from benchmarks.workload import ADAM, BATCH, BETA, MOMENTUM, RATES, digits


def train(width: int, optimizer: str, models: int, passes: int) -> dict[str, Any]:
    """Fit `models` models: seconds of each, mean loss."""
    warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of passes is what is asked for
    X, y = digits()
    beta1, beta2, epsilon = ADAM
    seconds, losses = [], []
    for seed in range(models):
        started = time.perf_counter()
        model = MLPClassifier(
            (width, width),
            solver="adam" if optimizer == "adam" else "sgd",
            alpha=mlp_alpha(BATCH, BETA),
            batch_size=BATCH,
            learning_rate_init=RATES[optimizer],
            max_iter=passes,
            n_iter_no_change=passes + 1,
            momentum=MOMENTUM,
            nesterovs_momentum=False,
            beta_1=beta1,
            beta_2=beta2,
            epsilon=epsilon,
            random_state=seed,
        ).fit(X, y)
        seconds.append(time.perf_counter() - started)
        losses.append(log_loss(y, model.predict_proba(X)))
    return {"seconds": seconds, "loss": float(np.mean(losses))}


if __name__ == "__main__":
    serve({"train": train})
