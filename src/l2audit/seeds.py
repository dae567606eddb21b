"""Randomness as a function of the axes that matter.

A seed is the hash of *what it is for* (its purpose and the axes that it may depend on), so that pairing is designed and
not hoped for: the split of (dataset, seed), the initial weights of (architecture, seed), the batch order and the
contamination mask are the same at every beta, and a run draws the same numbers whatever else is trained beside it.
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
