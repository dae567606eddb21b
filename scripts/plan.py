"""Write down the plan of a study: every shard, and the stratum of every kind of contamination."""

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.files import write_text

    write_text(snakemake.output[0], snakemake.params.plan)
