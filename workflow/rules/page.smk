# What people see. The page is a function of the files in `evidence`, so it can be rebuilt from the published copies of them.

# The trial of the judge is of no study: `make calibrate` makes it, and a page shows it where it is there.
CALIBRATION = [str(path) for path in [calibration_file(Path())] if path]


rule report:
    input:
        evidence=expand(f"{RESULTS}/{{name}}", name=EVIDENCE),
        calibration=CALIBRATION,
    output:
        PAGE,
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    params:
        study=STUDY.name,
        # Asked for alone, the page is still made of what is declared now.
        declared=lambda wildcards: declared(),
        code=CODE["report"],
    script:
        "../../scripts/report.py"


# Not part of the default target: `snakemake publish` copies a study to report/published/<study>/, which is committed, so that a
# visitor reads the result without running anything. A study without verdicts has nothing to publish.
if STUDY.verdicts:
    PUBLISHED = PUBLISHED_FOLDER / STUDY.name

    rule publish:
        input:
            page=PAGE,
            evidence=expand(f"{RESULTS}/{{name}}", name=EVIDENCE),
            runs=f"{RESULTS}/runs.parquet",
            claims=REGISTRATION,
            calibration=[path for path in CALIBRATION if path.startswith("results/")],
        output:
            page=PUBLISHED / PUBLISHED_PAGE,
            evidence=[PUBLISHED / name for name in EVIDENCE],
            runs=PUBLISHED / "runs.parquet",
            claims=PUBLISHED / REGISTRATION_COPY,
        log:
            f"{RESULTS}/logs/publish.log",
        benchmark:
            f"{RESULTS}/benchmarks/publish.tsv"
        params:
            declared=lambda wildcards: declared(),
            code=CODE["publish"],
        script:
            "../../scripts/publish.py"
