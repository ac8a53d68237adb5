"""Members of the watcher family."""
