"""What the private gradient is made of: gradients by unit, the noisy sum, and its audit."""
