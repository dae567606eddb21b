"""Array types of the linear solvers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Float64 array; shapes stand in the docstrings."""

Labels = NDArray[np.int64]
"""Class indices 0 to K-1."""
