# One job trains one shard: all runs of a dataset under an architecture (some of its seeds, where that would take long).


rule train:
    input:
        prepared_of,
    output:
        f"{RESULTS}/shards/{{shard}}.parquet",
    log:
        f"{RESULTS}/logs/train/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{shard}}.tsv"
    priority: seconds_of  # the longest first, to end together
    threads: 1
    params:
        shard=lambda wildcards: SHARDS[wildcards.shard].to_json(),
        architecture=layers_of,
        rows=canonical(STUDY.rows),
        training=lambda wildcards: canonical(
            STUDY.schedule(SHARDS[wildcards.shard].architecture)
        ),
        models_per_program=STUDY.models_per_program,
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
