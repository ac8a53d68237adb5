"""What follows the choice of a search."""
