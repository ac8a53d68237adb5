"""Members of the update rule family."""
