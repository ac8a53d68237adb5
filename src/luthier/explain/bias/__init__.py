"""Bias of a classifier about groups of people: words, probes, measures, and what they certify."""
