"""Trials in more processes than this one."""
