"""From the table of runs to the table of effects and its summary."""

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.effects.evidence import Evidence
    from l2audit.effects.table import estimate, summarise
    from l2audit.stored import write_frame

    files = snakemake.input
    evidence = Evidence.read(files.plan, files.runs, files.claims, files.cards)
    write_frame(estimate(evidence), snakemake.output.effects)
    write_frame(summarise(evidence), snakemake.output.summary)
