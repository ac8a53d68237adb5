"""The plan as plain values and rules; no tensors are loaded here."""
