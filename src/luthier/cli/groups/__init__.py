"""Verbs that come in groups, such as `luthier runs list`."""
