"""Copy the default study's page and evidence to report/published/."""

from pathlib import Path

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.errors import UserError
    from l2audit.files import atomic
    from l2audit.pipeline.results import strangers
    from l2audit.stored import read_json

    folder = Path(snakemake.input.evidence[0]).parent
    if strangers(folder) or read_json(folder / "provenance.json")["declared_sha256"] != snakemake.params.declared:
        raise UserError(
            "its files are of another run or configuration, and are not published",
            file=folder,
            fix="make them again: the same command with --forceall",
        )
    for source in (snakemake.input.page, *snakemake.input.evidence, *snakemake.input.calibration):
        with atomic(Path("report/published") / Path(source).name) as temporary:
            temporary.write_bytes(Path(source).read_bytes())
