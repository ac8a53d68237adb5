"""Members of the source family, one format each."""
