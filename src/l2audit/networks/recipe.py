"""How networks are trained: what stays the same for all models of a problem."""

from __future__ import annotations

from dataclasses import dataclass

from l2audit.config.study import Schedule
from l2audit.models.architectures import Network
from l2audit.models.penalties import Penalty


@dataclass(frozen=True)
class Recipe:
    """A network, what is minimised (mean(loss) + beta * penalty), by which optimizer and schedule."""

    network: Network
    loss: str
    penalty: Penalty
    optimizer: str
    schedule: Schedule
