"""Hyper-parameter search: which configuration to try next, how far, and when to stop.

It knows no training: trials are advanced by an executor, and everything here is numbers.
"""
