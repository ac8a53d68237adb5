"""How a row of each task is read, and how columns are recognised."""
