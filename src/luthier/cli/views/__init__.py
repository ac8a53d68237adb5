"""What people read; programs read JSON."""
