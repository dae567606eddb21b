"""Put the runs of all jobs of a study into one table."""

from pathlib import Path

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.files import sha256_of
    from l2audit.plan import restored_plan
    from l2audit.runs.results import collect
    from l2audit.stored import write_table

    shards, _ = restored_plan(snakemake.input.plan)
    data = {Path(file).stem: sha256_of(file) for file in snakemake.input.arrays}
    planned = {
        one.shard_id: {
            "shard": one.declared(),
            "code_sha256": snakemake.params.trained_by,
            "data_sha256": data[one.dataset],
        }
        for one in shards
    }
    write_table(collect(snakemake.input.trained, snakemake.params.study, planned), snakemake.output[0])
