"""Objectives wrapped against bias, one file each."""
