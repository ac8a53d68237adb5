"""From canonical rows to what a model is fed: contract, tokens, ragged arrays, batches."""
