"""Train the shards of one job, or take those that were trained before, and write their runs and predictions."""

from pathlib import Path

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.data.arrays import load_prepared
    from l2audit.files import sha256_of
    from l2audit.plan import Job
    from l2audit.runs.kept import Kept
    from l2audit.runs.results import REGISTRATION
    from l2audit.runs.shard import train_job
    from l2audit.stored import check_stamp

    params, prepared, output = snakemake.params, snakemake.input.arrays, snakemake.output
    check_stamp(snakemake.input.card, params.origin, prepared)
    planned = Job.from_json(params.job)
    kept = Kept(params.kept, planned.dataset)
    origin = {"code_sha256": params.code, "data_sha256": sha256_of(prepared), REGISTRATION: params.registration}
    train_job(planned, load_prepared(prepared), origin, kept).write(output.runs, output.predictions)
    kept.settle(planned, Path(output.runs), Path(output.predictions))
