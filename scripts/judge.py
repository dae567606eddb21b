"""From effects and identities to verdicts, by the registered rule."""

from l2audit.jobs import job

with job(snakemake.log[0]):
    from l2audit.judge.claims import load
    from l2audit.judge.counts import runs_behind
    from l2audit.judge.registered import registered
    from l2audit.judge.verdicts import judge
    from l2audit.stored import read_frame, read_json, write_json
    from l2audit.training.registrations import of_runs

    registration = load(snakemake.input.claims)
    effects = read_frame(snakemake.input.effects)
    verdicts = judge(
        effects,
        registration,
        read_json(snakemake.input.identities),
        n_runs=runs_behind(effects, read_frame(snakemake.input.runs), registration),
    )
    verdicts["study"] = snakemake.params.study
    verdicts["registered"] = registered(registration.sha256, of_runs(snakemake.input.runs))
    write_json(snakemake.output[0], verdicts)
