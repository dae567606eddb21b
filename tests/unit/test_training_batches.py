"""Which rows each step takes, and over how many steps the certificate averages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2audit.config.study import Schedule
from l2audit.networks.batches import order, window


@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 70))
def test_every_step_takes_rows_pass_after_pass(rows: int, steps: int, batch: int) -> None:
    taken = order(Schedule(0.1, steps, batch), rows, "digits", 3)
    if batch >= rows:
        assert np.array_equal(taken, [np.arange(rows)])
        return
    assert taken.shape == (steps, batch)
    stream = taken.ravel()
    for stop in range(len(stream), rows - 1, -rows):  # whole passes, from the end
        assert np.array_equal(np.sort(stream[stop - rows : stop]), np.arange(rows))
    first = stream[: len(stream) % rows]
    assert len(set(first)) == len(first)


def test_order_is_keyed_by_dataset_and_seed_alone() -> None:
    schedule = Schedule(0.1, 50, 8)
    assert np.array_equal(order(schedule, 20, "digits", 1), order(Schedule(0.9, 50, 8), 20, "digits", 1))
    assert not np.array_equal(order(schedule, 20, "digits", 1), order(schedule, 20, "digits", 2))
    assert not np.array_equal(order(schedule, 20, "digits", 1), order(schedule, 20, "wine", 1))


@pytest.mark.parametrize(("rows", "batch"), [(400, 64), (284, 64), (221, 64), (89, 64), (75, 32)])
def test_window_is_a_whole_number_of_passes(rows: int, batch: int) -> None:
    steps = window(Schedule(0.02, 4000, batch), rows)
    assert 400 <= steps <= 600
    taken = order(Schedule(0.02, 4000, batch), rows, "digits", 0)[-steps:]
    assert set(np.bincount(taken.ravel(), minlength=rows)) == {steps * batch // rows}


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 100))
def test_window_is_between_one_step_and_all(rows: int, steps: int, batch: int) -> None:
    assert 1 <= window(Schedule(0.1, steps, batch), rows) <= max(1, 0.15 * steps)
