"""Make the page of a study from its evidence."""

from pathlib import Path

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.errors import DamagedFile
    from l2audit.pipeline.results import strangers
    from l2audit.report.page import write_page

    folder = Path(snakemake.input.evidence[0]).parent
    if damaged := strangers(folder):
        raise DamagedFile(*damaged)
    trial = snakemake.input.calibration
    write_page(folder, Path(snakemake.output[0]), Path(trial[0]) if trial else None)
