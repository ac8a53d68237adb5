"""A learnt choice between stopping, going on and beginning, and the gate it has to pass."""
