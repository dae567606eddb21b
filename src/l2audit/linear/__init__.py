"""Linear models solved exactly, in float64, with no step size and no stochastic noise (documented in docs/linear.md).

`fit_linear` fits them, and `supports` says beforehand whether a loss goes with a penalty. No module here imports
TensorFlow: linear models double as an independent check on the engines that do.

- `squared`, `huber` and `cross_entropy` hold one loss each: all are solved under L2, Huber's not under L1.
- `sparse` solves problems with an L1 penalty. `coordinates` holds the coordinates that all solvers work in.
- `certificate` measures how far a model is from its optimum, without any of the above.
"""

from l2audit.linear.fit import fit_linear, supports

__all__ = ["fit_linear", "supports"]
