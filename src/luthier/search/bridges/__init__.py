"""Ways to and from other tools' studies."""
