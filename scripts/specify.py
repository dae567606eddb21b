"""Judge every specification: the measured claims under each combination of the registered choices."""

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit import specifications
    from l2audit.effects.evidence import Evidence
    from l2audit.files import write_text
    from l2audit.seeds import canonical
    from l2audit.stored import read_frame

    files = snakemake.input
    evidence = Evidence.read(files.plan, files.runs, files.claims, files.cards)
    found = specifications.specify(evidence, read_frame(files.effects), specifications.load(files.choices))
    write_text(snakemake.output[0], canonical(found) + "\n")
