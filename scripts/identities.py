"""Check the exact identities behind the claims, numerically."""

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.facts.lists import identities
    from l2audit.stored import write_json

    write_json(snakemake.output[0], identities())
