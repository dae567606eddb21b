"""What the numbers mean: registered claims and effects in, verdicts out. No TensorFlow, no randomness.

`scores`       steps 1-4 of the rule: from effects to one score a dataset and stratum
`statistics`   the tests and intervals of step 5
`rule`         steps 5-8: families, readings, the gate, "mixed"
`summary`, `verdicts`   step 9, and the JSON that is published
`correlation`  an exploratory figure, which decides nothing

The same arrays with a leading axis "studies" carry one real study or thousands of simulated ones: one rule, no twin.
The rule is explained in docs/statistics.md.
"""
