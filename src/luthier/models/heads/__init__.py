"""Members of the head family, one file per kind of answer."""
