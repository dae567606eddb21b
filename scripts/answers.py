"""From the table of runs to the table of answers for a practitioner."""

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.effects.answers import answers
    from l2audit.effects.stored import stored_evidence
    from l2audit.plan import restored_plan
    from l2audit.stored import read_json, write_frame

    given = snakemake.input
    evidence = stored_evidence(given.plan, given.runs, given.claims, given.cards)
    cards = [read_json(card) for card in given.cards]
    write_frame(answers(evidence, cards, restored_plan(given.plan)[0]), snakemake.output[0])
