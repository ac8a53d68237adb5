"""From a finished run to what can be said of its answers."""
