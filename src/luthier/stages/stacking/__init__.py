"""A trained network and a classifier of words as one model."""
