"""The scope: a capture on a screen, live in a notebook or in one HTML file."""
