"""Every number that the page tells about its study, counted again from the tables by other code than the judge's.

Twice: on the published evidence, judged anew, and on a made-up study whose arms have uneven seeds, datasets and levels.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from judging import claim as raw_claim
from judging import effects as made_effects
from judging import registration as made_registration
from judging import together
from l2audit.config.claims import load as load_claims
from l2audit.judge.verdicts import judge
from l2audit.report.page import build_page
from l2audit.report.pictures import Published
from whole_study import CLAIMS, ROOT, checked, document, faked, no_svg, run

PUBLISHED = ROOT / "report" / "published" / "full"
REGISTERED = {one["id"]: one for one in yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))["claims"]}
CONSTANTS = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))["constants"]
KEY = ["part", "dataset", "stratum", "arm", "level"]
LOSS = {"classification": "cross_entropy", "regression": "squared"}
ACROSS = ("eo", "f2")
"""Parts that read every level of their arms."""


def arms_of(name: str) -> list[str]:
    """The arms of a claim, in the order in which the registration names them."""
    said = REGISTERED[name]
    return list(
        dict.fromkeys(
            [arm for arms in said.get("situations", {"": said.get("architectures")}).values() for arm in arms]
        )
    )


def rows_shown(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a claim that have figures: its situations and their record, or itself and its strata."""
    return [entry.get("record", entry), *entry["strata"]]


@dataclass(frozen=True)
class Evidence:
    """A study's effects, verdicts, page, and what its arms are; `runs` where there is a table of them."""

    effects: pd.DataFrame
    verdicts: dict[str, Any]
    page: str
    architectures: dict[str, str]
    summary: pd.DataFrame
    total: int
    runs: pd.DataFrame | None = None

    def entries(self) -> list[dict[str, Any]]:
        names = ("claims", "added", "controls")
        return [one for name in names for one in self.verdicts[name] if "entered" in one]

    def planned(self, name: str) -> pd.DataFrame:
        """The planned effects of the arms of a claim, at the architectures and seeds that all of its cells have."""
        said = REGISTERED[name]
        rows = self.effects[self.effects["claim"].eq(name) & self.effects["arm"].isin(arms_of(name))]
        if "situations" in said:
            called = {
                (kind, arm): arm if kind == "all" else f"{kind}/{arm}"
                for kind, arms in said["situations"].items()
                for arm in arms
            }
            place = [called.get(one, "") for one in zip(rows["stratum"], rows["arm"], strict=True)]
            rows = rows.assign(stratum=place)[np.array(place, dtype=object) != ""]
        elif not said["strata"]:
            rows = rows.assign(level=rows["stratum"] + rows["level"], stratum="all")
        whole = [
            one
            for _, part in rows.groupby("part")
            for _, stratum in part.groupby("stratum")
            for _, one in stratum.groupby("arm")
            if one["dataset"].nunique() == stratum["dataset"].nunique()
        ]
        rows = pd.concat(whole) if whole else rows.iloc[:0]
        row = ["part", "stratum"]
        cells = rows[KEY].drop_duplicates().groupby(row).size()
        seeds = rows.groupby([*row, "seed"]).size().rename("n").reset_index()
        common = {(p, t, s) for p, t, s, n in seeds.itertuples(index=False) if n == cells[p, t]}
        kept = [one in common for one in zip(rows["part"], rows["stratum"], rows["seed"], strict=True)]
        return rows[np.array(kept, dtype=bool)]

    def used(self, name: str) -> pd.DataFrame:
        """Those of them that can be used, in cells and datasets that are judged; `u` in multiples of delta."""
        rows = self.planned(name)
        deltas = {part["id"]: part["delta"] for part in REGISTERED[name]["parts"]}
        u = [
            theta / deltas[part][task] if ok and np.isfinite(theta) else np.nan
            for part, task, theta, ok in rows[["part", "task", "theta", "ok"]].itertuples(index=False)
        ]
        rows = rows.assign(u=u)
        share = rows.groupby(KEY)["u"].transform(lambda cell: cell.notna().mean())
        rows = rows.assign(judged=(share >= CONSTANTS["seed_share"] - 1e-9) & (share > 0))
        cells = rows.groupby(KEY)["judged"].first().reset_index()
        inside = cells.groupby(KEY[:3])["judged"].mean().rename("inside").reset_index()
        rows = rows.merge(inside, on=KEY[:3])
        return rows[rows["judged"] & (rows["inside"] >= CONSTANTS["cell_share"] - 1e-9) & rows["u"].notna()]

    def cut(self, name: str) -> pd.DataFrame:
        """One row a (part, dataset, stratum) with a score: whether it lies beyond the clip."""
        cells = self.used(name).groupby(KEY)["u"].mean().reset_index()
        by_arm = cells.groupby(KEY[:4])["u"].mean().reset_index()
        scores = by_arm.groupby(KEY[:3])["u"].mean().reset_index()
        return scores.assign(cut=scores["u"].abs() > CONSTANTS["clip"])


@pytest.fixture(scope="module", autouse=True)
def undrawn() -> Iterator[None]:
    """Without the figures, whose text is made from the same entries."""
    with pytest.MonkeyPatch.context() as patch:
        no_svg(patch)
        yield


@pytest.fixture(scope="module")
def published() -> Evidence:
    effects, summary = (pd.read_parquet(PUBLISHED / f"{name}.parquet") for name in ("effects", "summary"))
    read = {name: json.loads((PUBLISHED / f"{name}.json").read_text(encoding="utf-8")) for name in JSON}
    study = yaml.safe_load((ROOT / "config/studies/full.yaml").read_text(encoding="utf-8"))
    arms = {**study["architectures"], **study["arms"]}
    architectures = {name: arm.get("architecture", name) for name, arm in arms.items()}
    provenance = read["provenance"]
    told = {**provenance["runs"], "architectures": architectures, "kinds": sorted(summary["kind"].unique())}
    verdicts = judge(effects, load_claims(CLAIMS), read["identities"])
    page = build_page(
        Published(
            verdicts,
            effects,
            summary,
            read["identities"],
            {**provenance, "runs": told},
            provenance["study"],
            read["oracles"],
            read["specifications"],
        )
    )
    return Evidence(effects, verdicts, page, architectures, summary, told["total"])


JSON = ("provenance", "identities", "oracles", "specifications")


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Arms of unequal seeds, datasets and levels, one architecture for the map alone, and measures far apart."""
    both = {"classification": ["cross_entropy"], "regression": ["squared", "huber"]}
    under_l1 = {**both, "regression": ["squared"]}
    betas = [0, 0.01, 0.1]
    names = ["iris", "wine", "breast_cancer", "anes96", "diabetes", "engel", "star98", "fair"]
    study = document(
        datasets=names,
        architectures={
            "linear": {"betas": betas, "losses": both},
            "mlp-adam": {"architecture": "mlp-64-64", "betas": betas, "losses": both, "datasets": names[:6]},
            "mlp-sgd": {"architecture": "mlp-64-64", "optimizer": "momentum", "betas": betas, "losses": both,
                        "seeds": 4},
            "mlp-32": {"betas": betas, "losses": both, "datasets": ["wine"]},
        },
        arms={
            "adamw": {"architecture": "mlp-64-64", "penalty": "decay", "betas": betas, "losses": both, "seeds": 3,
                      "datasets": names[:6]},
            "linear-l1": {"architecture": "linear", "penalty": "l1", "betas": betas, "losses": under_l1, "seeds": 2},
            "placebo": {"architecture": "mlp-32", "penalty": "placebo", "betas": betas, "losses": both, "seeds": 2},
        },
        contaminations={
            "classification": [{"kind": "sym", "rate": 0.2}, {"kind": "badlev_class", "rate": 0.1}],
            "regression": [{"kind": "vert", "rate": 0.1, "magnitude": size} for size in (10, 30)],
        },
        seeds=5,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("uneven")
    found = run(checked(study, folder), folder, faked(3, diverged=0.03))
    runs = pd.read_parquet(folder / "runs.parquet")
    architectures = runs.set_index("arm")["architecture"].to_dict()
    summary = pd.read_parquet(folder / "summary.parquet")
    return Evidence(found.effects(), found.verdicts, found.page, architectures, summary, len(runs), runs)


@pytest.fixture(params=["published", "uneven"])
def evidence(request: pytest.FixtureRequest) -> Evidence:
    found: Evidence = request.getfixturevalue(request.param)
    return found


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).replace("\u202f", "").split())


def rivals(name: str, part: str) -> list[str]:
    (said,) = (one for one in REGISTERED[name]["parts"] if one["id"] == part)
    return [said["parameters"]["against"]] if "against" in said["parameters"] else []


def test_the_facts_at_the_head(evidence: Evidence) -> None:
    datasets, arms, levels, seeds = set(), set(), set(), []
    for entry in evidence.entries():
        if entry["family"] == "control":
            continue
        for part, rows in evidence.planned(entry["id"]).groupby("part"):
            datasets |= set(rows["dataset"])
            arms |= {*rows["arm"], *rivals(entry["id"], part)}
            seeds.append(rows["seed"].nunique())
            levels |= set(evidence.effects.loc[rows.index, "level"])
            if part in ACROSS:
                levels |= set(evidence.summary.loc[evidence.summary["dataset"].isin(rows["dataset"]), "level"])
    architectures = {evidence.architectures[arm] for arm in arms}
    expected = [
        f"{evidence.total} models trained",
        f"{len(datasets)} datasets compared",
        f"{len(architectures)} architectures compared",
        f"{len(levels - {'clean'})} kinds, rates and sizes of outliers",
        f"{min(seeds)} to {max(seeds)} repetitions of each comparison",
    ]
    assert min(seeds) < max(seeds)
    (shown,) = re.findall(r'<ul class="facts">(.*?)</ul>', evidence.page, flags=re.DOTALL)
    assert [text_of(fact) for fact in re.findall(r"<li>.*?</li>", shown)] == expected


def test_the_models_and_datasets_that_enter_each_verdict(evidence: Evidence) -> None:
    for entry in evidence.entries():
        rows = evidence.planned(entry["id"])
        assert entry["entered"]["datasets"] == sorted(rows["dataset"].unique())
        assert sorted(entry["entered"]["arms"]) == sorted(rows["arm"].unique())
        against = {arm for part in rows["part"].unique() for arm in rivals(entry["id"], part)}
        assert set(entry["entered"]["against"]) == against
        seeds = rows.groupby("part")["seed"].nunique()
        assert entry["entered"]["repetitions"] == ([seeds.min(), seeds.max()] if len(seeds) else [])
        if entry["family"] != "control" and len(rows):
            own = ", ".join(arm for arm in arms_of(entry["id"]) if arm in set(rows["arm"]))
            assert f"Models that enter the verdict: {own}{', compared with' if against else '.'}" in section(
                evidence, entry["id"]
            )


def section(evidence: Evidence, name: str) -> str:
    return text_of(evidence.page.split(f'<section id="claim-{name}"')[1].split("</section>")[0])


def rows_of(table: pd.DataFrame, part: str, stratum: str) -> pd.DataFrame:
    return table[table["part"].eq(part) & (table["stratum"].eq(stratum) | (stratum == "all"))]


def test_contrasts_and_datasets_used_of_those_planned(evidence: Evidence) -> None:
    for entry in evidence.entries():
        planned, used = evidence.planned(entry["id"]), evidence.used(entry["id"])
        for row in rows_shown(entry):
            for part in row["parts"]:
                mine, every = (rows_of(table, part["id"], row["stratum"]) for table in (used, planned))
                where = (entry["id"], row["stratum"], part["id"])
                assert part["n_contrasts"] == len(mine), where
                assert part["n_datasets"] == mine["dataset"].nunique(), where
                assert part["n_planned_datasets"] == every["dataset"].nunique(), where
                for task, figures in part["tasks"].items():
                    assert figures["n_datasets"] == mine.loc[mine["task"] == task, "dataset"].nunique()
            assert row["n_contrasts"] == sum(part["n_contrasts"] for part in row["parts"])
            assert row["n_datasets"] == min(part["n_datasets"] for part in row["parts"])
            assert row["n_planned_datasets"] == min(part["n_planned_datasets"] for part in row["parts"])


def test_a_dataset_counts_as_cut_where_any_score_of_it_was(evidence: Evidence) -> None:
    told = 0
    for entry in evidence.entries():
        cut = evidence.cut(entry["id"])
        for row in rows_shown(entry):
            for part in row["parts"]:
                mine = rows_of(cut, part["id"], row["stratum"])
                beyond = set(mine.loc[mine["cut"], "dataset"])
                assert part["n_clipped"] == len(beyond), (entry["id"], row["stratum"], part["id"])
                if part["id"] == row["deciding_part"] and "(In the test a dataset counts" in row["sentence"]:
                    assert re.search(rf"effect that counts; {len(beyond)} do(es)?, and the mean", row["sentence"])
                    told += 1
    assert told


def test_the_estimate_of_a_situation_is_the_mean_of_scores_that_nothing_cuts(evidence: Evidence) -> None:
    seen = 0
    for entry in evidence.entries():
        cells = evidence.used(entry["id"]).groupby(KEY)["u"].mean()
        for row in entry["strata"] if "record" in entry else ():
            for part in row["parts"]:
                mine = cells[cells.index.get_level_values("part") == part["id"]]
                mine = mine[mine.index.get_level_values("stratum") == row["stratum"]]
                scores = mine.groupby("dataset").mean()
                if len(scores):
                    seen += 1
                    assert part["m"] == pytest.approx(scores.mean(), rel=1e-8)
                    assert part["median"] == pytest.approx(scores.median(), rel=1e-8, abs=1e-12)
                    assert part["share_in_direction"] == pytest.approx((scores > 1e-9).mean())  # 0 is on no side
    assert seen


def test_every_planned_effect_entered_or_is_listed_with_its_reason(evidence: Evidence) -> None:
    excluded = evidence.page.split("Effects left out, by claim and reason</p>")[1].split("</table>")[0]
    lines = re.findall(r"<tr><th[^>]*>(.*?)</th><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td></tr>", excluded)
    shown = Counter[str]()
    for name, _, n in lines:
        shown[name] += int(n.replace("\u202f", ""))
    own = evidence.effects[["claim", "arm"]].itertuples(index=False)
    planned = Counter(name for name, arm in own if arm in arms_of(name))
    for entry in evidence.entries():
        left_out = sum(entry["dropped"].values()) + sum(entry["unused"].values())
        assert entry["n_contrasts"] + left_out == planned[entry["id"]], entry["id"]
        assert shown[entry["id"]] == left_out
        if entry["family"] != "control":
            told = f"Left out: {left_out} planned effects" if left_out else "Nothing that was planned was left out."
            assert told in section(evidence, entry["id"]) or not planned[entry["id"]]


def test_the_runs_behind_each_claim(uneven: Evidence) -> None:
    assert uneven.runs is not None
    table = uneven.page.split('class="claims cards"')[1].split("</table>")[0]
    shown = dict(re.findall(r'href="#claim-([^"]+)".*?data-label="Runs">([^<]*)<', table, flags=re.DOTALL))
    for entry in uneven.entries():
        needed = set()
        for part, rows in uneven.planned(entry["id"]).groupby("part"):
            for row in uneven.effects.loc[rows.index].itertuples():
                levels = set(uneven.runs["level"]) if part in ACROSS else {row.level, "clean"}
                losses = {LOSS[row.task], *(["huber"] if part == "i1" else [])}
                needed |= {
                    (row.dataset, arm, loss, level, row.seed)
                    for arm in (row.arm, *rivals(entry["id"], part))
                    for loss in losses
                    for level in levels
                }
        axes = uneven.runs[["dataset", "arm", "loss", "level", "seed"]].itertuples(index=False, name=None)
        expected = sum(cell in needed for cell in axes)
        assert entry["n_runs"] == expected, entry["id"]
        if entry["family"] != "control":
            assert shown[entry["id"]].replace("\u202f", "") == str(expected)


def test_the_statuses_and_kinds_of_runs(uneven: Evidence) -> None:
    assert uneven.runs is not None
    lost = int((uneven.runs["status"] != "ok").sum())
    assert lost
    assert f"Of {len(uneven.runs)} planned runs, {lost} gave no result." in text_of(uneven.page)
    used = uneven.page.split('<ul class="gallery wide">')[1].split("</ul>")[0]
    kinds = set(re.findall(r"<code>(\w+)</code></h3>", used))
    assert kinds == set(uneven.runs["kind"]) - {"clean"}


def test_the_spread_between_datasets_is_that_of_scores_that_are_not_cut() -> None:
    """Two strata, one of them cut everywhere in the test: its scores and the noise of its seeds count in full."""
    seeds = (-1.0, 1.0, -1.0, 1.0)
    scores = {name: score for name, score in zip("abcdef", (-4.0, -2.0, 0.0, 1.0, 2.0, 6.0), strict=True)}
    rows = together(
        made_effects(scores, stratum="label", seeds=seeds),
        made_effects(dict.fromkeys(scores, 40.0), stratum="target", seeds=seeds),
    )
    settings = made_registration(raw_claim(strata=["label", "target"]))
    (part,) = judge(rows, settings)["claims"][0]["parts"]
    y = (np.array(list(scores.values())) + 40) / 2
    noise = np.var(seeds, ddof=1) / len(seeds)  # the same shift in both strata
    assert part["tau"] == pytest.approx(np.sqrt(y.var(ddof=1) - noise))
