"""The ladder of models that write: ways from few rows, tried on rows held out in turn."""
