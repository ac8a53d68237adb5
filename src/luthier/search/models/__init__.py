"""Models of what a configuration would reach: Gaussian processes, transfer and curves."""
