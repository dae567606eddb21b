# Data are shared by all studies: one entry of config/datasets.yaml at a time, so that editing one redoes that one only.
# Retries and mirrors are in l2audit.data.raw: a fault that trying again does not cure is told once.


rule download:
    input:
        local_file_of,
    output:
        "data/raw/{dataset}/manifest.json",
    log:
        "data/logs/download/{dataset}.log",
    benchmark:
        "data/logs/download/{dataset}.tsv"
    params:
        entry=entry_of,
        origin=origin_of,
        code=CODE["download"],
    script:
        "../../scripts/download.py"


rule prepare:
    input:
        manifest="data/raw/{dataset}/manifest.json",
    output:
        arrays="data/prepared/{dataset}.npz",
        card="data/prepared/{dataset}.json",
        croissant="data/prepared/{dataset}.croissant.json",
    log:
        "data/logs/prepare/{dataset}.log",
    benchmark:
        "data/logs/prepare/{dataset}.tsv"
    params:
        entry=entry_of,
        origin=origin_of,
        code=CODE["prepare"],
    script:
        "../../scripts/prepare.py"
