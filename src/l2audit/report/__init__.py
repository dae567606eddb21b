"""What people read: one self-contained page, compiled from the published files of a study.

`files`     from the folder of evidence to the file of the page
`page`      the page as a whole: `build_page`
`sections`  one section per claim; `apparatus`  controls, the rule, what was left out, data and provenance
`pictures`  the figures with their captions (`captions`), drawn by `forest` and `figures`
`evidence`  from the published tables to what figures draw
`specifications`  how much hangs on the choices of the analysis, drawn by `curve`
`style`, `digits`, `words`   what figures, numbers and verdicts look like
"""
