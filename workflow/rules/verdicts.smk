# From runs to verdicts: effects are paired contrasts of runs, identities are exact checks, oracles known results that the
# code must reproduce, the rule is in the registration.
# A change of the registration comes through here and trains nothing again.


rule identities:
    output:
        f"{RESULTS}/identities.json",
    log:
        f"{RESULTS}/logs/identities.log",
    benchmark:
        f"{RESULTS}/benchmarks/identities.tsv"
    params:
        code=CODE["identities"],
    script:
        "../../scripts/identities.py"


rule oracles:
    output:
        f"{RESULTS}/oracles.json",
    log:
        f"{RESULTS}/logs/oracles.log",
    benchmark:
        f"{RESULTS}/benchmarks/oracles.tsv"
    params:
        code=CODE["oracles"],
    script:
        "../../scripts/oracles.py"


rule estimate:
    input:
        plan=f"{RESULTS}/plan.json",
        runs=f"{RESULTS}/runs.parquet",
        cards=CARDS,
        claims=REGISTRATION,
    output:
        effects=f"{RESULTS}/effects.parquet",
        summary=f"{RESULTS}/summary.parquet",
    log:
        f"{RESULTS}/logs/estimate.log",
    benchmark:
        f"{RESULTS}/benchmarks/estimate.tsv"
    params:
        code=CODE["estimate"],
    script:
        "../../scripts/estimate.py"


rule judge:
    input:
        effects=f"{RESULTS}/effects.parquet",
        identities=f"{RESULTS}/identities.json",
        runs=f"{RESULTS}/runs.parquet",
        claims=REGISTRATION,
    output:
        f"{RESULTS}/verdicts.json",
    log:
        f"{RESULTS}/logs/judge.log",
    benchmark:
        f"{RESULTS}/benchmarks/judge.tsv"
    params:
        study=STUDY.name,
        code=CODE["judge"],
    script:
        "../../scripts/judge.py"


# What it means for somebody with outliers in their data. No verdict rests on it.
rule answers:
    input:
        plan=f"{RESULTS}/plan.json",
        runs=f"{RESULTS}/runs.parquet",
        cards=CARDS,
        claims=REGISTRATION,
    output:
        f"{RESULTS}/answers.parquet",
    log:
        f"{RESULTS}/logs/answers.log",
    benchmark:
        f"{RESULTS}/benchmarks/answers.tsv"
    params:
        code=CODE["answers"],
    script:
        "../../scripts/answers.py"


# How much hangs on the choices of the analysis: the verdicts again, under every other one. It changes none of them.
rule specify:
    input:
        plan=f"{RESULTS}/plan.json",
        runs=f"{RESULTS}/runs.parquet",
        effects=f"{RESULTS}/effects.parquet",
        cards=CARDS,
        claims=REGISTRATION,
        choices=CHOICES,
    output:
        f"{RESULTS}/specifications.json",
    log:
        f"{RESULTS}/logs/specify.log",
    benchmark:
        f"{RESULTS}/benchmarks/specify.tsv"
    params:
        code=CODE["specify"],
    script:
        "../../scripts/specify.py"


# Made last: it says what the results were made of, and of which files they consist, so that a mixture is noticed.
rule provenance:
    input:
        runs=f"{RESULTS}/runs.parquet",
        cards=CARDS,
        claims=REGISTRATION,
        evidence=expand(
            f"{RESULTS}/{{name}}",
            name=[name for name in EVIDENCE if name != "provenance.json"],
        ),
    output:
        f"{RESULTS}/provenance.json",
    log:
        f"{RESULTS}/logs/provenance.log",
    benchmark:
        f"{RESULTS}/benchmarks/provenance.tsv"
    params:
        declared=lambda wildcards: canonical(
            dict(
                study=dict(
                    name=STUDY.name, title=STUDY.title, verdicts=STUDY.verdicts
                ),
                code_sha256=CODE,
                lock_sha256=sha256_of(ROOT / LOCK) if (ROOT / LOCK).exists() else None,
                contaminations=CONFIG.contaminations,
                declared_sha256=declared(),
            )
        ),
        code=CODE["provenance"],
    script:
        "../../scripts/provenance.py"
