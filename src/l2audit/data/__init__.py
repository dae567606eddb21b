"""Datasets: where they come from, how they are fetched, cleaned, described and split.

One entry of `config/datasets.yaml` is one dataset. Each step is a function with files in and files out:

1. `sources.download_dataset` writes data/raw/<name>/manifest.json.
2. `prepare.prepare_dataset` writes data/prepared/<name>.npz and <name>.json, the arrays and the data card.
   `croissant.write_croissant` writes <name>.croissant.json beside them.
3. `arrays.load_prepared` reads the arrays; `split.split` and `split.Scaler` divide and scale them.
"""
