"""From effects and identities to verdicts, by the registered rule."""

import json
from pathlib import Path

from l2audit.jobs import job

with job(snakemake.log[0]):
    import pandas as pd

    from l2audit import parquet
    from l2audit.files import write_text
    from l2audit.judge.claims import load
    from l2audit.judge.counts import runs_behind
    from l2audit.judge.registered import registered
    from l2audit.judge.verdicts import judge
    from l2audit.training.registrations import of_runs

    registration = load(snakemake.input.claims)
    effects = pd.read_parquet(snakemake.input.effects)
    verdicts = judge(
        effects,
        registration,
        json.loads(Path(snakemake.input.identities).read_text(encoding="utf-8")),
        n_runs=runs_behind(effects, parquet.read(snakemake.input.runs).to_pandas(), registration),
    )
    verdicts["study"] = snakemake.params.study
    verdicts["registered"] = registered(registration.sha256, of_runs(snakemake.input.runs))
    write_text(snakemake.output[0], json.dumps(verdicts, indent=1, sort_keys=True) + "\n")
