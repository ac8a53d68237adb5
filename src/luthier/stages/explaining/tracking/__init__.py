"""Explanations followed while training goes on."""
