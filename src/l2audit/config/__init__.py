"""Configuration: what the YAML files under config/ say, read strictly and checked before anything runs.

`study` holds the typed values, `load` reads and checks. This file imports nothing on purpose: code that only needs the
types does not depend on the checker. So a better message never retrains a model (`l2audit.pipeline.fingerprints`).
"""
