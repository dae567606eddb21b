"""Check the exact identities behind the claims, numerically."""

from l2audit.jobs import job

with job(snakemake.log[0]):
    from l2audit.stored import write_json
    from l2audit.training.identities import identities

    write_json(snakemake.output[0], identities())
