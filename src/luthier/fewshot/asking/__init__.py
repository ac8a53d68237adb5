"""How a batch of questions is put together, and when to stop asking."""
