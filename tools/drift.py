"""Do verdicts hang on the machine? Train a part of a study twice, as two processors would: `make drift`.

The same models are trained in two processes: one as the machine is, one held to the vector instructions of AVX2. Sums
are then taken in another order, and a network that memorises amplifies the difference. What counts is how far the
effects move, in multiples of delta. It takes some five minutes of one idle core.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from tools.outside import ROOT, bundled, trained

from l2audit.config.claims import MEASURED, TOO_FEW, Registration
from l2audit.config.claims import load as load_claims
from l2audit.config.load import load
from l2audit.effects.evidence import Evidence
from l2audit.effects.grid import mean_where
from l2audit.effects.layout import claim_table
from l2audit.effects.table import estimate
from l2audit.judge.verdicts import judge
from l2audit.pipeline.environment import PLAIN_THREADS
from l2audit.plan import Shard, plan, planned
from l2audit.stored import write_json
from l2audit.wording.tables import text_table

DATASETS = ("iris", "wine", "breast_cancer", "diabetes", "engel")
ARMS = ("linear", "mlp-adam", "mlp-sgd")
SEEDS = 2
OLDER = {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}
"""What keeps XLA, oneDNN and OpenBLAS from wider registers than AVX2 has."""
SURE = 2.0  # standard deviations of a mean's drift


def part_of(study: str, datasets: Sequence[str], arms: Sequence[str], seeds: int) -> tuple[list[Shard], dict[str, str]]:
    """Shards of a study with fewer datasets, arms and seeds, all levels and betas; and the stratum of each kind."""
    config = load(ROOT, study)
    strata = {kind: entry["stratum"] for kind, entry in config.contaminations.items()}
    own = [shard for shard in plan(config) if shard.dataset in datasets and shard.arm in arms]
    cut = [replace(shard, seeds=tuple(seed for seed in shard.seeds if seed < seeds)) for shard in own]
    return [shard for shard in cut if shard.seeds], strata


def effects_of(shards: Sequence[Shard], strata: Mapping[str, str], registration: Registration) -> pd.DataFrame:
    """Train `shards` in this process, and estimate the effects of every claim."""
    data = bundled(sorted({shard.dataset for shard in shards}))
    collinear = {name: bool(card["collinear"]) for name, (_, card) in data.items()}
    return estimate(Evidence(pd.DataFrame(planned(shards)), trained(shards, data), registration, strata, collinear))


def compared(one: pd.DataFrame, other: pd.DataFrame, registration: Registration) -> dict[str, Any]:
    """How far two tables of effects of the same plan are apart.

    claims: per claim the rows compared, the standard deviation `sd` over datasets of the difference of scores in
    multiples of delta (root mean square over its parts and rows), the `largest` difference, and `distance`, how far a
    mean over as many datasets must be from a boundary to stay on its side (`SURE` standard deviations of its drift).
    A score is the mean over levels and seeds of a dataset in a row. verdicts: rows that both tables can judge, and
    those whose verdict changes. Claims without a score in both tables are left out.
    """
    claims = []
    for claim in registration.family(*MEASURED):
        parts = zip(*(claim_table(effects, claim).parts for effects in (one, other)), strict=True)
        apart = [_scores(mine.u) - _scores(yours.u) for mine, yours in parts]
        known = [row[np.isfinite(row)] for row in np.concatenate(apart, axis=1).T]  # one a part and stratum
        known = [row for row in known if len(row) > 1]
        if known:
            sd = float(np.sqrt(np.mean([row.var(ddof=1) for row in known])))
            count = min(map(len, known))
            claims.append(
                {
                    "claim": claim.id,
                    "rows": len(known),
                    "datasets": count,
                    "sd": _short(sd),
                    "largest": _short(max(np.abs(row).max() for row in known)),
                    "distance": _short(SURE * sd / np.sqrt(count)),
                }
            )
    mine, yours = (_verdicts(effects, registration) for effects in (one, other))
    judged = [row for row in sorted(mine) if TOO_FEW not in (mine[row], yours[row])]
    changed = [{"row": row, "verdicts": [mine[row], yours[row]]} for row in judged if mine[row] != yours[row]]
    return {"claims": claims, "verdicts": {"judged": len(judged), "changed": changed}}


def _scores(u: np.ndarray) -> np.ndarray:
    """(K, S): the mean over arms, levels and seeds of (K, S, A, L, R); NaN where nothing is."""
    flat = u.reshape(*u.shape[:2], math.prod(u.shape[2:]))
    return mean_where(flat, np.isfinite(flat))


def _verdicts(effects: pd.DataFrame, registration: Registration) -> dict[str, str]:
    """Claim and row -> verdict, of the claims that runs decide."""
    own = replace(registration, claims=registration.family(*MEASURED))
    found = judge(effects, own)
    entries = [entry for family in ("claims", "added", "controls") for entry in found[family]]
    rows = {entry["id"]: entry["verdict"] for entry in entries}
    return rows | {f"{entry['id']} {row['stratum']}": row["verdict"] for entry in entries for row in entry["strata"]}


def _short(number: float) -> float:
    return float(f"{number:.4g}")


def text(found: Mapping[str, Any]) -> str:
    """The comparison for the terminal."""
    claims, verdicts = found["claims"], found["verdicts"]
    if not any(one["largest"] for one in claims):
        return "Both gave the same numbers: this machine has no wider registers to do without, and nothing can be said."
    head = ["claim", "rows", "datasets", "SD", "largest", "distance"]
    worst = max(claims, key=lambda one: (one["distance"], one["claim"]))
    lines = [f"  {one['row']}: {' / '.join(one['verdicts'])}" for one in verdicts["changed"]]
    return "\n".join(
        [
            "Difference of scores between two processors, in multiples of delta:\n",
            text_table([[f"{one[name.lower()]}" for name in head] for one in claims], head),
            "",
            f"Verdicts: {len(verdicts['changed'])} of {verdicts['judged']} rows that both can judge change.",
            *lines,
            f"Verdicts are stable if a mean is further than {worst['distance']:.2g} delta from its boundary (claim "
            f"{worst['claim']}, the least stable, over {worst['datasets']} datasets; the distance falls with the "
            "root of their number).",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train twice, compare, write the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--study", default="default")
    parser.add_argument("--datasets", nargs="+", default=DATASETS, help="that need no download (default: %(default)s)")
    parser.add_argument("--arms", nargs="+", default=ARMS, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="the first so many (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "drift.json")
    parser.add_argument("--effects", type=Path, help=argparse.SUPPRESS)  # of the processes that train
    options = parser.parse_args(arguments)
    registration = load_claims(ROOT / "config" / "claims.yaml")
    part = options.study, options.datasets, options.arms, options.seeds
    if options.effects:
        effects_of(*part_of(*part), registration).to_parquet(options.effects)
        return
    given = ["--study", options.study, "--datasets", *options.datasets, "--arms", *options.arms]
    given += ["--seeds", str(options.seeds)]
    plain = {key: value for key, value in os.environ.items() if key not in OLDER} | PLAIN_THREADS
    tables = []
    with TemporaryDirectory() as folder:
        for name, more in (("as the machine is", {}), ("as with AVX2", OLDER)):
            print(f"training {name}", file=sys.stderr, flush=True)
            path = Path(folder) / f"{len(tables)}.parquet"
            command = [sys.executable, "-m", "tools.drift", *given, "--effects", str(path)]
            subprocess.run(command, cwd=ROOT, env={**plain, **more}, check=True)
            tables.append(pd.read_parquet(path))
    found = {
        "part": dict(zip(("study", "datasets", "arms", "seeds"), map(_plain, part), strict=True)),
        "registration_sha256": registration.sha256,
        **compared(*tables, registration),
    }
    write_json(options.out, found)
    print(f"{text(found)}\n\n{options.out}", flush=True)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    main()
