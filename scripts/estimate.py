"""From the table of runs to the table of effects and its summary."""

import json
from pathlib import Path

from l2audit.jobs import job

with job(snakemake.log[0]):
    import pandas as pd

    from l2audit import parquet
    from l2audit.design import Shard, planned
    from l2audit.files import atomic
    from l2audit.judge.claims import load
    from l2audit.judge.effects import estimate, summarise

    plan = pd.DataFrame(planned(Shard.from_json(json.loads(text)) for text in snakemake.params.plan))
    cards = [json.loads(Path(card).read_text(encoding="utf-8")) for card in snakemake.input.cards]
    evidence = (
        plan,
        parquet.read(snakemake.input.runs).to_pandas(),
        load(snakemake.input.claims),
        json.loads(snakemake.params.strata),
        {card["name"]: card["collinear"] for card in cards},
    )
    for path, table in (
        (snakemake.output.effects, estimate(*evidence)),
        (snakemake.output.summary, summarise(*evidence)),
    ):
        with atomic(path) as temporary:
            table.to_parquet(temporary, index=False, compression="zstd")
