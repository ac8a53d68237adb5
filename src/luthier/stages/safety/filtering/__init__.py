"""Content filters in the flow: a guard over rows, questions and answers; learned filters."""
