"""Attacks on tuned models and training against them."""
