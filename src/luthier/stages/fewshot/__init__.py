"""Where the few-shot ladder meets the flow of a run."""
