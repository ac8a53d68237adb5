"""Weak labels: rules and word lists vote, and a label model weighs the votes."""
