"""Estimands: what each claim means as a paired contrast, one small function each, a module a family.

An estimand gets a `Contrast`, which reads measures of the runs of one (dataset, arm) at one contamination level, at
beta = 0 or at the beta that validation chose, one number a seed. It returns theta, (S,), oriented so that theta > 0
agrees with the claim.
"""

from l2audit.effects.estimands import differences, fit, outliers, weights
from l2audit.effects.estimands.base import ESTIMANDS, Estimand, estimand, parameter_faults

__all__ = ["ESTIMANDS", "Estimand", "differences", "estimand", "fit", "outliers", "parameter_faults", "weights"]
