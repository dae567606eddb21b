"""From runs to effects: the grid of one arm, paired contrasts, estimands, the table of effects."""
