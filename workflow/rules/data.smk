# Data are shared by all studies: one entry of config/datasets.yaml at a time, so that editing one redoes that one only.
# Retries and mirrors are in l2audit.data.raw: a fault that trying again does not cure is told once.
#
# One job fetches all that the study lacks from the web. What it makes is settled when the workflow is read: what is not
# there, or is of another entry. What is there has no rule, so neither another study nor another entry can make Snakemake
# fetch or prepare it again. If the job is killed, Snakemake removes its manifests; the raw files stay and are not asked for
# again. A dataset that is prepared and has lost its manifest is left to the rule `download`, as nothing may need it.
ORIGINS = {name: origin_of_dataset(name) for name in WEB}
MADE = {name for name in WEB if is_prepared(*prepared_files(name), ORIGINS[name])}
FETCHED = {
    name
    for name in WEB
    if is_fetched(f"data/raw/{name}", name, ORIGINS[name], name in MADE)
}
TO_FETCH = [name for name in STUDY.all_datasets if name in WEB - FETCHED - MADE]
ONE_BY_ONE = [name for name in CONFIG.datasets if name not in {*FETCHED, *TO_FETCH}]


rule fetch:
    output:
        [f"data/raw/{name}/manifest.json" for name in TO_FETCH],
    log:
        "data/logs/fetch.log",
    benchmark:
        "data/logs/fetch.tsv"
    localrule: True
    params:
        datasets=lambda wildcards: {name: to_fetch(name) for name in TO_FETCH},
        go_on=lambda wildcards: not any(
            target.startswith("data/raw/") for target in workflow.dag_settings.targets
        ),
    script:
        "../../scripts/fetch.py"


rule download:
    input:
        local_file_of,
    output:
        "data/raw/{dataset}/manifest.json",
    log:
        "data/logs/download/{dataset}.log",
    benchmark:
        "data/logs/download/{dataset}.tsv"
    wildcard_constraints:
        dataset="|".join(ONE_BY_ONE) or "-",
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
