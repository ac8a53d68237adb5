"""`safety:` privacy, robustness, content filters and checks; one file for each."""
