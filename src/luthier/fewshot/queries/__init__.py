"""Ways to choose the rows that a person is asked next."""
