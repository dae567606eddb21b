"""Estimands: what each claim means as a paired contrast, one small function each, a module a family.

An estimand gets a `Contrast`, which holds the runs of one (dataset, arm) at one contamination level. The contrast reads
any measure at beta = 0 or at the beta tuned on validation rows, one number per seed. The estimand returns theta, (S,);
theta > 0 agrees with the claim.
"""

from l2audit.effects.estimands import differences, fit, outliers, weights
from l2audit.effects.estimands.base import ESTIMANDS, Estimand, estimand, parameter_faults

__all__ = ["ESTIMANDS", "Estimand", "differences", "estimand", "fit", "outliers", "parameter_faults", "weights"]
