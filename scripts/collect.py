"""Put all shards of a study together into its table of runs."""

from l2audit.jobs import job

with job(snakemake.log[0]):
    from l2audit.training.results import collect, write

    write(collect(snakemake.input, snakemake.params.study), snakemake.output[0])
