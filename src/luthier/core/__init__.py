"""Floor 0: types, errors, seeds, hashing, atomic files and progress. No tensors."""
