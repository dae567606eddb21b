"""What people read: one self-contained page, compiled from the published files of a study.

`page` writes the page. Its sections are by `sections` (one per claim), `specifications` (other choices), `gallery`
(kinds of outliers) and `apparatus` (what stands behind the verdicts).

`pictures` holds the published files and makes the figures and maps of a claim, `figures` draws. Below stand `style`
(how figures look) and `words` (numbers and verdicts in words, tables).
"""
