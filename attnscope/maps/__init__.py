"""Labelled attention: the tree, how it is selected, resampled, saved and opened."""
