"""What people read: one self-contained page, compiled from the published files of a study.

`page`       the page as a whole: `write_page` from a folder of evidence, `build_page` from its parsed files
`sections`   one section per claim; `apparatus`  controls, known results, the rule, what was left out, provenance
`specifications`  how much hangs on the choices of the analysis; `gallery`  what each kind of outlier is
`pictures`   the figures of a claim with their captions, from `evidence` (the tables) to `figures` (the drawings)
`blocks`, `style`, `words`   tables and figures as blocks, what figures look like, numbers and verdicts in words
"""
