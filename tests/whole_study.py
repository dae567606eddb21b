"""A whole study in one process: from its YAML to the page and the texts, by the functions that the workflow calls.

Models are trained, or (where a test needs many studies) given random but finite measures in the schema of a real table.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from markupsafe import Markup

from l2audit import specifications
from l2audit.cli import main
from l2audit.config.claims import load as load_claims
from l2audit.config.faults import ConfigError
from l2audit.config.load import load, table
from l2audit.config.study import Config
from l2audit.data.arrays import load_prepared
from l2audit.effects.answers import answers
from l2audit.effects.counts import runs_behind
from l2audit.effects.evidence import Evidence
from l2audit.effects.table import estimate, summarise
from l2audit.files import sha256_of
from l2audit.judge.verdicts import judge
from l2audit.pipeline.check import load_verified, training_faults
from l2audit.pipeline.provenance import provenance
from l2audit.pipeline.results import EVIDENCE, verdict_text
from l2audit.plan import Shard, plan, planned
from l2audit.report.page import write_page
from l2audit.runs.kept import Trained
from l2audit.runs.results import CERTIFICATES, MEASURED, REGISTRATION, collect, provenance_of, table_of
from l2audit.runs.shard import train_shard
from l2audit.seeds import generator
from l2audit.stored import read_frame, write_frame, write_json, write_table
from l2audit.wording.sentences import registration_status

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = ROOT / "config" / "claims.yaml"

Train = Callable[[Config, Shard, Mapping[str, Any]], pa.Table]


def document(**changes: Any) -> dict[str, Any]:
    """A small study as YAML holds it, with `changes`."""
    return {
        "name": "tiny",
        "title": "A tiny study",
        "verdicts": True,
        "datasets": ["iris", "diabetes"],
        "architectures": {
            "linear": {
                "betas": [0, 0.01, 0.1],
                "losses": {"classification": ["cross_entropy"], "regression": ["squared"]},
            }
        },
        "contaminations": {
            "classification": [{"kind": "sym", "rate": 0.2}],
            "regression": [{"kind": "vert", "rate": 0.1, "magnitude": 10}],
        },
        "seeds": 2,
        "penalty": "l2",
        "optimizer": "adam",
        "rows": {"train": 60, "validation": 40, "test": 40},
        "training": {"learning_rate": 0.01, "steps": 5, "batch": 20},
        **changes,
    }


@dataclass(frozen=True)
class Result:
    """What a study ended in: the text of `plan`, its page, its verdicts, the text of `table`; evidence in `folder`."""

    folder: Path
    planned: str
    page: str
    verdicts: dict[str, Any]
    text: str

    def entry(self, claim: str) -> dict[str, Any]:
        """The entry of a claim in verdicts.json."""
        families = (self.verdicts[name] for name in ("claims", "added", "controls"))
        return next(one for family in families for one in family if one["id"] == claim)

    def effects(self) -> pd.DataFrame:
        """The table of effects."""
        return read_frame(self.folder / "effects.parquet")


def checked(study: Mapping[str, Any], folder: Path, claims: Path = CLAIMS) -> Config:
    """The study, written to `folder`, as far as `check` goes. ConfigError: it does not pass."""
    path = folder / f"{study['name']}.yaml"
    path.write_text(yaml.safe_dump(dict(study)), encoding="utf-8")
    config = load(ROOT, str(path), claims)
    if faults := list(training_faults(config)):
        raise ConfigError(faults)
    load_verified(claims)
    return config


def run(config: Config, folder: Path, train: Train, claims: Path = CLAIMS) -> Result:
    """`plan`, then the workflow's steps up to the page and the text of `table`. Any exception is a fault."""
    path = folder / f"{config.study.name}.yaml"
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        assert main(["--root", str(ROOT), "plan", str(path), "--registration", str(claims)]) == 0
    shards = plan(config)
    _train(config, shards, folder, train, claims)
    _judged(config, shards, folder, claims)
    write_page(folder, folder / "page.html")
    return Result(
        folder=folder,
        planned=shown.getvalue(),
        page=(folder / "page.html").read_text(encoding="utf-8"),
        verdicts=json.loads((folder / "verdicts.json").read_text(encoding="utf-8")),
        text=verdict_text(folder),
    )


def _train(config: Config, shards: Iterable[Shard], folder: Path, train: Train, claims: Path) -> None:
    paths, planned = [], {}
    for shard in shards:
        paths.append(folder / f"{shard.shard_id}.parquet")
        origin = {"code_sha256": "00", REGISTRATION: sha256_of(claims), "shard": shard.declared()}
        runs = train(config, shard, origin)
        Trained(runs, runs.select(["run_id"]), {shard.shard_id: origin}).write(paths[-1], folder / "predictions")
        planned[shard.shard_id] = origin
    write_table(collect(paths, config.study.name, planned), folder / "runs.parquet")


def _judged(config: Config, shards: Iterable[Shard], folder: Path, claims: Path) -> None:
    cards = [card(config, name) for name in config.study.all_datasets]
    registration = load_claims(claims)
    strata = {kind: entry["stratum"] for kind, entry in config.contaminations.items()}
    collinear = {one["name"]: one["collinear"] for one in cards}
    schedule, runs = pd.DataFrame(planned(shards)), read_frame(folder / "runs.parquet")
    evidence = Evidence(schedule, runs, registration, strata, collinear)
    for name, made in (("effects", estimate), ("summary", summarise)):
        write_frame(made(evidence), folder / f"{name}.parquet")
    write_frame(answers(evidence, cards, list(shards)), folder / "answers.parquet")
    effects = read_frame(folder / "effects.parquet")
    behind = runs_behind(effects, runs, registration)
    verdicts = judge(effects, registration, _published("identities"), n_runs=behind)
    counts = provenance_of(folder / "runs.parquet")["registrations"]
    verdicts["registered"] = registration_status(registration.sha256, counts)
    choices = specifications.load(ROOT / "config" / "specifications.yaml")
    curves = specifications.specify(evidence, effects, choices)
    files = [folder / f"card-{one['name']}.json" for one in cards]
    for path, one in zip(files, cards, strict=True):
        path.write_text(json.dumps(one), encoding="utf-8")
    evidence = {
        "verdicts": verdicts,
        "specifications": curves,
        "identities": _published("identities"),
        "oracles": _published("oracles"),
    }
    for name, value in evidence.items():
        write_json(folder / f"{name}.json", value)
    declared = {
        "study": {"name": config.study.name, "title": config.study.title, "verdicts": config.study.verdicts},
        "code_sha256": {"judge": "00"},
        "lock_sha256": None,
        "contaminations": config.contaminations,
        "declared_sha256": "00",
    }
    made_of = provenance(
        declared,
        claims,
        files,
        folder / "runs.parquet",
        [folder / name for name in EVIDENCE if name != "provenance.json"],
    )
    write_json(folder / "provenance.json", made_of)


@lru_cache
def _published(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (ROOT / "report" / "published" / "study-1" / f"{name}.json").read_text("utf-8")
    )
    return found


def card(config: Config, name: str) -> dict[str, Any]:
    """A data card as far as the page reads it; every other dataset counts as collinear."""
    entry = config.datasets[name]
    condition = 100.0 if config.study.all_datasets.index(name) % 2 else 3.0
    return {
        "name": name,
        "role": entry.get("role", "study"),
        "task": entry["task"],
        "rows": 100,
        "columns": 4,
        "classes": 3 if entry["task"] == "classification" else None,
        "condition_number": condition,
        "collinear": condition > 30,
        **{key: str(entry[key]) for key in ("source", "licence", "description")},
    }


def trained(prepared: Mapping[str, Path]) -> Train:
    """Training for real, on the arrays at `prepared` (dataset -> file)."""

    def train(config: Config, shard: Shard, made_by: Mapping[str, Any]) -> pa.Table:
        path = prepared[shard.dataset]
        return train_shard(shard, load_prepared(path), {**made_by, "data_sha256": sha256_of(path)}).runs

    return train


def faked(seed: int = 0, diverged: float = 0.0, unknown: float = 0.0, spread: float = 1.0) -> Train:
    """Random measures in place of training: `diverged` and `unknown` are shares of runs and of measures.

    spread: how much measures differ, as a share of what they are at most.
    """

    def train(config: Config, shard: Shard, made_by: Mapping[str, Any]) -> pa.Table:
        draw = generator("faked", seed, shard.shard_id)
        runs = list(shard.runs())
        frame = pd.DataFrame([run.axes for run in runs])
        n, penalised = len(frame), (frame["beta"] > 0).to_numpy()
        ok = draw.uniform(size=n) >= diverged
        values = {one.name: 1 - spread * draw.uniform(0.01, 0.9, n) for one in (*CERTIFICATES, *MEASURED)}
        values |= {
            "validation_risk": draw.uniform(0.2, 0.225, n),
            "gradient_ratio": np.where(penalised, draw.uniform(0.0, 0.055, n), 1.0),
            "balance": draw.uniform(0.0, 0.055, n),
            "decay_exposure": np.where(penalised, draw.uniform(0.5, 9.0, n), 0.0),
            "weight_norm": np.where(penalised, 1.0, 2.0) * draw.uniform(0.9, 1.1, n),
        }
        known = {name: draw.uniform(size=n) >= unknown for name in values}
        return table_of(
            {
                "run_id": [shard.run_id(run, "no data", shard.rows) for run in runs],
                "shard_id": [shard.shard_id] * n,
                "arm": [shard.arm] * n,
                "task": [shard.task] * n,
                "level": [run.contamination.level for run in runs],
                "status": np.where(ok, "ok", "diverged").tolist(),
                "reason": np.where(ok, "", "a weight or a measure is not finite").tolist(),
                "layer_norms": [[1.0]] * n,
                **{name: frame[name].tolist() for name in frame},
                **{
                    name: [float(one) if there else None for one, there in zip(column, ok & known[name], strict=True)]
                    for name, column in values.items()
                },
            }
        )

    return train


def no_svg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are laid out but not written as SVG, which takes most of a page's time."""
    monkeypatch.setattr("l2audit.report.style.to_svg", lambda *_, **__: Markup("<svg></svg>"))


def tables() -> dict[str, Mapping[str, Any]]:
    """The project's datasets and architectures."""
    return {name: table(ROOT, name) for name in ("datasets", "architectures")}
