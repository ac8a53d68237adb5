"""Floor 2: base models, adapters, heads and the frozen prefix."""
