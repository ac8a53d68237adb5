"""Why a model says what it says: attributions, and whether to believe them."""
