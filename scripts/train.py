"""Train one shard and write its table of runs."""

import json

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.data.arrays import load_prepared
    from l2audit.files import sha256_of
    from l2audit.plan import Shard
    from l2audit.runs.predictions import write_predictions
    from l2audit.runs.registrations import KEY
    from l2audit.runs.results import write
    from l2audit.runs.shard import train_shard
    from l2audit.stored import check_stamp

    params, prepared = snakemake.params, snakemake.input.arrays
    check_stamp(snakemake.input.card, params.origin, prepared)
    shard = Shard.from_json(json.loads(params.shard))
    provenance = {"code_sha256": params.code, KEY: params.registration}
    trained = train_shard(shard, load_prepared(prepared), sha256_of(prepared), provenance)
    write_predictions(trained.predictions, trained.provenance, snakemake.output.predictions)
    write(trained.table, snakemake.output.runs)
