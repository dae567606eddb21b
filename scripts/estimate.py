"""From the table of runs to the table of effects and its summary."""

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.effects.stored import stored_evidence
    from l2audit.effects.table import estimate, summarise
    from l2audit.stored import write_frame

    given = snakemake.input
    evidence = stored_evidence(given.plan, given.runs, given.claims, given.cards)
    write_frame(estimate(evidence), snakemake.output.effects)
    write_frame(summarise(evidence), snakemake.output.summary)
