"""What the next decision rests on: where the search stands, and where proposals come from."""
