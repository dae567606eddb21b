"""Linear models solved exactly, in float64, with no step size and no stochastic noise (documented in docs/linear.md).

Two public functions: `fit_linear`, and `supports`, which refuses a penalty that a loss has no solver for.

- `squared` (ridge in closed form), `huber` (reweighted ridge), `cross_entropy` (Newton's method): under L2
- `l1`: the lasso, and cross-entropy under L1
- `basis`: the coordinates of the L2 solvers
- `certificate`: how far a model is from its optimum, computed without any solver

No module here imports TensorFlow: linear models double as an independent check on the engines that do.
"""

from l2audit.linear.fit import fit_linear, supports

__all__ = ["fit_linear", "supports"]
