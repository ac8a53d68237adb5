"""What training rows leave in a model: sketches of gradients, controls, suspicions."""
