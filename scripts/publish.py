"""Copy a study's page and evidence to report/published/<study>/, with its registration and its runs."""

from pathlib import Path

from l2audit.pipeline.jobs import job

with job(snakemake.log[0]):
    from l2audit.errors import UserError
    from l2audit.files import atomic
    from l2audit.pipeline.results import PUBLISHED_PAGE, REGISTRATION_COPY, strangers
    from l2audit.pipeline.slim import write_slim
    from l2audit.stored import read_json

    given, folder = snakemake.input, Path(snakemake.input.evidence[0]).parent
    if strangers(folder) or read_json(folder / "provenance.json")["declared_sha256"] != snakemake.params.declared:
        raise UserError(
            "its files are of another run or configuration, and are not published",
            file=folder,
            fix="make them again: the same command with --forceall",
        )
    published = Path(snakemake.output.page).parent
    copies = {PUBLISHED_PAGE: given.page, REGISTRATION_COPY: given.claims}
    copies |= {Path(source).name: source for source in (*given.evidence, *given.calibration)}
    for name, source in copies.items():
        with atomic(published / name) as temporary:
            temporary.write_bytes(Path(source).read_bytes())
    write_slim(given.runs, snakemake.output.runs)
