"""Ways to find poisoned rows; each has its file."""
