"""Rules by field: each file holds the rules of one kind of owner."""
