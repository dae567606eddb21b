"""The judge: registered claims and effects in, verdicts out. No TensorFlow, no randomness.

`scores`       Steps 1-4 of the rule: from effects to one score per dataset and stratum.
`statistics`   The tests and intervals of step 5.
`rule`         Steps 5-8: families, readings, the gate, "mixed".
`summary`, `verdicts`   Step 9, and the JSON that is published.
`correlation`  An exploratory figure, which decides nothing.

Arrays have a leading axis "studies": one real study, or thousands of simulated ones under the same rule. The rule is
explained in docs/statistics.md.
"""
