"""Attacks, defences, poison, behaviour before and after, monitoring."""
