"""The rungs of the ladder, from no labels to many."""
