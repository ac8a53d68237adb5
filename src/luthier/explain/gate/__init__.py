"""Whether an attribution can be believed: measured for each model before it is shown."""
