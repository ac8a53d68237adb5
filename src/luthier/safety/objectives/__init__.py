"""Objectives wrapped by a disturbance, one file each."""
