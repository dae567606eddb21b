"""The evidence of a study from its files; apart from `evidence`, so that a page needs no plan and no training code."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from l2audit.config.claims import load
from l2audit.effects.evidence import Evidence
from l2audit.plan import planned, restored_plan
from l2audit.stored import read_frame, read_json


def stored_evidence(plan: str | Path, runs: str | Path, claims: str | Path, cards: Iterable[str | Path]) -> Evidence:
    """The evidence of a study: its plan.json, runs.parquet, the registration and the data cards.

    DamagedFile: one of them is not what was written. ConfigError: faults of the registration.
    """
    shards, strata = restored_plan(plan)
    collinear = {card["name"]: card["collinear"] for card in map(read_json, cards)}
    return Evidence(pd.DataFrame(planned(shards)), read_frame(runs), load(claims), strata, collinear)
