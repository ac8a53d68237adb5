"""What fine-tuning changed: weights of words, and words that stand in for a label."""
