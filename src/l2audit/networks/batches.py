"""Which rows each step takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l2audit.config.study import Schedule
from l2audit.seeds import generator

LEAST_WINDOW = 0.1
MOST_WINDOW = 0.15


def order(schedule: Schedule, rows: int, dataset: str, seed: int, steps: int | None = None) -> NDArray[np.int32]:
    """Row numbers of every step: (steps, batch) int32, or (1, rows) where each step takes all `rows`.

    Pass after pass over the rows, each in a fresh random order, cut into batches wherever they fall. The last pass is a
    whole one: the rows missing for that are left out of the first. Keyed by (dataset, seed) alone.

    `steps`: of a model that takes fewer than the schedule's; its last batch then stands for those that are left.
    """
    if schedule.batch >= rows:
        return np.arange(rows, dtype=np.int32)[None]
    steps = schedule.steps if steps is None else steps
    wanted = steps * schedule.batch
    rng = generator("order", dataset, seed)
    passes = [rng.permutation(rows) for _ in range(-(-wanted // rows))]
    taken = np.concatenate(passes)[-wanted:].reshape(steps, schedule.batch).astype(np.int32)
    return np.concatenate([taken, np.repeat(taken[-1:], schedule.steps - steps, axis=0)])


def window(schedule: Schedule, rows: int) -> int:
    """How many last steps the convergence certificate averages over: a tenth of the steps, at least 1.

    Somewhat more (up to 15 %) where that brings it nearer to a whole number of passes over the rows. Where every row is
    taken equally often, what the batches leave out of the full gradient cancels.
    """
    shortest = max(1, int(LEAST_WINDOW * schedule.steps))
    if schedule.batch >= rows:
        return shortest
    longest = max(shortest, int(MOST_WINDOW * schedule.steps))
    surplus = [(steps * schedule.batch) % rows for steps in range(shortest, longest + 1)]
    return shortest + int(np.argmin([min(one, rows - one) for one in surplus]))
