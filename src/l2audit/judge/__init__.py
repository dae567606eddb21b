"""What the numbers mean: registered claims and trained runs in, verdicts out. No TensorFlow, no unseeded randomness.

`claims`       the registration as frozen dataclasses
`grid`, `contrast`, `estimands`, `effects`, `counts`   runs to effects: one paired contrast a row
`tables`       the effects table as dense arrays
`scores`       steps 1-4 of the rule: cells, datasets, strata, scores
`statistics`, `bootstrap`   step 5 and what is reported beside it
`rule`         steps 5-8: families, readings, the gate, "mixed"
`summary`, `display`, `phrases`, `wording`, `verdicts`   step 9, the sentences, and the JSON that is published
`specifications`   the verdicts again under other choices of the analysis
`scenarios`, `calibration`   the rule on simulated studies of known truth

The same arrays with a leading axis "studies" carry one real study or thousands of simulated ones: one rule, no twin.
The rule is explained in docs/statistics.md.
"""
