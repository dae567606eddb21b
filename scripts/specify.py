"""Judge every specification: the measured claims under each combination of the registered choices."""

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    import pandas as pd

    from l2audit import specifications
    from l2audit.config.claims import load
    from l2audit.effects.evidence import Evidence
    from l2audit.files import write_text
    from l2audit.plan import planned, restored_plan
    from l2audit.seeds import canonical
    from l2audit.stored import read_frame, read_json

    cards = [read_json(card) for card in snakemake.input.cards]
    shards, strata = restored_plan(snakemake.input.plan)
    evidence = Evidence(
        plan=pd.DataFrame(planned(shards)),
        runs=read_frame(snakemake.input.runs),
        registration=load(snakemake.input.claims),
        strata=strata,
        collinear={card["name"]: card["collinear"] for card in cards},
    )
    choices = specifications.load(snakemake.input.choices)
    found = specifications.specify(evidence, read_frame(snakemake.input.effects), choices)
    write_text(snakemake.output[0], canonical(found) + "\n")
