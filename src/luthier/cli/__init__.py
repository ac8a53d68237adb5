"""Floor 8: the command line. Heavy imports stand inside the commands."""
