"""The choice of a rung by evidence on the labels in hand, with every number kept."""
