# One job trains one shard: all runs of a dataset under an arm (some of its seeds, where that would take long). Beside its
# runs it keeps what each of them predicted for the test rows, to be scored anew without training.


rule train:
    input:
        arrays=lambda wildcards: f"{prepared_of(wildcards)}.npz",
        card=lambda wildcards: f"{prepared_of(wildcards)}.json",
    output:
        runs=f"{RESULTS}/shards/{{shard}}.parquet",
        predictions=f"{RESULTS}/predictions/{{shard}}.parquet",
    log:
        f"{RESULTS}/logs/train/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{shard}}.tsv"
    priority: seconds_of  # the longest first, to end together
    threads: 1
    params:
        shard=lambda wildcards: SHARDS[wildcards.shard].to_json(),
        origin=lambda wildcards: origin_of_dataset(SHARDS[wildcards.shard].dataset),
        registration=registration_at_training,
        code=CODE["train"],
    script:
        "../../scripts/train.py"


rule collect:
    input:
        expand(f"{RESULTS}/shards/{{shard}}.parquet", shard=SHARDS),
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
