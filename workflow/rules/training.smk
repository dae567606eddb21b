# One job trains several shards of a dataset: Python and TensorFlow start once for all of its arms. Beside the runs it keeps what
# each of them predicted for the test rows, to be scored anew without training. A job that runs again trains only the shards that
# changed: it finds the others in kept/ (l2audit.runs.kept).


rule plan:
    output:
        f"{RESULTS}/plan.json",
    log:
        f"{RESULTS}/logs/plan.log",
    benchmark:
        f"{RESULTS}/benchmarks/plan.tsv"
    params:
        plan=stored_plan(CONFIG),
        code=CODE["plan"],
    script:
        "../../scripts/plan.py"


rule train:
    input:
        arrays=lambda wildcards: f"{prepared_of(wildcards)}.npz",
        card=lambda wildcards: f"{prepared_of(wildcards)}.json",
    output:
        runs=f"{RESULTS}/trained/{{job}}.parquet",
        predictions=f"{RESULTS}/predictions/{{job}}.parquet",
    log:
        f"{RESULTS}/logs/train/{{job}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{job}}.tsv"
    priority: seconds_of  # the longest first, to end together
    threads: 1
    params:
        job=lambda wildcards: JOBS[wildcards.job].to_json(),
        kept=f"{RESULTS}/kept",
        origin=lambda wildcards: origin_of_dataset(JOBS[wildcards.job].dataset),
        registration=registration_at_training,
        code=CODE["train"],
    script:
        "../../scripts/train.py"


rule collect:
    input:
        plan=f"{RESULTS}/plan.json",
        trained=TRAINED,
        arrays=[f"data/prepared/{name}.npz" for name in STUDY.all_datasets],
    output:
        f"{RESULTS}/runs.parquet",
    log:
        f"{RESULTS}/logs/collect.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect.tsv"
    params:
        study=STUDY.name,
        trained_by=CODE["train"],
        code=CODE["collect"],
    script:
        "../../scripts/collect.py"
