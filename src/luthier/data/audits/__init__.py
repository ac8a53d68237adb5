"""Checks of the data report, one family each."""
