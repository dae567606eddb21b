"""From fitted models to what measures look at: predictions on every part of the split, perturbed rows, hidden units.

Each model is evaluated by itself, in programs whose shapes do not depend on other models. So a run's measures are the
same to the last bit whatever else is in its shard. The measures are explained in docs/results.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from l2audit.contamination import Contaminated, Rows, fgsm_l2, test_noise
from l2audit.measures import Evaluation, Hidden, Part
from l2audit.models.problem import Fitted, Problem
from l2audit.plan import CLEAN
from l2audit.runs.levels import Level

Single = NDArray[np.float32]
Targets = NDArray[np.float32] | NDArray[np.int32]
Floats = NDArray[np.floating[Any]]

STRENGTH = 0.3
"""Size of test-time perturbations, in SDs of each feature over the clean training rows."""

ABLATION_ROWS = 128
"""At most so many validation rows see each hidden unit silenced, spread evenly: files may be sorted by the target."""

PIXEL_VARIANCE = 0.02
"""A pixel whose variance is not above this, on a scale from 0 to 1, is a dead input."""

ROUNDING = 1e-6
"""A feature whose values differ by no more than this, in units of its scaling, is constant."""


def evaluate(fitted: Fitted, problem: Problem, levels: Sequence[Level]) -> Evaluation:
    """What the fitted models of `problem` do. levels: its D training sets, in order, with the split each belongs to."""
    splits, of = clean_splits(levels)

    def part(X: Single, y: Targets, which: NDArray[np.int64]) -> Part:
        return Part(fitted.predict(X, which), y[which])

    def stacked(rows: Sequence[Rows | Contaminated]) -> tuple[Single, Targets]:
        return np.stack([one.X for one in rows]).astype(np.float32), typed([one.y for one in rows], problem.task)

    which = of[problem.data]
    validation = stacked([level.clean.validation for level in splits])
    X, y = stacked([level.clean.test for level in splits])
    test = part(X, y, which)
    gradient, against = perturb(fitted, problem.task, X, which, test)
    return Evaluation(
        task=problem.task,
        finite_fit=fitted.certificates["finite"].astype(bool),
        train=part(problem.X, problem.y, problem.data),
        validation=part(*validation, which),
        validation_contaminated=part(*stacked([level.validation for level in levels]), problem.data),
        test=test,
        test_noise=part(noisy(problem.dataset, splits), y, which),
        test_fgsm=Part(against, test.y),
        relabelled=np.stack([level.train.relabelled for level in levels])[problem.data],
        clean_run=clean_runs(problem, levels),
        unpenalised_run=unpenalised_runs(problem),
        input_gradient=gradient,
        kernels=fitted.kernels,
        live_inputs=live_inputs(fitted, problem, levels)[problem.data],
        hidden=_hidden(fitted, problem, *validation, which),
    )


def clean_splits(levels: Sequence[Level]) -> tuple[list[Level], NDArray[np.int64]]:
    """One level for each set of clean rows, and for each of the D levels which of those it shares clean rows with.

    All levels of a seed have the same clean rows, unless each is scaled by its own training rows.
    """
    keys = [id(level.clean) for level in levels]
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    order = sorted(first, key=first.__getitem__)
    return [levels[first[key]] for key in order], np.array([order.index(key) for key in keys])


def typed(y: Sequence[NDArray[Any]], task: str) -> Targets:
    """Targets stacked, in the type that engines take: int32 classes or float32 values."""
    stacked = np.stack(y)
    return stacked.astype(np.int32) if task == "classification" else stacked.astype(np.float32)


def noisy(dataset: str, splits: Sequence[Level]) -> Single:
    """Each split's clean test rows with Gaussian noise of STRENGTH SDs a feature, (D, n, p)."""
    noised = [
        test_noise(level.clean.test.X, STRENGTH, spread=level.clean.reference.spread, dataset=dataset, seed=level.seed)
        for level in splits
    ]
    return np.stack(noised).astype(np.float32)


def clean_runs(problem: Problem, levels: Sequence[Level]) -> NDArray[np.int64]:
    """For each model the one of the same seed and beta that was fitted to clean rows, (M,); -1 as in `Evaluation`."""
    axes = [(levels[where].seed, float(beta)) for where, beta in zip(problem.data, problem.beta, strict=True)]
    clean = np.array([level.contamination == CLEAN for level in levels])[problem.data]
    found = {axes[model]: int(model) for model in np.flatnonzero(clean)}
    return np.array([-1 if clean[model] else found.get(one, -1) for model, one in enumerate(axes)])


def unpenalised_runs(problem: Problem) -> NDArray[np.int64]:
    """For each model the one of the same training set at beta = 0, (M,); -1 as in `Evaluation`."""
    found = {problem.data[model]: model for model in np.flatnonzero(problem.beta == 0)}
    axes = zip(problem.data, problem.beta, strict=True)
    return np.array([found.get(data, -1) if beta > 0 else -1 for data, beta in axes])


def live_inputs(fitted: Fitted, problem: Problem, levels: Sequence[Level]) -> NDArray[np.bool_]:
    """Which inputs of the first kernel vary over the rows fitted, (D, inputs).

    A pixel varies if its variance is above PIXEL_VARIANCE of its squared range over the clean training rows. Any other
    feature varies if it is not constant. Behind a convolution or pooling, inputs are channels, and all count.
    """
    inputs = fitted.kernels[0].shape[-2]
    if inputs != problem.X.shape[2]:
        return np.ones((len(levels), inputs), dtype=bool)
    return np.stack([_varying(level.train.X, level.clean.train.X, problem.image is not None) for level in levels])


def _varying(fitted: Floats, clean: Floats, pixels: bool) -> NDArray[np.bool_]:
    varies = np.ptp(fitted, axis=0) > ROUNDING
    if pixels:
        varies &= fitted.var(axis=0) > PIXEL_VARIANCE * np.ptp(clean, axis=0) ** 2
    return np.asarray(varies)


def perturb(
    fitted: Fitted, task: str, X: Single, which: NDArray[np.int64], test: Part
) -> tuple[NDArray[np.float64], Single]:
    """Mean norm of the gradient of each test row's loss in its features, (M,), and outputs on rows moved along it.

    X: (S, n, p) test rows, of which model m has X[which[m]] and gives the outputs `test`. The loss is that of the
    measure `test_loss` whatever the model was trained with, so that one ruler serves all. Rows move by
    STRENGTH * sqrt(p) in all, the length of a change of every feature by STRENGTH.
    """
    attack = _attack(fitted, STRENGTH * np.sqrt(X.shape[2]))
    gradient, moved = np.empty(len(which)), np.empty_like(test.outputs)
    with np.errstate(all="ignore"):  # a diverged model is a row, not a warning
        for model, rows in enumerate(which):
            towards, steepness = steepest(task, test.outputs[model], test.y[model])
            slope, moved[model] = attack(model, X[rows], towards, test.outputs[model])
            gradient[model] = (steepness * np.linalg.norm(slope, axis=1)).mean()
    return gradient, moved


def steepest(task: str, outputs: Single, y: Targets) -> tuple[Single, NDArray[np.float64]]:
    """The gradient of each row's loss in its outputs (n, K), as a direction (n, K) and what it is multiplied by (n,).

    Kept apart because a confident network's gradient underflows and its direction does not. Cross-entropy is
    log(1 + exp m) with m = log sum_{k != y} exp f_k - f_y: the direction is that of m. For half a squared residual the
    direction is the residual's sign.
    """
    if task != "classification":
        residual = outputs[:, 0].astype(np.float64) - y
        return np.sign(residual).astype(np.float32)[:, None], np.abs(residual)
    rows = np.arange(len(y))
    others = outputs.T.astype(np.float64)  # classes first: many short sums are slow
    own = others[y, rows]
    others[y, rows] = -np.inf
    top = others.max(axis=0)
    weights = np.exp(others - top)
    total = weights.sum(axis=0)
    towards = (weights / total).astype(np.float32)
    towards[y, rows] = -1.0
    return np.ascontiguousarray(towards.T), expit(top + np.log(total) - own)


Attack = Callable[[int, Single, Single, Single], tuple[Floats, Floats]]
"""(model, X (n, p), direction in the outputs (n, K), outputs (n, K)) to that direction's slope in X and new outputs."""


def _attack(fitted: Fitted, length: float) -> Attack:
    if fitted.network is not None:
        from l2audit.networks.probes import attack

        return attack(fitted, length)

    def linear(model: int, X: Single, towards: Single, outputs: Single) -> tuple[Floats, Floats]:
        kernel = fitted.kernels[0][model]
        slope = towards @ kernel.T
        step = fgsm_l2(np.zeros_like(slope), slope, length)
        return slope, outputs + step @ kernel  # the outputs are exact: float64 where the kernel's copy is float32

    return linear


def _hidden(fitted: Fitted, problem: Problem, X: Single, y: Targets, which: NDArray[np.int64]) -> list[Hidden]:
    if fitted.network is None:
        return []
    from l2audit.networks.probes import hidden_layers

    chosen = ablation_rows(X.shape[1])
    return hidden_layers(fitted, problem, X[:, chosen], y[:, chosen], which)


def ablation_rows(rows: int) -> NDArray[np.int64]:
    """Numbers of the validation rows that see units silenced: all of them, or ABLATION_ROWS of them spread evenly."""
    return np.linspace(0, rows - 1, min(rows, ABLATION_ROWS)).round().astype(np.int64)
