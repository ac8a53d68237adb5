"""Labelling a pool of texts by hand, by rules or by a teacher, for a run or a recipe."""
