"""Huber regression with an L2 penalty: iteratively reweighted ridge with a concomitant residual scale."""

from __future__ import annotations

import numpy as np

from l2audit.linear.coordinates import DATA_RESOLUTION, Array, Basis

TUNING = 1.345
"""Threshold in units of the residual scale: 95 % efficiency at Gaussian residuals (Huber, 1964)."""

MAD_OF_GAUSSIAN = 0.6744897501960817
"""Median absolute deviation of a standard Gaussian."""

TOLERANCE = 1e-11
"""A step that moves no fitted value by more than this many residual scales ends the iteration."""

ITERATIONS = 1000


def residual_scale(residual: Array) -> Array:
    """Normalised median absolute residual, about zero: (..., n) to (...,), in units of y.

    About zero and not about the median, as in statsmodels' RLM and MASS::rlm.
    """
    return np.asarray(np.median(np.abs(residual), axis=-1) / MAD_OF_GAUSSIAN)


def solve_huber(X: Array, y: Array, beta: Array, intercept: bool = True) -> tuple[Array, Array]:
    """Solve the penalised M-estimating equations with the scale estimated from the residuals themselves.

    X: (n, p); y: (n,); beta: (m,), each >= 0. Returns weights (m, p) and intercepts (m,), 0 without one.

    The result is a fixed point (w, b, s). With r = y - b - X w, s = median|r| / 0.6745 and k = 1.345 s, it obeys
    mean(psi_k(r) x) = beta w and mean(psi_k(r)) = 0, where psi_k(r) clips r to [-k, k]. Given s it is the one minimiser
    of mean(rho_k(r)) + beta * 0.5 * ||w||^2. Jointly in s it minimises nothing, and such equations can have more than
    one root. This is the root that reweighting reaches from the ridge solution; statsmodels' RLM and MASS::rlm start
    from it at beta = 0 too. A model that has not settled within 1,000 steps is returned as it stands; its gradient
    ratio then shows it.

    Huber and Ronchetti (2009), Robust Statistics, 7.8; Holland and Welsch (1977), "Robust regression using iteratively
    reweighted least-squares", Communications in Statistics A6.
    """
    basis = Basis.of(X, intercept)
    n, r = basis.U.shape
    design = np.column_stack([basis.U, np.ones(n)]) if intercept else basis.U
    size = design.shape[1]
    free = beta == 0
    # Coordinates u = s * (V'w) keep the weighted normal matrix well conditioned whatever the collinearity. A
    # direction switched off at beta = 0 keeps a unit diagonal, so that its coordinate stays exactly 0.
    alive = np.ones((len(beta), size))
    alive[:, :r] = ~free[:, None] | basis.resolved
    damping = np.zeros((len(beta), size))
    damping[:, :r] = len(y) * beta[:, None] / basis.s**2
    state = np.zeros((len(beta), size))
    floor = DATA_RESOLUTION * np.max(np.abs(y - np.median(y)))

    active = np.arange(len(beta))
    state = _step(design, y, np.ones((len(beta), n)), damping, alive, state)
    for _ in range(ITERATIONS):
        before = state[active]
        residual = y - _fitted(design, before)
        # Where more than half of the rows are fitted exactly the scale is 0 and no weight is defined: the floor, the
        # round-off of y, leaves such a fit where it is.
        scale = np.maximum(residual_scale(residual), floor)
        after = _step(design, y, _weights(residual, TUNING * scale), damping[active], alive[active], before)
        state[active] = after
        moved = np.max(np.abs(_fitted(design, after - before)), axis=1)
        active = active[moved > TOLERANCE * scale]
        if not len(active):
            break
    weights = basis.weights(state[:, :r] / basis.s)
    return weights, state[:, r:].sum(axis=1) - (weights * basis.centre).sum(axis=1)


def _fitted(design: Array, state: Array) -> Array:
    """Fitted values (m, n) of states (m, size), as m separate products (see `Basis.weights`)."""
    return np.asarray(np.matmul(design, state[:, :, None])[:, :, 0])


def _weights(residual: Array, threshold: Array) -> Array:
    """Huber's weights psi_k(r) / r: (m, n) residuals, (m,) thresholds k."""
    size = np.abs(residual)
    k = threshold[:, None]
    return np.divide(k, size, out=np.ones_like(size), where=size > k)


def _step(design: Array, y: Array, weights: Array, damping: Array, alive: Array, state: Array) -> Array:
    """Minimiser of the weighted ridge problem, reached from `state` (m, size) by the increment.

    The increment solves the same equations as the minimiser itself, but an error of the solver then shrinks with the
    step instead of staying in the result.
    """
    weighted = np.matmul(design.T * weights[:, None, :], design)
    matrix = weighted * alive[:, :, None] * alive[:, None, :]
    diagonal = np.arange(state.shape[1])
    matrix[:, diagonal, diagonal] += damping + (1 - alive)
    residual = y - _fitted(design, state)
    slope = np.matmul(design.T, (weights * residual)[:, :, None])[:, :, 0] - damping * state
    return state + np.linalg.solve(matrix, (slope * alive)[:, :, None])[:, :, 0]


def loss_huber(predicted: Array, y: Array) -> tuple[float, Array]:
    """Mean Huber loss at the threshold that the residuals themselves imply, and its gradient at that threshold.

    predicted: (n, 1); y: (n,). rho_k(r) = 0.5 r^2 inside |r| <= k, else k |r| - 0.5 k^2.
    """
    residual = predicted - y[:, None]
    k = TUNING * float(residual_scale(residual[:, 0]))
    size = np.abs(residual)
    loss = np.where(size <= k, 0.5 * residual**2, k * size - 0.5 * k**2)
    return float(loss.mean()), np.clip(residual, -k, k) / len(y)
