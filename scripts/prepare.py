"""From the raw files of one dataset to clean arrays and a data card."""

import json

from l2audit.jobs import job

with job(snakemake.log[0]):
    from l2audit.data.prepare import prepare_dataset

    prepare_dataset(
        snakemake.wildcards.dataset,
        json.loads(snakemake.params.entry),
        snakemake.input.manifest,
        snakemake.output.arrays,
        snakemake.output.card,
    )
