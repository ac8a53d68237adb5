"""The sources of proposals."""
