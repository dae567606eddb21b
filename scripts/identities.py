"""Check the exact identities behind the claims, numerically."""

import json

from l2audit.jobs import job

with job(snakemake.log[0]):
    from l2audit.files import write_text
    from l2audit.training.identities import identities

    write_text(snakemake.output[0], json.dumps(identities(), indent=1, sort_keys=True) + "\n")
