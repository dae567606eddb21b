"""Train models outside a study, on bundled tables and without Snakemake: what the tools that measure training share."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from l2audit.config.load import table
from l2audit.data.arrays import Prepared, load_prepared
from l2audit.data.prepare import load_card, prepare_dataset
from l2audit.data.sources import download_dataset
from l2audit.files import sha256_of
from l2audit.plan import Shard

ROOT = Path(__file__).resolve().parents[1]

Data = Mapping[str, tuple[Prepared, dict[str, Any]]]
"""Dataset -> its arrays and its data card, with the SHA-256 of the arrays' file as `prepared_sha256`."""


def bundled(names: Iterable[str]) -> Data:
    """Datasets that need no network, prepared as a study prepares them. UserError: one of them needs it."""
    entries, made = table(ROOT, "datasets"), {}
    with TemporaryDirectory() as folder:
        for name in names:
            arrays, card = Path(folder) / f"{name}.npz", Path(folder) / f"{name}.json"
            manifest = download_dataset(name, entries[name], Path(folder) / name, None, offline=True)
            prepare_dataset(name, entries[name], manifest, arrays, card)
            made[name] = load_prepared(arrays), {**load_card(card), "prepared_sha256": sha256_of(arrays)}
    return made


def trained(shards: Sequence[Shard], data: Data) -> pd.DataFrame:
    """The runs of `shards`, one row per run, and which shard it is training on standard error.

    The process must have the environment of a job (`l2audit.pipeline.environment`) before TensorFlow is imported.
    """
    from l2audit.runs.shard import train_shard

    tables = []
    for number, shard in enumerate(shards, 1):
        print(f"{number} of {len(shards)}: {shard.shard_id}, {shard.size} models", file=sys.stderr, flush=True)
        prepared, card = data[shard.dataset]
        tables.append(train_shard(shard, prepared, {"data_sha256": card["prepared_sha256"]}).runs.to_pandas())
    return pd.concat(tables, ignore_index=True)
