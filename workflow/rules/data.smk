# Data are shared by all studies: one entry of the table of datasets at a time, so that editing one redoes that one only.
# Retries and mirrors are in l2audit.data.raw: a fault that trying again does not cure is told once.
#
# One job fetches all that the study lacks from the web. What it makes is settled when the workflow is read: what is not
# there, or is of another entry. So neither another study nor another entry can make Snakemake fetch or prepare the rest
# again. All else is left to the rule `download`, one dataset a job: other sources, and what nothing may need, as it is
# prepared. Which of the two made a file must not count as a change: their parameters are derived, but for `changed`.
# If a job is killed, Snakemake removes its manifests; the raw files stay, and are not asked for again.
THERE = {name for name in WEB if is_there(name)}
TO_FETCH = [name for name in STUDY.all_datasets if name in WEB - THERE]


rule fetch:
    input:
        force_stale,
    output:
        [f"data/raw/{name}/manifest.json" for name in TO_FETCH],
    log:
        "data/logs/fetch.log",
    benchmark:
        "data/logs/fetch.tsv"
    localrule: True
    params:
        changed=None,
        datasets=lambda wildcards, resources: {
            name: [canonical(CONFIG.datasets[name]), origin_of_dataset(name)]
            for name in TO_FETCH
        },
        go_on=lambda wildcards, resources: not any(
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
    params:
        changed=lambda wildcards: (
            None if wildcards.dataset in WEB else origin_of(wildcards)
        ),
        entry=lambda wildcards, resources: entry_of(wildcards),
        origin=lambda wildcards, resources: origin_of(wildcards),
    script:
        "../../scripts/download.py"


ruleorder: fetch > download


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
