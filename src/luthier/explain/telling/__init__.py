"""What is said of an answer: only what was tried on the model first."""
