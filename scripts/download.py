"""Put the raw files of one dataset, whatever its source, into data/raw/<name>/."""

import json
import os
from pathlib import Path

from l2audit.pipeline.jobs import job

with job(snakemake.log[0], show_progress=True):
    from l2audit.data.sources import download_dataset, network_settings
    from l2audit.stored import stamp

    mirror, offline = network_settings(os.environ)
    directory = Path(snakemake.output[0]).parent
    download_dataset(snakemake.wildcards.dataset, json.loads(snakemake.params.entry), directory, mirror, offline)
    stamp(snakemake.output[0], snakemake.params.origin)
