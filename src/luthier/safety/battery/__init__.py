"""Behaviour before and after: what a model refuses, repeats and obeys."""
