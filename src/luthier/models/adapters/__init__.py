"""Members of the adapter family, each bearing its published name."""
