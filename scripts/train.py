"""Train one shard and write its table of runs."""

import json

from l2audit.jobs import job

with job(snakemake.log[0]):
    from l2audit.data.arrays import load_prepared
    from l2audit.data.split import Sizes
    from l2audit.design import Shard
    from l2audit.files import sha256_of
    from l2audit.models.architectures import Architecture
    from l2audit.training.predictions import write_predictions
    from l2audit.training.problem import Schedule
    from l2audit.training.registrations import KEY
    from l2audit.training.results import write
    from l2audit.training.shard import train_shard

    params = snakemake.params
    provenance = {
        "code_sha256": params.code,
        "data_sha256": sha256_of(snakemake.input[0]),
        "shard": json.loads(params.shard),
        # Neither an input nor a parameter of the rule: no number depends on it, and a new claim must not train again.
        # The shard says under which registration it was trained, so that a change made afterwards can be seen.
        KEY: sha256_of(snakemake.config["registration"]),
    }
    shard = Shard.from_json(json.loads(params.shard))
    trained = train_shard(
        shard,
        load_prepared(snakemake.input[0]),
        Architecture(shard.architecture, json.loads(params.architecture)),
        Sizes(**json.loads(params.rows)),
        Schedule(**json.loads(params.training)),
        provenance,
    )
    write_predictions(trained.predictions, provenance, snakemake.output.predictions)
    write(trained.table, snakemake.output.runs)
