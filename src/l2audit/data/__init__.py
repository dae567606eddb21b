"""Datasets: where they come from, how they are fetched, cleaned, described and split.

One entry of `config/datasets.yaml`, or one file of `config/datasets/`, is one dataset. Each step is a function with
files in and files out:

1. `sources.download_dataset` writes data/raw/<name>/manifest.json.
2. `prepare.prepare_dataset` writes data/prepared/<name>.npz and <name>.json, the arrays and the data card.
   `croissant.write_croissant` writes <name>.croissant.json beside them.
   `cards.write_cards` gathers what the cards of all datasets say in data/cards.parquet.
3. `arrays.load_prepared` reads the arrays; `split.split` and `split.Scaler` divide and scale them.
"""
