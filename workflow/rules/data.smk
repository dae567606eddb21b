# Data are shared by all studies: one entry of the table of datasets at a time, so that editing one redoes that one only.
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


# Every dataset that is declared, of whatever study: `make cards` asks for it. The table of a person's own disk is left out.
rule prepared:
    input:
        expand(
            "data/prepared/{name}.json",
            name=[
                name
                for name, entry in CONFIG.datasets.items()
                if not entry["source"].startswith("file:")
            ],
        ),
