"""What people read: one self-contained page, compiled from the published files of a study.

`page` writes the page. Its sections are by `sections` (one per claim), `specifications` (other choices), `gallery`
(kinds of outliers) and `apparatus` (what stands behind the verdicts).

`pictures` makes the figures of a claim: `evidence` reads the tables, `figures` draws. Below all of these stand `blocks`
(a table, a figure with its caption), `style` (how figures look) and `words` (numbers and verdicts in words).
"""
