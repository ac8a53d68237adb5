"""Tuning: many trials on one resident base, advanced by the search."""
