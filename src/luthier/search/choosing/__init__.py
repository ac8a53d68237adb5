"""Comparing trials row by row: which to freeze, and which one to ship."""
