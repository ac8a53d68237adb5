"""A person, or a script in their place, before the questions of a labelling session."""
