"""What to see in each figure, in words."""

GLANCE = (
    "Averages over datasets with their 95\u202f% intervals, in units of δ, the smallest effect that would matter "
    "(shaded). Right of the band the claim holds, left of it the opposite does. The claim needs both halves: the "
    "model more sensitive and, therefore, less robust."
)
FOREST = (
    "One mark per dataset with its 95\u202f% interval over seeds, in units of δ (1 δ = {delta}). Shaded: ±δ, too "
    "small to matter. ▲ ▼ decisively beyond it (corrected for the number of datasets), ● inside it, ○ undecided, "
    "◀ ▶ beyond {clip:g} δ, counted as {clip:g} δ. Diamonds: averages over datasets with the intervals that were "
    "judged."
)
CURVES = (
    "Risk on clean test rows after training on clean rows and on rows with outliers (mean over seeds, bars: one "
    "standard error); the distance between the lines is D. Shaded: the judged band. The vertical line marks the "
    "beta that most seeds chose on clean validation rows. More sensitive would mean that D is larger there than "
    "at beta = 0. Shown by rule: in each kind of contamination the cell with the least effect, then the one with "
    "the greatest."
)
DAMAGE = (
    "D, the rise of test risk (nRMSE) that the outliers cause, against beta on a logarithmic scale. Thin: single "
    "datasets; thick: their mean. Changing the loss moves from one family of lines to the other; adding a "
    "penalty moves to the right."
)
LOG_LOG = (
    "All weights are multiplied by s. The points follow the line of slope 2: doubling the weights makes the "
    "penalty four times as large."
)
GALLERY = (
    "Each picture is made by the function that contaminates training rows, here applied to {rows} made-up rows: left "
    "clean, right contaminated. Orange triangles were hit, blue dots were left alone. Where there are classes, shape "
    "and colour tell the class that the model is given, and a ring marks the rows that were hit. In formulas s is the "
    "robust scale of the clean target (1.4826 MAD), f a linear fit to the clean rows and Σ the covariance of their "
    "features; the line in a third panel is that fit."
)
BESIDE = (
    "In units of δ: the range of the average when each dataset is left out; τ, the spread of true effects between "
    "datasets; and the change of the effect per tenfold beta over the judged band, one slope a dataset (exploratory)."
)
TABLE = (
    "Averages over datasets with their 95\u202f% intervals. A score beyond the clip counts as the clip, in plain "
    "units too."
)
RANKS = (
    "One mark a dataset; right of the middle its weights became more even, or less uneven, than those of others. It is "
    "ranked among the datasets of its task at the same contamination level and under the same architecture, and its "
    "ranks are averaged. Above each panel: the rank correlation (Spearman) with its 95\u202f% interval over datasets."
)
RANKS_TABLE = (
    "Rank correlations with 95\u202f% intervals over datasets, ranked as in the figure. Across cells: all cells as "
    "they are, whatever their task, level or architecture; they are not independent, so there is no interval. A dash: "
    "too few datasets."
)
SPECIFICATIONS = (
    "In how many of the specifications the verdict is the registered one. Combinations that give a claim the very same "
    "effects count once, so their number differs from claim to claim."
)
CURVE = (
    "How to read the curves. Above: the estimates of all specifications in ascending order with their 95\u202f% "
    "intervals, in units of the δ of each; where there are too many, a column shows the middle one of several. Below: "
    "the verdicts they give and the choices they made; a paler mark means that only some of the column did. In bold "
    "what is registered; at the right the share of specifications with that verdict, and for each choice the share "
    "that agrees with the registered verdict."
)
ALONE = "One choice at a time, all others as registered; a choice that leaves every effect as it was is not listed."
