"""The specification curve: in how many of the defensible analyses a verdict stays what it is. It changes no verdict.

`choices`   the registered choices, and how each is carried out
`readings`  runs to effects under every choice at once
`agreement` effects to verdicts, and how many are the same

The idea is Simonsohn, Simmons and Nelson's (2020), Nature Human Behaviour 4, 1208-1214; what is done here is told in
docs/statistics.md.
"""

from l2audit.specifications.agreement import specify
from l2audit.specifications.choices import Choices, load

__all__ = ["Choices", "load", "specify"]
