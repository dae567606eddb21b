"""Write down what the results of a study were made of."""

import json
from pathlib import Path

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.pipeline.provenance import provenance
    from l2audit.stored import write_json

    found = provenance(
        json.loads(snakemake.params.declared),
        Path(snakemake.input.claims),
        [Path(card) for card in snakemake.input.cards],
        Path(snakemake.input.runs),
        [Path(file) for file in snakemake.input.evidence],
    )
    write_json(snakemake.output[0], found)
