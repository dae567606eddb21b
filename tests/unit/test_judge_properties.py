"""What must hold on any table: order does not matter, more effect never refutes, a slow implementation agrees."""

from __future__ import annotations

import gc
import itertools
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from judging import DELTA, claim, part, registration, situated
from l2audit.config import claims as names
from l2audit.config.claims import Registration
from l2audit.judge import rule
from l2audit.judge.statistics import decisive, holm
from l2audit.judge.verdicts import judge

STRATA = ["label", "target", "leverage"]
SEEDS = 45
SETTINGS = registration(
    claim("g", parts=[part("g1"), part("g2")], strata=STRATA, architectures=["linear", "mlp"]),
    claim("c", architectures=["linear", "mlp"]),
    claim("f", architectures=["linear"], strata=STRATA),
    claim("a1", family="added", strata=STRATA[:2]),
    claim("pc", family="control", role="control", expects=["supported"]),
    situated("s", {"label": ["linear", "mlp"], "target": ["linear"]}, multiplicity="own"),
    situated("t", {"all": ["linear", "mlp"]}, parts=[part("t1"), part("t2")]),
    situated("u", {"label": ["linear", "mlp"], "leverage": ["mlp"]}, family="added", multiplicity="own"),
)


@pytest.fixture(autouse=True, scope="module")
def _without_garbage_collection() -> Iterator[None]:
    """`multipletests` collects garbage at every call, which under pytest takes longer than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda: 0)
        yield


def random_effects(seed: int) -> pd.DataFrame:
    """A ragged table: datasets without a stratum, cells without seeds, failures, sleeping penalties, all signs."""
    rng = np.random.default_rng(seed)
    rows = []
    sizes = {"g": rng.integers(4, 9), "c": rng.integers(3, 9), "f": 7, "a1": 6, "pc": 5, "s": 8, "t": 6, "u": 7}
    for one in SETTINGS.claims:
        strata = one.kinds or (("all",) if one.situations else ("label", "target"))
        centre = {s: rng.choice([-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, 12.0]) for s in strata}
        if rng.random() < 0.5:
            centre = dict.fromkeys(strata, rng.choice([-4.0, 0.0, 4.0]))
        scale, noise = rng.choice([0.2, 1.0, 3.0]), rng.choice([0.1, 1.0])
        sleepy = rng.choice([0.0, 0.7])
        for d, p in itertools.product(range(sizes[one.id]), one.parts):
            task = "classification" if d % 2 else "regression"
            flipped = -1.0 if one.id != "s" and rng.random() < 0.3 else 1.0
            for s in strata:
                if rng.random() < 0.15:
                    continue
                base = flipped * centre[s] + scale * rng.standard_normal()
                for a, level in itertools.product(one.arms, ("x", "y")):
                    if rng.random() < 0.05:
                        continue
                    for seed_number in range(6 if a == "mlp" else 5):
                        ok = rng.random() > 0.06
                        rows.append(
                            {
                                "claim": one.id,
                                "part": p.id,
                                "role": one.role,
                                "dataset": f"d{d}",
                                "task": task,
                                "stratum": s,
                                "arm": a,
                                "level": level,
                                "seed": seed_number,
                                "theta": (base + noise * rng.standard_normal()) * DELTA[task] if ok else np.nan,
                                "ok": ok,
                                "reason": "" if ok else "run diverged",
                                "active": rng.random() > sleepy,
                            }
                        )
    return pd.DataFrame(rows)


# The slow second implementation: docs/statistics.md in loops, scipy.stats and statsmodels.


SlowScores = tuple[dict[Any, float], dict[Any, list[float]], dict[Any, float]]


def slow_scores(rows: list[dict[str, Any]], one: names.Claim, p: str) -> SlowScores:
    """(dataset, stratum) -> y, z and share active, by loops over rows; steps 1-4 of docs/statistics.md."""
    rows = [r for r in rows if r["claim"] == one.id and r["part"] == p and r["role"] == one.role]
    rows = [r for r in rows if r["arm"] in one.arms]
    if one.situations:
        wanted = [(kind, arm) for kind, arms in one.situations.items() for arm in arms]
        rows = [
            {**r, "stratum": r["arm"] if r["stratum"] == "all" else f"{r['stratum']}/{r['arm']}"}
            for r in rows
            if (r["stratum"], r["arm"]) in wanted
        ]
    elif one.strata:
        rows = [r for r in rows if r["stratum"] in one.strata]
    else:
        rows = [{**r, "level": (r["stratum"], r["level"]), "stratum": "all"} for r in rows]
    datasets = defaultdict(set)
    planned = defaultdict(set)
    for r in rows:
        datasets[r["stratum"]].add(r["dataset"])
        planned[r["stratum"], r["arm"]].add(r["dataset"])
    rows = [r for r in rows if planned[r["stratum"], r["arm"]] == datasets[r["stratum"]]]
    cells: dict[Any, dict[int, Any]] = defaultdict(dict)
    for r in rows:
        cells[r["dataset"], r["stratum"], r["arm"], r["level"]][r["seed"]] = r
    if not cells:
        return {}, {}, {}
    every = sorted(set.union(*(set(c) for c in cells.values())))
    y, z, share = {}, {}, {}
    for d, s in sorted({key[:2] for key in cells}):
        common = set.intersection(*(set(c) for key, c in cells.items() if key[1] == s))
        mine = {key[2:]: [cell[seed] for seed in sorted(common)] for key, cell in cells.items() if key[:2] == (d, s)}
        judged = {key: c for key, c in mine.items() if sum(r["ok"] for r in c) >= 0.8 * len(common) - 1e-9 and c}
        judged = {key: c for key, c in judged.items() if any(r["ok"] for r in c)}
        if not judged or len(judged) < 0.5 * len(mine):
            continue

        def balanced(value: Callable[[list[dict[str, Any]]], float], judged: Any = judged) -> float:
            means = []
            for a in sorted({key[0] for key in judged}):
                means.append(fmean([value(c) for key, c in judged.items() if key[0] == a]))
            return fmean(means)

        def u(r: dict[str, Any]) -> float:
            return float(r["theta"]) / DELTA[r["task"]]

        y[d, s] = balanced(lambda c: fmean([u(r) for r in c if r["ok"]]))
        share[d, s] = balanced(lambda c: fmean([r["active"] for r in c if r["ok"]]))
        z[d, s] = [
            balanced(lambda c, i=i: u(c[i]))
            if seed in common and all(c[i]["ok"] for c in judged.values())
            else math.nan
            for seed, i in ((seed, sorted(common).index(seed) if seed in common else -1) for seed in every)
        ]
    return y, z, share


def slow_part(scores: SlowScores, one: names.Claim, stratum: str) -> tuple[list[float], list[list[float]], int]:
    """Scores x, series z and the count of datasets with L2 inactive, for one row."""
    y, z, share = scores
    x, series, asleep = [], [], 0
    for d in sorted({d for d, _ in y}):
        has = [s for s in (one.strata or ("all",)) if (d, s) in y and (stratum in ("all", s))]
        if not has:
            continue
        x.append(fmean([max(-10.0, min(10.0, y[d, s])) for s in has]))
        series.append([v for v in (fmean(t) for t in zip(*(z[d, s] for s in has), strict=True)) if not math.isnan(v)])
        asleep += fmean([share[d, s] for s in has]) < 0.5
    return x, series, asleep


def slow_row(scores: list[SlowScores], one: names.Claim, stratum: str) -> dict[str, Any]:
    found = [slow_part(part_scores, one, stratum) for part_scores in scores]
    k = min(len(x) for x, _, _ in found)
    row = {"k": k, "sup": 1.0, "exc": 1.0, "rev": 1.0, "eq": 1.0, "asleep": False, "split": False, "beyond": False}
    row["beyond"] = any(abs(fmean(x)) > 1 for x, _, _ in found if x)
    if k < 5:
        return row
    tests = []
    for x, _, _ in found:
        m, se, df = fmean(x), max(stdev(x) / math.sqrt(len(x)), 1e-9), len(x) - 1
        tests.append(
            {
                "sup": stats.t.sf((m - 1) / se, df),
                "exc": stats.t.cdf((m - 1) / se, df),
                "rev": stats.t.cdf((m + 1) / se, df),
                "abo": stats.t.sf((m + 1) / se, df),
            }
        )
    row |= {
        "sup": max(t["sup"] for t in tests),
        "exc": min(1.0, len(tests) * min(t["exc"] for t in tests)),
        "rev": max(t["rev"] for t in tests),
        "eq": max(max(t["exc"], t["abo"]) for t in tests),
        "asleep": any(asleep > len(x) / 2 for x, _, asleep in found),
        "split": all(slow_split(series) for _, series, _ in found),
    }
    return row


def slow_split(series: list[list[float]]) -> bool:
    sides = []
    for sign in (1, -1):
        p = []
        for z in series:
            if len(z) < 2:
                p.append(1.0)
                continue
            se = max(stdev(z) / math.sqrt(len(z)), 1e-9)
            p.append(float(stats.t.sf((sign * fmean(z) - 1) / se, len(z) - 1)))
        sides.append(int(multipletests(p, alpha=0.05, method="holm")[0].sum()))
    return min(sides) >= max(2, math.ceil(0.2 * len(series) - 1e-9))


@cache
def slow_judge(seed: int, settings: Registration = SETTINGS) -> dict[tuple[str, str], str]:
    rows = random_effects(seed).to_dict("records")
    found = {}
    family = {}
    for one in settings.claims:
        strata = one.strata if len(one.strata) > 1 else ()
        scores = [slow_scores(rows, one, p.id) for p in one.parts]
        for s in ("all", *strata):
            found[one.id, s] = slow_row(scores, one, s)
            name = {"claims": "claims" if s == "all" else "kinds", "added": "added"}.get(one.family, f"{one.id} {s}")
            if one.situations:
                name = f"{one.id} {s}" if s == "all" else {"t": "claims"}.get(one.id, "own")
            family[one.id, s] = name
        if any(found[one.id, s]["beyond"] for s in strata):
            found[one.id, "all"]["eq"] = 1.0
    verdicts = {}
    for name in set(family.values()):
        keys = [key for key in found if family[key] == name]
        pairs = [(min(found[k]["sup"], found[k]["exc"]), min(found[k]["rev"], found[k]["eq"])) for k in keys]
        holds = multipletests(np.ravel(pairs), alpha=0.05, method="holm")[0].reshape(-1, 2)
        for key, (first, second) in zip(keys, holds, strict=True):
            verdicts[key] = slow_read(found[key], bool(first), bool(second))
    read = dict(verdicts)
    for one in settings.claims:
        strata = one.strata if len(one.strata) > 1 else ()
        for s in ("all", *strata):
            if found[one.id, s]["split"]:
                verdicts[one.id, s] = names.MIXED
        kinds = {read[one.id, s] for s in strata}
        if {names.SUPPORTED, names.REVERSED} <= kinds:
            verdicts[one.id, "all"] = names.MIXED
        if one.situations:
            verdicts[one.id, "headline"] = slow_headline([verdicts[one.id, s] for s in strata])
    return verdicts


AGAINST = {names.REVERSED, names.EXCLUDED, names.NEGLIGIBLE}


def slow_headline(verdicts: Sequence[str], share: Fraction = Fraction(3, 4)) -> str:
    """The words of the registration, read one by one."""
    judged = [one for one in verdicts if one != names.TOO_FEW]
    if not judged:
        return names.TOO_FEW
    if names.SUPPORTED in judged and names.REVERSED in judged:
        return names.DEPENDS
    against = [one for one in judged if one in AGAINST]
    if names.SUPPORTED not in judged and Fraction(len(against), len(judged)) >= share:
        return names.REFUTED
    if not against and Fraction(judged.count(names.SUPPORTED), len(judged)) >= share:
        return names.SUPPORTED
    return names.OPEN


def slow_read(row: dict[str, Any], first: bool, second: bool) -> str:
    if row["k"] < 5:
        return names.TOO_FEW
    if first and row["sup"] <= row["exc"]:
        return names.SUPPORTED
    negative = ""
    if second and row["rev"] <= row["eq"]:
        negative = names.REVERSED
    elif second and first:
        negative = names.NEGLIGIBLE
    elif first:
        negative = names.EXCLUDED
    if negative and row["asleep"]:
        return names.INACTIVE
    return negative or names.INCONCLUSIVE


def fast_judge(table: pd.DataFrame) -> dict[tuple[str, str], str]:
    found = judge(table, SETTINGS)
    entries = [*found["claims"], *found["added"], *found["controls"]]
    rows = {(e["id"], r["stratum"]): r["verdict"] for e in entries for r in (e.get("record", e), *e["strata"])}
    return rows | {(e["id"], "headline"): e["verdict"] for e in entries if "record" in e}


@pytest.mark.parametrize("situations", range(1, 6))
def test_headlines_of_every_combination_of_verdicts(situations: int) -> None:
    codes = np.array(list(itertools.product(range(len(rule.VERDICT_CODES)), repeat=situations)), dtype=np.int8).T
    found = rule.headline(codes, 0.75)
    for own, code in zip(codes.T, found, strict=True):
        assert rule.HEADLINES[code] == slow_headline([rule.VERDICT_CODES[one] for one in own])


@given(st.lists(st.integers(0, 7), min_size=1, max_size=30), st.integers(1, 20))
def test_headlines_of_many_situations_and_any_share(codes: list[int], twentieths: int) -> None:
    found = rule.headline(np.array(codes, dtype=np.int8)[:, None], twentieths / 20)
    verdicts = [rule.VERDICT_CODES[one] for one in codes]
    assert rule.HEADLINES[found[0]] == slow_headline(verdicts, Fraction(twentieths, 20))


@pytest.mark.parametrize("batch", range(3))
def test_a_slow_second_implementation_agrees(batch: int) -> None:
    for seed in range(SEEDS // 3 * batch, SEEDS // 3 * (batch + 1)):
        assert fast_judge(random_effects(seed)) == slow_judge(seed), f"seed {seed}"


def test_the_random_tables_reach_every_verdict() -> None:
    seen = {verdict for seed in range(SEEDS) for verdict in slow_judge(seed).values()}
    assert seen == set(names.VERDICTS)


@settings(max_examples=6)
@given(st.integers(0, SEEDS - 1), st.integers(0, 1000))
def test_the_order_of_rows_and_columns_does_not_show(seed: int, order: int) -> None:
    table = random_effects(seed)
    shuffle = np.random.default_rng(order)
    rows, columns = shuffle.permutation(len(table)), list(shuffle.permutation(table.columns))
    shuffled = table.iloc[rows][columns].set_index(pd.Index(np.arange(len(table)) * 3 + 7))
    first, second = (json.dumps(judge(t, SETTINGS)) for t in (table, shuffled))
    assert first == second


def test_the_table_is_left_as_it_was() -> None:
    table = random_effects(1)
    before = table.copy(deep=True)
    judge(table, SETTINGS)
    pd.testing.assert_frame_equal(table, before)


ORDER = {names.REVERSED: 0, names.EXCLUDED: 1, names.NEGLIGIBLE: 1, names.SUPPORTED: 2}


@settings(max_examples=6)
@given(st.integers(0, SEEDS - 1), st.sampled_from([0.5, 1.0, 3.0]))
def test_more_effect_never_turns_support_into_refutation(seed: int, shift: float) -> None:
    table = random_effects(seed)
    raised = table.assign(theta=table["theta"] + shift * table["task"].map(DELTA))
    before, after = fast_judge(table), fast_judge(raised)
    for key, verdict in before.items():
        if key[1] == "headline":
            continue
        if verdict == names.SUPPORTED:
            assert after[key] in (names.SUPPORTED, names.MIXED, names.INCONCLUSIVE), key
        if verdict in ORDER and after[key] in ORDER:
            assert ORDER[after[key]] >= ORDER[verdict], key


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_statsmodels_holm(p: list[float]) -> None:
    assert holm(np.array(p)) == pytest.approx(multipletests(p, method="holm")[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(0, 6))
def test_holm_counts_hypotheses_that_are_not_there(p: list[float], absent: int) -> None:
    padded = multipletests([*p, *[1.0] * absent], method="holm")[1][: len(p)]
    assert holm(np.array(p), len(p) + absent) == pytest.approx(padded)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_decisive_datasets_by_scipy_and_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = rng.normal(rng.choice([-3.0, 0.0, 1.5, 3.0], size=(7, 1)), 1.0, (7, 6))
    above, below = decisive(series, np.array(7), 0.05)
    for found, sign in ((above, 1), (below, -1)):
        p = [stats.ttest_1samp(sign * z, 1.0, alternative="greater").pvalue for z in series]
        assert list(found) == list(multipletests(p, alpha=0.05, method="holm")[0])
