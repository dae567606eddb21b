"""Facts about ridge regression with a free intercept, put to the solver that fits the linear models; claim A3.

Each fixes something that could be wrong unnoticed: the scale of beta, the free intercept, the centring. Claim A3: no
penalty bounds what one wild target does to a squared loss; another loss does, whatever the penalty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize

from l2audit.contamination import Reference, Rows, contaminate
from l2audit.facts.fact import fact, farthest, largest
from l2audit.linear.coordinates import Array
from l2audit.linear.huber import solve_huber
from l2audit.linear.squared import solve_squared
from l2audit.seeds import generator

Solve = Callable[[Array, Array, Array], tuple[Array, Array]]
"""(X (n, p), y (n,), beta (m,)) to weights (m, p) and intercepts (m,)."""

N, P, SIGMA = 40, 5, 1.7
BETAS = np.array([1e-4, 1e-2, 0.1, 1.0, 10.0])
DELETION = "computed; deletion formula of least squares (Cook 1977) with A = X'X + n beta I, intercept free"
INFLUENCE = "computed; influence function of ridge regression (Walker & Birch 1988; Öllerer, Croux & Alfons 2015)"
NOISE = "computed; variance of ridge regression (Hoerl & Kennard 1970)"
DUALITY = "computed; El Ghaoui & Lebret (1997)"
BOUNDED = "computed; influence functions: Huber (1964), of ridge regression Öllerer, Croux and Alfons (2015)"


def sample() -> tuple[Array, Array]:
    """X (40, 5) of correlated columns with mean about 2, and y (40,)."""
    rng = generator("oracle", "ridge")
    X = rng.normal(size=(N, P)) @ rng.normal(size=(P, P)) + 2
    return X, X @ rng.normal(size=P) + rng.normal(size=N)


def deletions(solve: Solve) -> tuple[float, float]:
    """Largest difference between refits and closed form: of coefficients, and of leave-one-out residuals."""
    X, y = sample()
    design = np.column_stack([np.ones(N), X])
    coefficients = residuals = 0.0
    for alpha in BETAS * N:  # the sum of squares is penalised by alpha: it is alpha, not beta, that a deletion keeps
        weights, intercept = solve(X, y, np.array([alpha / N]))
        inverse = np.linalg.inv(design.T @ design + alpha * np.diag([0.0] + [1.0] * P))
        residual = y - intercept[0] - X @ weights[0]
        for i in range(N):
            rest = np.arange(N) != i
            without, base = solve(X[rest], y[rest], np.array([alpha / (N - 1)]))
            outside = residual[i] / (1 - design[i] @ inverse @ design[i])
            change = np.append(intercept - base, weights[0] - without[0])
            coefficients = max(coefficients, largest(change - inverse @ design[i] * outside))
            residuals = max(residuals, abs(y[i] - base[0] - X[i] @ without[0] - outside))
    return coefficients, residuals


@fact(DELETION)
def ridge_deletion(solve: Solve = solve_squared) -> Any:
    """Leaving a row out moves ridge regression as the closed form says: largest difference, 40 rows, 5 betas.

    w - w without row i = A^-1 x_i e_i / (1 - h_ii), where alpha = n beta is the same in both fits.
    """
    return deletions(solve)[0]


@fact(DELETION)
def ridge_leave_one_out(solve: Solve = solve_squared) -> Any:
    """The error on a row left out is its residual over one minus its leverage: largest difference."""
    return deletions(solve)[1]


@fact(INFLUENCE, tolerance=1e-5)
def ridge_influence(solve: Solve = solve_squared) -> Any:
    """A little contamination at a far point moves the weights at the rate of the influence function: largest relative
    difference, 5 betas.

    d w / d epsilon = (S + beta I)^-1 [x0 r0 - beta w], x0 from the mean of X; Richardson step on two epsilons.
    """
    X, y = sample()
    x0, y0 = X.mean(axis=0) + 3.0, 50.0
    before, intercept = solve(X, y, BETAS)

    def rate(copies: int) -> Array:
        after, _ = solve(np.vstack([np.tile(X, (copies, 1)), x0]), np.append(np.tile(y, copies), y0), BETAS)
        return np.asarray((after - before) * (copies * N + 1))

    obtained = 2 * rate(2000) - rate(1000)
    centred = X - X.mean(axis=0)
    pull = (x0 - X.mean(axis=0)) * (y0 - intercept - before @ x0)[:, None] - BETAS[:, None] * before
    damped = centred.T @ centred / N + BETAS[:, None, None] * np.eye(P)
    expected = np.linalg.solve(damped, pull[:, :, None])[:, :, 0]
    relative = np.linalg.norm(obtained - expected, axis=1) / np.linalg.norm(expected, axis=1)
    return relative.max()


@fact(INFLUENCE, "below 1")
def ridge_gain_falls(solve: Solve = solve_squared) -> Any:
    """A larger beta weakens the pull of a vertical outlier: largest quotient of the shifts at neighbouring betas."""
    X, y = sample()
    gain = np.linalg.norm(solve(X, y + np.eye(N)[0] * 100.0, BETAS)[0] - solve(X, y, BETAS)[0], axis=1)
    return (gain[1:] / gain[:-1]).max()


def added_risks(solve: Solve) -> tuple[list[Array], Array]:
    """Twenty roots of test covariances T = root root', and the risk (20, m) that target noise adds, by the own map."""
    rng = generator("oracle", "test covariances")
    roots = [rng.normal(size=(P, P)) * rng.exponential(size=P) for _ in range(20)]
    X, _ = sample()
    smoother = np.swapaxes(np.stack([solve(X, unit, BETAS)[0] for unit in np.eye(N)], axis=2), 1, 2)
    return roots, np.array([SIGMA**2 * np.sum((smoother @ root) ** 2, axis=(1, 2)) for root in roots])


@fact(NOISE, tolerance=1e-8)
def variance_theorem(solve: Solve = solve_squared) -> Any:
    """Target noise adds σ²/n·tr[T(S+β)⁻¹S(S+β)⁻¹] to the test risk of ridge regression: largest relative difference, 20
    test distributions.
    """
    X, _ = sample()
    S = np.cov(X.T, ddof=0)
    inverses = [np.linalg.inv(S + beta * np.eye(P)) for beta in BETAS]
    roots, risks = added_risks(solve)
    traces = np.array([[np.trace(root @ root.T @ inv @ S @ inv) for inv in inverses] for root in roots])
    return largest(risks / (SIGMA**2 / N * traces) - 1)


@fact(NOISE, "below 1")
def noise_costs_less_with_beta(solve: Solve = solve_squared) -> Any:
    """The risk that symmetric target noise adds falls with beta, whatever the test distribution: largest quotient at
    neighbouring betas.
    """
    _, risks = added_risks(solve)
    return (risks[:, 1:] / risks[:, :-1]).max()


@fact("computed; the mean residual of a fit with a free intercept is zero", 1.0)
def intercept_shift(solve: Solve = solve_squared) -> Any:
    """Vertical outliers on a tenth of the rows, 10 robust SDs large, move the centre of the fit by exactly 1 SD at
    every beta, because the intercept is free: shift farthest from 1.
    """
    X, y = sample()
    rows = Rows(X, y, None)
    reference = Reference(rows)
    hit = contaminate(rows, reference, kind="vert", rate=0.1, magnitude=10.0, dataset="oracle", seed=0, part="train")

    def centre(target: Array) -> Array:
        weights, intercept = solve(X, target, BETAS)
        return np.asarray(intercept + weights @ X.mean(axis=0))

    shifts = (centre(np.asarray(hit.y, float)) - centre(y)) / reference.target_scale
    return farthest(shifts, 1.0)


@fact("simulated, 200 draws; Nakkiran et al. (2021), after Krogh & Hertz (1991)", "at most 1.005")
def isotropic_optimum(solve: Solve = solve_squared) -> Any:
    """In an isotropic design the best penalty is n·beta = p·σ²/|w|²: its risk over the least risk on a grid from a
    tenth to ten times of it.
    """
    rows, p, sigma = 100, 50, 1.0
    best = p * sigma**2 / rows
    factors = np.append(1.0, np.logspace(-1, 1, 31))
    rng = generator("oracle", "isotropic optimum")
    risk = np.zeros(len(factors))
    for _ in range(200):
        w = rng.normal(size=p)
        w /= np.linalg.norm(w)
        X = rng.normal(size=(rows, p))
        risk += np.sum((solve(X, X @ w + sigma * rng.normal(size=rows), factors * best)[0] - w) ** 2, axis=1)
    return risk[0] / risk.min()


def robust_counterpart(solve: Solve) -> tuple[Array, Array, Array, float]:
    """Centred X and y, the ridge weights at beta = 0.1, and the size rho of the perturbations that they guard against.

    Equal slopes: X'r = n beta w for ridge, X'r / |r| = rho w / |w| for min |y - Xw| + rho |w|.
    """
    X, y = sample()
    X, y = X - X.mean(axis=0), y - y.mean()
    beta = 0.1
    w = solve(X, y, np.array([beta]))[0][0]
    return X, y, w, float(N * beta * np.linalg.norm(w) / np.linalg.norm(y - X @ w))


@fact(DUALITY, tolerance=1e-8)
def worst_feature_perturbation(
    worst_case: Callable[[float, float, float], float] = lambda residual, rho, length: residual + rho * length,
) -> Any:
    """The worst perturbation of all features, of total size ρ, adds ρ·|w| to the norm of the residuals.

    The worst case is found by ascent from a random start.
    """
    X, y, w, rho = robust_counterpart(solve_squared)
    D = generator("oracle", "perturbation").normal(size=X.shape)
    for _ in range(200):  # a convex function on a ball: each step to its linearisation's maximum goes up
        slope = -np.outer(y - (X + D) @ w, w)
        D = rho * slope / np.linalg.norm(slope)
    expected = worst_case(float(np.linalg.norm(y - X @ w)), rho, float(np.linalg.norm(w)))
    return {"expected": expected, "obtained": np.linalg.norm(y - (X + D) @ w)}


@fact(DUALITY, tolerance=1e-6)
def ridge_is_robust_optimisation(solve: Solve = solve_squared) -> Any:
    """Ridge regression is the fit with the least worst case over small perturbations of the features: largest
    difference from that fit, found by a general optimiser.
    """
    X, y, w, rho = robust_counterpart(solve)

    def worst_case(v: Array) -> tuple[float, Array]:
        r, size, length = y - X @ v, np.linalg.norm(y - X @ v), np.linalg.norm(v)
        return float(size + rho * length), -X.T @ r / size + rho * v / length

    start = np.linalg.lstsq(X, y, rcond=None)[0]
    found = optimize.minimize(worst_case, start, jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return largest(found - w)


@fact("computed; Zou & Hastie (2005)")
def duplicated_column(solve: Solve = solve_squared) -> Any:
    """A column given twice gets half the weight in each copy: largest difference, 5 betas."""
    X, y = sample()
    doubled, _ = solve(np.column_stack([X, X[:, 0]]), y, BETAS)
    single, _ = solve(np.column_stack([X[:, 0] * np.sqrt(2), X[:, 1:]]), y, BETAS)
    gaps = np.append(doubled[:, 0] - doubled[:, -1], doubled[:, 0] - single[:, 0] / np.sqrt(2))
    return largest(gaps)


@fact("computed; the planted collinear control in two columns", "above 1")
def collinear_leverage(solve: Solve = solve_squared) -> Any:
    """A bad leverage point oblique to a nearly degenerate direction moves the weight that matters more with L2 (beta =
    0.1) than without: quotient of the shifts.

    X = (z1, 0.01 z2), both of unit variance and uncorrelated; x0 = (3, 3). Least squares reaches the outlier along the
    second column, at hardly any change of the first weight; ridge pays for that and moves the first weight instead.
    """
    z = generator("oracle", "leverage").normal(size=(200, 2))
    z -= z.mean(axis=0)
    z = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T, ddof=0))).T
    X, y = z * [1.0, 0.01], z[:, 0]
    betas = np.array([1e-12, 0.1])
    moved, _ = solve(np.vstack([X, [3.0, 3.0]]), np.append(y, -10.0), betas)
    shift = np.abs(moved - solve(X, y, betas)[0])[:, 0]
    return shift[1] / shift[0]


def slopes(solve: Solve) -> Array:
    """(5, betas): log-log slope of the shift of all coefficients in the size of one outlier, decade by decade.

    The outlier, in SDs of the noise, is added to the target of the first of 40 rows. The shift is the norm of the
    change of weights and intercept.
    """
    sizes, betas = np.logspace(1, 6, 6), np.array([0.0, 0.01, 0.1, 1.0, 3.0])
    rng = generator("identity outliers")
    X = rng.normal(size=(40, 4))
    y = X @ rng.normal(size=4) + 1 + rng.normal(size=40)

    def coefficients(target: Array) -> Array:
        return np.column_stack(solve(X, target, betas))

    clean, wild = coefficients(y), np.eye(len(y))[0]
    shifts = np.array([np.linalg.norm(coefficients(y + size * wild) - clean, axis=1) for size in sizes])
    return np.asarray(np.diff(np.log10(shifts), axis=0) / np.diff(np.log10(sizes))[:, None])


@fact(BOUNDED, 1.0, tolerance=1e-6)
def ridge_shift_is_unbounded_at_every_beta(solve: Solve = solve_squared) -> Any:
    """Under squared loss the coefficients shift in proportion to one wild target, from 10 to a million SDs, at every
    beta from 0 to 3: log-log slope farthest from 1.
    """
    return farthest(slopes(solve), 1.0)


@fact(BOUNDED, tolerance=1e-6)
def huber_shift_is_bounded(solve: Solve = solve_huber) -> Any:
    """Under Huber loss with the same penalties the shift stops growing: log-log slope farthest from 0, from a hundred
    thousand to a million SDs.
    """
    return farthest(slopes(solve)[-1], 0.0)
