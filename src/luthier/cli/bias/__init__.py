"""Audits of bias and their repair, as people and programs ask for them."""
