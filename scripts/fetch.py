"""Put the raw files of all `https` datasets that a study lacks into data/raw/<name>/; say in one line how it went."""

import json
import os
import sys

from l2audit.pipeline.jobs import job

with job(snakemake.log[0], show_progress=True):
    from l2audit.data.fetch import fetch, stand_ins
    from l2audit.data.sources import network_settings

    mirror, offline = network_settings(os.environ)
    asked = snakemake.params.datasets
    entries = {name: json.loads(entry) for name, (entry, _) in asked.items()}
    result = fetch(entries, {name: origin for name, (_, origin) in asked.items()}, "data/raw", mirror, offline)
    if result.offline and not result.got:
        raise result.offline
    for line in (f"error: {result.offline}" if result.offline else "", f"data: {result.summary(snakemake.log[0])}"):
        if line:
            print(line, file=sys.stderr, flush=True)
    if result.stopped or (result.failed and not (result.got and snakemake.params.go_on)):
        raise SystemExit(1)
    stand_ins(result, "data/raw")
