"""Members of the gradient rule family."""
