"""What an attacker can show about a trained model, as plain arithmetic on losses."""
