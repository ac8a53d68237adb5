"""Gradients of single rows, or of groups of rows, from one backward pass."""
