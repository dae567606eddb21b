"""Whose certificate of convergence a part asks, on constructed runs of the arm `net` and of another, seed 0 spoilt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from judging import arm_plan, contrasts, drawn_runs, part

OTHER = {"primary": False, "penalty": "decay", "betas": (0.0, 0.01, 0.03, 0.1), "seeds": (0, 1)}
ESTIMANDS = {"sensitivity_against": {}, "sparsity_against": {"measure": "dead_fraction"}, "omission": {}}
DEFAULT: dict[str, str] = {}
EVERY, OWN = {"certificate": "every arm"}, {"certificate": "own arm"}


@pytest.fixture(params=sorted(ESTIMANDS))
def estimand(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def spoilt(arm: str, **columns: Any) -> pd.DataFrame:
    """Runs of both arms; the penalised ones of `arm` with seed 0 have these columns."""
    plan = pd.concat([arm_plan(), arm_plan("other", **OTHER)], ignore_index=True)
    runs = drawn_runs(plan)
    at = (runs["arm"] == arm) & (runs["beta"] > 0) & (runs["seed"] == 0)
    for column, value in columns.items():
        runs.loc[at, column] = value
    return runs


def effects(
    runs: pd.DataFrame, estimand: str, certificate: dict[str, str], plan: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Of a claim about `net` with one part; what was run was planned, unless `plan` says that there was more."""
    regression = {name: {"regression": 1} for name in ("scale", "delta")} | {"unit": {"regression": "u"}}
    parameters = {"against": "other", **ESTIMANDS[estimand]}
    one = part(estimand=estimand, parameters=parameters, **regression, **certificate)
    return contrasts(runs if plan is None else plan, runs, estimand, parts=[one])


def reasons(
    runs: pd.DataFrame, estimand: str, certificate: dict[str, str], plan: pd.DataFrame | None = None
) -> dict[int, set[str]]:
    found = effects(runs, estimand, certificate, plan)
    assert (found["theta"].notna() == found["ok"]).all() and (found["ok"] == (found["reason"] == "")).all()
    return {seed: set(rows["reason"]) for seed, rows in found.groupby("seed")}


@pytest.mark.parametrize("column", ["gradient_ratio", "balance"])
@pytest.mark.parametrize(
    ("arm", "certificate", "reason"),
    [
        ("other", DEFAULT, "not converged"),
        ("other", EVERY, "not converged"),
        ("other", OWN, ""),
        ("net", DEFAULT, "not converged"),
        ("net", EVERY, "not converged"),
        ("net", OWN, "not converged"),
    ],
)
def test_a_part_asks_both_arms_or_its_own_alone(
    estimand: str, arm: str, certificate: dict[str, str], reason: str, column: str
) -> None:
    assert reasons(spoilt(arm, **{column: 0.5}), estimand, certificate) == {0: {reason}, 1: {""}}


def test_what_an_uncertified_run_measured_is_the_effect(estimand: str) -> None:
    stuck, settled = (effects(spoilt("other", gradient_ratio=ratio), estimand, OWN) for ratio in (0.9, 0.001))
    pd.testing.assert_frame_equal(stuck, settled)
    pd.testing.assert_frame_equal(stuck, effects(spoilt("other"), estimand, DEFAULT))


@pytest.mark.parametrize("certificate", [EVERY, OWN])
@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"status": "diverged"}, "run diverged"),
        ({"test_risk": np.nan, "dead_fraction": np.nan, "memorised_fraction": np.nan}, "effect is not a finite number"),
    ],
)
def test_all_else_is_asked_of_both(
    estimand: str, certificate: dict[str, str], columns: dict[str, Any], reason: str
) -> None:
    for arm in ("net", "other"):
        assert reasons(spoilt(arm, **columns), estimand, certificate) == {0: {reason}, 1: {""}}


@pytest.mark.parametrize("certificate", [EVERY, OWN])
def test_runs_that_are_absent_are_missed_in_both(estimand: str, certificate: dict[str, str]) -> None:
    for arm in ("net", "other"):
        plan = spoilt(arm)
        lost = (plan["arm"] == arm) & (plan["seed"] == 0) & (plan["beta"] > 0)
        assert reasons(plan[~lost], estimand, certificate, plan) == {0: {"run absent"}, 1: {""}}


@pytest.mark.parametrize("estimand", ["sensitivity_against", "sparsity_against"])
@pytest.mark.parametrize("certificate", [EVERY, OWN])
def test_the_band_is_asked_of_an_arm_that_chose_its_beta(estimand: str, certificate: dict[str, str]) -> None:
    found = reasons(spoilt("other", validation_risk=0.9), estimand, certificate)
    assert found == {0: {"no beta in the judged band"}, 1: {""}}


def test_a_slope_asks_for_the_certificates_that_the_verdict_asks_for(estimand: str) -> None:
    stuck = spoilt("other", gradient_ratio=0.5)

    def slopes(runs: pd.DataFrame, certificate: dict[str, str]) -> pd.Series:
        found = effects(runs, estimand, certificate)
        return found.loc[found["seed"] == 0, "slope"]

    assert slopes(stuck, DEFAULT).isna().all()
    assert slopes(stuck, OWN).notna().all()
    pd.testing.assert_series_equal(slopes(stuck, OWN), slopes(spoilt("other"), DEFAULT))
    stuck.loc[(stuck["arm"] == "net") & (stuck["beta"] == 0.01), "gradient_ratio"] = 0.5
    assert slopes(stuck, OWN).isna().all()  # one beta is left of two
