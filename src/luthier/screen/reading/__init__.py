"""Words of a text read as other ones before a model sees them: slips undone, near ones as one."""
