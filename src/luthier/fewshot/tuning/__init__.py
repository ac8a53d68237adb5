"""The encoder brought closer to the classes: batches of several rows per class, without pairs."""
