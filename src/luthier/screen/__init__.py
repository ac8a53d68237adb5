"""Text normalising, rules for personal data and secrets, learned filters; rules need no tensors."""
