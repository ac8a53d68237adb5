"""Where trials are advanced."""
