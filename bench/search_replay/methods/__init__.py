"""Ways to search, each a function from a play and a seed to what it ships."""
