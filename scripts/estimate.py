"""From the table of runs to the table of effects and its summary."""

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    import pandas as pd

    from l2audit.config.claims import load
    from l2audit.effects.evidence import Evidence
    from l2audit.effects.table import estimate, summarise
    from l2audit.plan import planned, restored_plan
    from l2audit.stored import read_frame, read_json, write_frame

    shards, strata = restored_plan(snakemake.input.plan)
    cards = [read_json(card) for card in snakemake.input.cards]
    evidence = Evidence(
        plan=pd.DataFrame(planned(shards)),
        runs=read_frame(snakemake.input.runs),
        registration=load(snakemake.input.claims),
        strata=strata,
        collinear={card["name"]: card["collinear"] for card in cards},
    )
    write_frame(estimate(evidence), snakemake.output.effects)
    write_frame(summarise(evidence), snakemake.output.summary)
