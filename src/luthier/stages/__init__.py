"""Floor 6: the flow from a recipe to a report."""
