"""Copy the default study's page and evidence to report/published/."""

from pathlib import Path

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.files import atomic

    for source in (snakemake.input.page, *snakemake.input.evidence, *snakemake.input.calibration):
        with atomic(Path("report/published") / Path(source).name) as temporary:
            temporary.write_bytes(Path(source).read_bytes())
