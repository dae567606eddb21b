"""Whether the rule is older than the results: from the shards through the table of runs to the verdicts."""

from __future__ import annotations

import pytest

from l2audit.runs.results import UNKNOWN
from l2audit.wording.sentences import registration_status

NEW, OLD, OLDER = "a" * 64, "b" * 64, "c" * 64


@pytest.mark.parametrize(
    ("shards", "status"),
    [
        ({NEW: 3}, "before training"),
        ({NEW: 3, OLD: 1}, "changed after training"),
        ({OLD: 3}, "changed after training"),
        ({OLD: 3, UNKNOWN: 1}, "changed after training"),
        ({NEW: 3, UNKNOWN: 1}, "unknown"),
        ({UNKNOWN: 3}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_one_shard_of_another_registration_is_enough(shards: dict[str, int], status: str) -> None:
    assert registration_status(NEW, shards)["status"] == status


def test_the_sentence_has_both_hashes_and_counts_the_shards() -> None:
    found = registration_status(NEW, {OLD: 3, OLDER: 2, NEW: 4, UNKNOWN: 1})
    assert found["sentence"] == (
        "The registration was changed after training: 3 of 10 shards of runs were trained under bbbbbbbbbbbb, 2 of 10 "
        "shards of runs were trained under cccccccccccc, and are judged here under aaaaaaaaaaaa. 1 of 10 shards of "
        "runs do not say under which registration they were trained."
    )
    assert (found["present"], list(found["shards"])) == (NEW, [NEW, OLD, OLDER, UNKNOWN])
    assert registration_status(NEW, {NEW: 55})["sentence"] == (
        "Registered before training: all 55 shards of runs carry this registration, aaaaaaaaaaaa."
    )
    assert "not known" in registration_status(NEW, {NEW: 54, UNKNOWN: 1})["sentence"]
