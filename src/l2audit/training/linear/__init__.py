"""Linear models solved exactly, in float64, with no step size and no stochastic noise (documented in docs/linear.md).

One public function, `fit_linear`; one module for each loss:

- `squared`: ridge in closed form, every beta of a training set from one factorisation;
- `huber`: iteratively reweighted ridge with the residual scale re-estimated at each step;
- `cross_entropy`: multinomial logistic regression by Newton's method with conjugate gradients.

No module here imports TensorFlow: linear models double as an independent check on the engines that do.
"""

from l2audit.training.linear.fit import fit_linear

__all__ = ["fit_linear"]
