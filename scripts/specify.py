"""Judge every specification: the measured claims under each combination of the registered choices."""

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit import specifications
    from l2audit.effects.stored import stored_evidence
    from l2audit.files import write_text
    from l2audit.seeds import canonical
    from l2audit.stored import read_frame

    given = snakemake.input
    evidence = stored_evidence(given.plan, given.runs, given.claims, given.cards)
    choices = specifications.load(given.choices)
    found = specifications.specify(evidence, read_frame(given.effects), choices)
    write_text(snakemake.output[0], canonical(found) + "\n")
