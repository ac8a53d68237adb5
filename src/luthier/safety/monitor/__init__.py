"""Watching a model in use: drift, accuracy without labels, behaviour, misuse; no text is kept."""
