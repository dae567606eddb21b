"""Was the rule there before the result: the registration that judges, against those at the training of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BEFORE, CHANGED, UNKNOWN = "before training", "changed after training", "unknown"
SHOWN = 12
"""Digits of a SHA-256 in a sentence; the entry holds all of them."""


def registration_status(present: str, shards: Mapping[str, int]) -> dict[str, Any]:
    """status, sentence, the SHA-256 of the registration that judges (`present`), and the numbers of shards by theirs.

    `shards`: SHA-256 (or "unknown", of shards that do not say) -> number of shards. A single shard that was trained
    under another registration makes the status "changed after training": nobody can see from outside which lines were
    changed in the light of a result.
    """
    others = {sha: n for sha, n in sorted(shards.items()) if sha not in (present, UNKNOWN)}
    silent, total = shards.get(UNKNOWN, 0), sum(shards.values())
    mute = f"{silent} of {total} shards of runs do not say under which registration they were trained"
    if others:
        status = CHANGED
        trained = ", ".join(
            f"{n} of {total} shards of runs were trained under {sha[:SHOWN]}" for sha, n in others.items()
        )
        sentence = f"The registration was changed after training: {trained}, and are judged here under"
        sentence += f" {present[:SHOWN]}. {mute}." if silent else f" {present[:SHOWN]}."
    elif silent or not total:
        status = UNKNOWN
        sentence = f"It is not known whether this registration is older than the results: {mute}."
    else:
        status = BEFORE
        sentence = f"Registered before training: all {total} shards of runs carry this registration, {present[:SHOWN]}."
    return {"status": status, "present": present, "shards": dict(sorted(shards.items())), "sentence": sentence}
