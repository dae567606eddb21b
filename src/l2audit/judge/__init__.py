"""What the numbers mean: registered claims in, effects in, verdicts out. Pure: no TensorFlow, no unseeded randomness.

`claims`       the registration as frozen dataclasses
`tables`       the effects table as dense arrays
`scores`       steps 1-4 of the rule: cells, datasets, strata, scores
`statistics`   step 5 and what is reported beside it: boundary tests, Holm, intervals, bootstraps, detectable effect
`rule`         steps 6-8: families, readings, the gate, "mixed"
`verdicts`     steps 1-9 on one study, as the JSON that is published
`wording`      one sentence a verdict, and the table for the terminal
`scenarios`, `calibration`   the rule on simulated studies of known truth

The same arrays with a leading axis "studies" carry one real study or thousands of simulated ones: one rule, no twin.
"""
