"""The specification curve: in how many of the defensible analyses a verdict stays what it is. It changes no verdict.

`choices`    The registered choices, and how each is carried out.
`readings`   Runs to effects under every choice at once.
`agreement`  Effects to verdicts, and how many are the same.

Source: Simonsohn, Simmons and Nelson (2020), Nature Human Behaviour 4, 1208-1214. docs/statistics.md explains it.
"""

from l2audit.specifications.agreement import specify
from l2audit.specifications.choices import Choices, load

__all__ = ["Choices", "load", "specify"]
