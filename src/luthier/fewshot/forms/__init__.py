"""The kinds of classifiers that rungs make, each with its own arrays on disk."""
