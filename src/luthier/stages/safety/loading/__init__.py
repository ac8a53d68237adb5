"""Models and files that come from elsewhere."""
