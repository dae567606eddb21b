"""Linear models solved exactly, in float64, with no step size and no stochastic noise (documented in docs/linear.md).

Two public functions: `fit_linear`, and `supports`, which says beforehand whether a loss goes with a penalty. Below:

- under L2, one module for each loss: `squared` (ridge in closed form), `huber` (reweighted ridge, the residual scale
  re-estimated), `cross_entropy` (Newton's method with conjugate gradients), `absolute` (least absolute deviations);
- under L1, `l1_regression` and `l1_cross_entropy`;
- `kinked`, `interior` and `face`: problems with absolute values in them, an interior point method, and the equations
  that its result is brought to the last digits with;
- `basis` and `columns`: the coordinates in which all of them work;
- `certificate`: how far a model is from its optimum, computed without any of the above.

No module here imports TensorFlow: linear models double as an independent check on the engines that do.
"""

from l2audit.linear.fit import fit_linear, supports

__all__ = ["fit_linear", "supports"]
