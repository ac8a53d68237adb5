"""What the private gradient is made of: chance, the noisy sum, and its audit."""
