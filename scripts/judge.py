"""From effects and identities to verdicts, by the registered rule."""

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.config.claims import load
    from l2audit.effects.counts import runs_behind
    from l2audit.judge.verdicts import judge
    from l2audit.runs.results import provenance_of
    from l2audit.stored import read_frame, read_json, write_json
    from l2audit.wording.sentences import registration_status

    registration = load(snakemake.input.claims)
    effects = read_frame(snakemake.input.effects)
    verdicts = judge(
        effects,
        registration,
        read_json(snakemake.input.identities),
        n_runs=runs_behind(effects, read_frame(snakemake.input.runs), registration),
    )
    verdicts["study"] = snakemake.params.study
    verdicts["registered"] = registration_status(
        registration.sha256, provenance_of(snakemake.input.runs)["registrations"]
    )
    write_json(snakemake.output[0], verdicts)
