"""Repairs against bias, one file each."""
