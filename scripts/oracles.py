"""Put the known results, from theory and from print, to the pipeline's own code."""

import json

from l2audit.jobs import job

with job(snakemake.log[0]):
    from l2audit.files import write_text
    from l2audit.training.oracles import oracles

    write_text(snakemake.output[0], json.dumps(oracles(), indent=1, sort_keys=True) + "\n")
