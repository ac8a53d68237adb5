"""Ways to give each word of a text its share in a score."""
