"""Randomness as a function of the axes that matter.

A seed is the hash of its purpose and of the axes that it may depend on. So pairing is by design: split, initial
weights, batch order and contaminated rows are the same at every beta. A run draws the same numbers whatever else is
trained.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np


def canonical(value: object) -> str:
    """Canonical JSON of `value`: sorted keys, no spaces, shortest floats; equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def seed_of(purpose: str, *axes: str | int | float) -> int:
    """A 128-bit seed that depends on `purpose` and `axes` alone (SHA-256 of their canonical JSON)."""
    digest = hashlib.sha256(canonical([purpose, *axes]).encode()).digest()
    return int.from_bytes(digest[:16], "big")


def generator(purpose: str, *axes: str | int | float) -> np.random.Generator:
    """A fresh PCG64 generator for `purpose` and `axes` (see `seed_of`)."""
    return np.random.Generator(np.random.PCG64(seed_of(purpose, *axes)))
