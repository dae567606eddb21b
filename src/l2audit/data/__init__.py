"""Datasets: where they come from, how they are fetched, cleaned, described and split.

One entry of `config/datasets.yaml` is one dataset. Data flow, each step a function with files in and files out:
entry -> `download.download_dataset` -> data/raw/<name>/manifest.json -> `prepare.prepare_dataset` ->
data/prepared/<name>.{npz,json,croissant.json} -> `arrays.load_prepared` -> `split.split` and `split.Scaler`.
"""
