"""From the raw files of one dataset to clean arrays, a data card, and the card as Croissant."""

import json

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.data.croissant import write_croissant
    from l2audit.data.prepare import load_card, prepare_dataset
    from l2audit.data.raw import refuse_failed
    from l2audit.stored import check_stamp, stamp

    name, entry, manifest = snakemake.wildcards.dataset, json.loads(snakemake.params.entry), snakemake.input.manifest
    refuse_failed(manifest)
    check_stamp(manifest, snakemake.params.origin)
    prepare_dataset(name, entry, manifest, snakemake.output.arrays, snakemake.output.card)
    write_croissant(name, entry, manifest, load_card(snakemake.output.card), snakemake.output.croissant)
    stamp(snakemake.output.card, snakemake.params.origin)
