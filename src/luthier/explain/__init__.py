"""Why a model says what it says: attributions, training rows, bias, and whether to believe them."""
