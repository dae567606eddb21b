"""`make bench`: this project's training engine beside the ways in which one would train the same models otherwise."""
