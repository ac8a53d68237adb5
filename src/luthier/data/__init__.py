"""Floor 2: from files to batches: sources, mapping, splits, the prompt contract, tokens."""
