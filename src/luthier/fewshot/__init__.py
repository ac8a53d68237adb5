"""Good models from few labels or none: rungs of one ladder, and the choice among them."""
