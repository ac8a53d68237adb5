"""Ways to score training rows for answers."""
