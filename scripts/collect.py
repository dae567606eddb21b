"""Put all shards of a study together into its table of runs."""

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.runs.registrations import counted, stamped
    from l2audit.runs.results import collect, write

    runs = collect(snakemake.input, snakemake.params.study)
    write(stamped(runs, counted(snakemake.input)), snakemake.output[0])
