"""The one place where beta becomes the regularisation strength of somebody else's library.

In this project objective = mean(loss) + beta * sum over kernels of 0.5 * ||W||^2, biases free, and the squared loss is
half the squared residual. Every other convention is reached from here. `SGDClassifier(alpha=)` equals beta itself. So
does the decoupled `weight_decay=` of Keras' plain SGD. With momentum or Adam that is another method (claim a). It
decays the biases too unless they are excluded.
"""

from __future__ import annotations


def ridge_alpha(rows: int, beta: float) -> float:
    """`sklearn.linear_model.Ridge(alpha=)`: it sums squared residuals without the half, and penalises ||w||^2."""
    return rows * beta


def logistic_c(rows: int, beta: float) -> float:
    """`sklearn.linear_model.LogisticRegression(C=)` for three classes or more: it sums the loss and divides by C.

    Infinite at beta = 0, which scikit-learn takes for "no penalty".
    """
    return 1.0 / (rows * beta) if beta > 0 else float("inf")


def binary_logistic_c(rows: int, beta: float) -> float:
    """`LogisticRegression(C=)` for two classes, which it models by one column w = W[:, 1] - W[:, 0].

    At the minimiser of the two-column model W[:, 1] = -W[:, 0] = w / 2, so that ||W||^2 = ||w||^2 / 2.
    """
    return 2.0 * logistic_c(rows, beta)


def mlp_alpha(batch: int, beta: float) -> float:
    """`sklearn.neural_network.MLPClassifier(alpha=)`: it divides the penalty by the batch size."""
    return batch * beta


def keras_l2(beta: float) -> float:
    """`keras.regularizers.L2(l2=)`: it has no half."""
    return beta / 2.0
